// Posts a body to a URL, over and over, from a thread of its own that may wait: what sends to
// receivers that are no upstreams needs of a client. http:// and https://, whose certificate is
// always verified; redirections are not followed, proxies of the environment not used.
#ifndef REEVE_PROXY_NET_HTTP_POST_H_
#define REEVE_PROXY_NET_HTTP_POST_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace reeve::net {

// Of one thread. Keeps its connection for the next post.
class HttpPoster {
 public:
  // `ca`: a file of CAs instead of the system's; empty: those.
  HttpPoster(std::string url, const std::string& ca, std::chrono::milliseconds timeout);
  ~HttpPoster();
  HttpPoster(const HttpPoster&) = delete;
  HttpPoster& operator=(const HttpPoster&) = delete;

  // `fields` are `Name: value`. The status of the answer, whose body is not kept; the error says
  // why there is none. Ends early, with an error, when `stop` becomes true.
  Result<int> post(std::string_view body, const std::vector<std::string>& fields,
                   const std::atomic<bool>& stop);

 private:
  struct Handle;
  const std::string url_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_HTTP_POST_H_
