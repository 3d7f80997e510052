// Whether a request to the admin side comes from the console's own page, another page, or no page.
#ifndef REEVE_PROXY_CONSOLE_SAME_ORIGIN_H_
#define REEVE_PROXY_CONSOLE_SAME_ORIGIN_H_

#include "proxy/http/message.h"

namespace reeve::console {

enum class From : uint8_t {
  kNoPage,     // a program, or an address that was typed: no Origin
  kOwnPage,    // Origin is this address, by http or, behind a proxy that ends TLS, https
  kOtherPage,  // another Origin, or Sec-Fetch-Site says another site
};

// Requires that the Host of `head` is known to be the sidecar's own.
From from_page(const http::RequestHead& head);
// Of kOwnPage: whether it was served by https.
bool is_secure_page(const http::RequestHead& head);

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_SAME_ORIGIN_H_
