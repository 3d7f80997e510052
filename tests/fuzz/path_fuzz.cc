// Any bytes as a path: no crash; what is forwarded is printable, normal already, and decodes once
// to what is matched, with no dot segment and no slash that was not there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "policy/path.h"

using reeve::policy::normalise_path;
using reeve::policy::NormalPath;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

int hex(char c) { return c <= '9' ? c - '0' : c - 'A' + 10; }

std::string decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    out += static_cast<char>(hex(text[i + 1]) << 4 | hex(text[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool path_parameters = data[0] & 1;
  const std::string raw(reinterpret_cast<const char*>(data) + 1, size - 1);
  static NormalPath out;
  if (normalise_path(raw, path_parameters, out) != nullptr) return 0;
  for (char c : out.forward) require(c > 0x20 && c < 0x7f && c != '?' && c != '#' && c != '\\');
  std::string match = decode(out.forward);
  if (match.size() > 1 && match.back() == '/') match.pop_back();
  require(match == out.match);
  require(out.forward.starts_with("/") && out.forward.find("//") == std::string::npos);
  const std::string bounded = out.match + "/";
  require(bounded.find("/./") == std::string::npos && bounded.find("/../") == std::string::npos);
  require(path_parameters || out.forward.find(';') == std::string::npos);
  const auto slashes = [](std::string_view text) {
    return std::count(text.begin(), text.end(), '/');
  };
  require(raw.empty() || slashes(raw) == slashes(out.forward));
  NormalPath again;
  require(normalise_path(out.forward, path_parameters, again) == nullptr);
  require(again.forward == out.forward && again.match == out.match);
  return 0;
}
