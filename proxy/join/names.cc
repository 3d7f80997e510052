// Tested by tests/proxy/join_names_test.cc.
#include "proxy/join/names.h"

namespace reeve::join {
namespace {

constexpr std::string_view kBorder = "__";
constexpr std::string_view kScheme = "reeve:";

std::optional<Split> cut(std::string_view text, std::string_view border) {
  const size_t at = text.find(border);
  if (at == std::string_view::npos || at == 0 || at + border.size() == text.size()) {
    return std::nullopt;
  }
  return Split{text.substr(0, at), text.substr(at + border.size())};
}

}  // namespace

std::string join_name(std::string_view upstream, std::string_view name) {
  return std::string(upstream).append(kBorder).append(name);
}

std::string join_uri(std::string_view upstream, std::string_view uri) {
  return std::string(kScheme).append(upstream).append(1, '/').append(uri);
}

std::optional<Split> split_name(std::string_view joined) { return cut(joined, kBorder); }

std::optional<Split> split_uri(std::string_view joined) {
  if (!joined.starts_with(kScheme)) return std::nullopt;
  return cut(joined.substr(kScheme.size()), "/");
}

}  // namespace reeve::join
