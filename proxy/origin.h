// Is this request meant for this listener, and not smuggled in by a web page?
#ifndef REEVE_PROXY_ORIGIN_H_
#define REEVE_PROXY_ORIGIN_H_

#include "proxy/connection.h"
#include "proxy/http/message.h"

namespace reeve {

// A page in a browser on the same host can reach a loopback listener (DNS rebinding, cross-site
// requests). Refused: an `Origin` that is neither the listener's own nor, on a loopback listener, a
// page of this host's; and on a loopback listener a Host that is no loopback name. Returns null
// when there is nothing against it, else why.
const char* foreign_origin(const http::RequestHead& head, const Connection& connection);

// False for an absolute-form target that names another authority than the listener's own: that is a
// request to a forward proxy.
bool names_listener(const http::RequestHead& head, const Connection& connection);

}  // namespace reeve

#endif  // REEVE_PROXY_ORIGIN_H_
