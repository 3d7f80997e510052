// A browser sends Origin with every request that may change something, and with every one from
// another origin that its page could read; Sec-Fetch-Site with the rest. Tested by
// tests/proxy/console_test.cc.
#include "proxy/console/same_origin.h"

namespace reeve::console {

From from_page(const http::RequestHead& head) {
  if (head.fields.count("sec-fetch-site") > 0) {
    const auto site = head.fields.single("sec-fetch-site");
    // `none`: the person asked for it, by the address bar or a bookmark.
    if (!site || (*site != "same-origin" && *site != "none")) return From::kOtherPage;
  }
  if (head.fields.count("origin") == 0) return From::kNoPage;
  const auto origin = head.fields.single("origin");
  if (!origin) return From::kOtherPage;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin->starts_with(scheme) &&
        http::iequals(origin->substr(scheme.size()), head.authority)) {
      return From::kOwnPage;
    }
  }
  return From::kOtherPage;
}

bool is_secure_page(const http::RequestHead& head) {
  return head.fields.single("origin").value_or("").starts_with("https://");
}

}  // namespace reeve::console
