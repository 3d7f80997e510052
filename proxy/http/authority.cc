// See authority.h. Tested by tests/proxy/request_parser_test.cc.
#include "proxy/http/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "proxy/http/chars.h"

namespace reeve::http {
namespace {

constexpr size_t kNameBytesMax = 255;  // RFC 1035, 2.3.4

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  in6_addr address;
  return text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

bool read_port(std::string_view text, uint16_t& port) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return false;
  uint32_t value = 0;
  for (char c : text) {
    if (!is(c, kDigit)) return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  port = static_cast<uint16_t>(value);
  return value <= 65535;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  size_t end = 0;  // of the host
  if (text.starts_with('[')) {
    const size_t bracket = text.rfind(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) {
      return std::nullopt;
    }
    end = bracket + 1;
  } else {
    while (end < text.size() && is(text[end], kHostChar)) ++end;
  }
  if (end == 0 || end > kNameBytesMax) return std::nullopt;
  Authority found;
  found.host = text.substr(0, end);
  if (end == text.size()) return found;
  if (text[end] != ':' || !read_port(text.substr(end + 1), found.port)) return std::nullopt;
  return found;
}

}  // namespace reeve::http
