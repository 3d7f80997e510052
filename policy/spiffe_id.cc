// See spiffe_id.h. Tested by tests/policy/spiffe_id_test.cc and tests/fuzz/spiffe_fuzz.cc.
#include "policy/spiffe_id.h"

#include <algorithm>

namespace reeve::policy {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kLongestId = 2048;
constexpr size_t kLongestDomain = 255;

}  // namespace

bool is_trust_domain(std::string_view text) {
  return !text.empty() && text.size() <= kLongestDomain &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == text.npos;
}

bool is_spiffe_id(std::string_view text) {
  if (!text.starts_with(kScheme) || text.size() > kLongestId) return false;
  std::string_view rest = text.substr(kScheme.size());
  const size_t slash = rest.find('/');
  if (slash == rest.npos || !is_trust_domain(rest.substr(0, slash))) return false;
  rest.remove_prefix(slash);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/', 1), rest.size());
    const std::string_view segment = rest.substr(1, end - 1);
    if (segment.empty() || segment == "." || segment == ".." ||
        segment.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_") != segment.npos) {
      return false;
    }
    rest.remove_prefix(end);
  }
  return true;
}

std::string_view trust_domain(std::string_view id) {
  id.remove_prefix(kScheme.size());
  return id.substr(0, id.find('/'));
}

}  // namespace reeve::policy
