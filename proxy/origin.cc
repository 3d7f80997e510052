// Names are compared as text, case aside: nothing is resolved. Tested by
// tests/proxy/origin_test.cc.
#include "proxy/origin.h"

#include "proxy/http/authority.h"

namespace reeve {
namespace {

bool loopback_name(std::string_view host) {
  if (http::iequals(host, "localhost") || host == "[::1]") return true;
  // 127.0.0.0/8 in dotted form; anything else that begins with 127. is a name in disguise.
  if (host.substr(0, 4) != "127.") return false;
  int dots = 0;
  for (const char c : host) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots == 3;
}

bool own_host(std::string_view host, const Connection& connection) {
  if (connection.loopback) return loopback_name(host);
  const std::string& address = connection.listener.address.host;
  return http::iequals(host, address) ||
         (host.size() == address.size() + 2 && host.substr(1, address.size()) == address);
}

// Whether the authority is a loopback name; one with a user, an escape or the like is not.
bool loopback_authority(std::string_view text) {
  const auto authority = http::parse_authority(text);
  return authority && loopback_name(authority->host);
}

}  // namespace

const char* foreign_origin(const http::RequestHead& head, const Connection& connection) {
  if (connection.loopback && !head.authority.empty() && head.scheme.empty() && !head.connect &&
      !loopback_authority(head.authority)) {
    return "Host names no loopback address; use http://127.0.0.1:PORT or http://localhost:PORT";
  }
  const size_t origins = head.fields.count("origin");
  if (origins == 0) return nullptr;
  const auto origin = head.fields.single("origin");
  if (origins > 1 || !origin) return "Origin is given twice";
  const size_t scheme = origin->find("://");
  if (scheme == origin->npos) return "requests from web pages are refused (Origin)";
  const std::string_view authority = origin->substr(scheme + 3);
  const std::string_view scheme_name = origin->substr(0, scheme);
  if (scheme_name != "http" && scheme_name != "https") {
    return "requests from web pages are refused (Origin)";
  }
  if (connection.loopback ? loopback_authority(authority)
                          : http::iequals(authority, head.authority)) {
    return nullptr;
  }
  return "requests from web pages are refused (Origin)";
}

bool names_listener(const http::RequestHead& head, const Connection& connection) {
  if (head.scheme.empty()) return true;
  // What https names is behind TLS, and what http names is not (RFC 9110 section 7.4).
  const bool secure = http::iequals(head.scheme, "https");
  if (secure != connection.stream.is_tls()) return false;
  const auto authority = http::parse_authority(head.authority);
  if (!authority) return false;
  const uint16_t port = authority->port != 0 ? authority->port : secure ? 443 : 80;
  return port == connection.listener.address.port && own_host(authority->host, connection);
}

}  // namespace reeve
