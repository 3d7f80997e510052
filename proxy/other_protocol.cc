// Tested by tests/e2e/http_test.mjs.
#include "proxy/other_protocol.h"

namespace reeve {

const char* other_protocol(const http::Fields& fields) {
  if (fields.lists("upgrade", "websocket")) {
    return "WebSocket is not served; open a tunnel with CONNECT (HTTPS_PROXY=http://LISTENER) to a "
           "host that a `connect` rule allows, and speak it there";
  }
  const std::string_view type = fields.single("content-type").value_or("");
  constexpr std::string_view kGrpc = "application/grpc";
  const char next = type.size() > kGrpc.size() ? type[kGrpc.size()] : ';';
  if (http::iequals(type.substr(0, kGrpc.size()), kGrpc) && next != '-') {
    return "gRPC needs HTTP/2, which is not served; use gRPC-Web, or open a tunnel with CONNECT "
           "(HTTPS_PROXY=http://LISTENER) to a host that a `connect` rule allows";
  }
  return nullptr;
}

}  // namespace reeve
