// Protocols that begin as HTTP/1.1 and are not served.
#ifndef REEVE_PROXY_OTHER_PROTOCOL_H_
#define REEVE_PROXY_OTHER_PROTOCOL_H_

#include "proxy/http/message.h"

namespace reeve {

// A static sentence that names the way for them, or null for plain HTTP. An upgrade to HTTP/2 or
// TLS is an offer, and not taken up; a client that opens a WebSocket or calls by gRPC can do
// nothing with an answer in HTTP/1.1.
const char* other_protocol(const http::Fields& fields);

}  // namespace reeve

#endif  // REEVE_PROXY_OTHER_PROTOCOL_H_
