// Names are compared as text, case aside: nothing is resolved. Tested by
// tests/proxy/origin_test.cc.
#include "proxy/origin.h"

namespace reeve {
namespace {

// The host of `host[:port]`, brackets kept.
std::string_view host_of(std::string_view authority) {
  if (!authority.empty() && authority.front() == '[') {
    const size_t end = authority.find(']');
    return end == authority.npos ? authority : authority.substr(0, end + 1);
  }
  return authority.substr(0, authority.find(':'));
}

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

}  // namespace

const char* foreign_origin(const http::RequestHead& head, const Connection& connection) {
  const std::string_view host = host_of(head.authority);
  if (connection.loopback && !head.authority.empty() && head.scheme.empty() && !head.connect &&
      !loopback_name(host)) {
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
  if (connection.loopback ? loopback_name(host_of(authority))
                          : http::iequals(authority, head.authority)) {
    return nullptr;
  }
  return "requests from web pages are refused (Origin)";
}

bool names_listener(const http::RequestHead& head, const Connection& connection) {
  return head.scheme.empty() || own_host(host_of(head.authority), connection);
}

}  // namespace reeve
