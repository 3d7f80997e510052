// libcurl's easy interface. Tested by tests/e2e/audit_sinks_test.mjs.
#include "proxy/net/http_post.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <new>

namespace reeve::net {
namespace {

// Once, before threads use the library; nothing is ever taken down.
void initialise() {
  static const CURLcode done = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (done != CURLE_OK) throw std::bad_alloc();
}

size_t ignore(char*, size_t size, size_t count, void*) { return size * count; }

int stops(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stop)->load(std::memory_order_relaxed) ? 1 : 0;
}

}  // namespace

struct HttpPoster::Handle {
  Handle() {
    initialise();
    easy = ::curl_easy_init();
    if (easy == nullptr) throw std::bad_alloc();
  }
  ~Handle() { ::curl_easy_cleanup(easy); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  CURL* easy;
  char why[CURL_ERROR_SIZE] = {};
};

HttpPoster::HttpPoster(std::string url, const std::string& ca, std::chrono::milliseconds timeout)
    : url_(std::move(url)), handle_(std::make_unique<Handle>()) {
  CURL* const easy = handle_->easy;
  ::curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_PROXY, "");
  ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  ::curl_easy_setopt(easy, CURLOPT_POST, 1L);
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  ::curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, stops);
  ::curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle_->why);
  if (!ca.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_CAINFO, ca.c_str());
    ::curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
}

HttpPoster::~HttpPoster() = default;

Result<int> HttpPoster::post(std::string_view body, const std::vector<std::string>& fields,
                             const std::atomic<bool>& stop) {
  CURL* const easy = handle_->easy;
  struct curl_slist* list = ::curl_slist_append(nullptr, "Expect:");
  for (const std::string& field : fields) list = ::curl_slist_append(list, field.c_str());
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  ::curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &stop);
  handle_->why[0] = '\0';
  const CURLcode code = ::curl_easy_perform(easy);
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, nullptr);
  ::curl_slist_free_all(list);
  if (code != CURLE_OK) {
    return Error{handle_->why[0] != '\0' ? handle_->why : ::curl_easy_strerror(code)};
  }
  long status = 0;
  ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

}  // namespace reeve::net
