// The host and port of a URL, a Host field or a CONNECT target (RFC 3986, 3.2).
//
// Stricter than the RFC: no user information, no percent-escape, no sub-delimiter, no zone or
// future address, no empty or zero port; what is left has one reading. Which addresses may be
// dialled is not judged here.
#ifndef REEVE_PROXY_HTTP_AUTHORITY_H_
#define REEVE_PROXY_HTTP_AUTHORITY_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace reeve::http {

struct Authority {
  std::string_view host;  // a name, IPv4 address, or IPv6 address with its brackets
  uint16_t port = 0;      // 0: none given
};

// Nothing when `text` is not `host` or `host:port`. Views into `text`.
std::optional<Authority> parse_authority(std::string_view text);

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_AUTHORITY_H_
