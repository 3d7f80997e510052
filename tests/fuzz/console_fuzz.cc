// What a browser, or whoever poses as one, sends the console: Cookie, Origin, Sec-Fetch-Site and
// the query of a search. A page is the own one only where its Origin names the Host.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/console/record_search.h"
#include "proxy/console/same_origin.h"
#include "proxy/console/sessions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto part = [&text] {
    const size_t end = std::min(text.find('\0'), text.size());
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
  };
  http::RequestHead head;
  const std::string_view cookie = part(), origin = part(), site = part();
  head.authority = "127.0.0.1:8701";
  head.fields.list = {{"Cookie", cookie}, {"Origin", origin}, {"Sec-Fetch-Site", site}};
  const auto id = console::cookie_of(head.fields, "reeve-8701");
  if (id && (id->find(';') != id->npos || id->data() < cookie.data() ||
             id->data() + id->size() > cookie.data() + cookie.size())) {
    std::abort();
  }
  if (console::from_page(head) == console::From::kOwnPage && !origin.ends_with("127.0.0.1:8701")) {
    std::abort();
  }
  const AdminReply reply = console::search_record("/nonexistent/audit.jsonl", part(), {});
  if (reply.status != 200 && reply.status != 400) std::abort();
  return 0;
}
