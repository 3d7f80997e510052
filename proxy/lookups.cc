// getaddrinfo cannot be told how long it may take, nor be ended: whoever waits looks at its own
// deadline afterwards. Tested end to end by tests/e2e/forward_proxy_test.mjs.
#include "proxy/lookups.h"

#include <netdb.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <memory>

namespace reeve {
namespace {

constexpr size_t kThreads = 4;

Lookups::Found look_up(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  Lookups::Found found;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &first);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, ::freeaddrinfo);
  if (failure != 0) {
    found.error = ::gai_strerror(failure);
    return found;
  }
  for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
    net::asio::ip::tcp::endpoint endpoint;
    if (at->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), at->ai_addr, at->ai_addrlen);
    endpoint.resize(at->ai_addrlen);
    endpoint.port(port);
    found.endpoints.push_back(endpoint);
  }
  if (found.endpoints.empty()) found.error = "no address";
  return found;
}

}  // namespace

net::Task<Lookups::Found> Lookups::find(std::string host, uint16_t port) {
  std::call_once(started_, [this] { threads_.emplace(kThreads); });
  co_return co_await net::asio::async_initiate<decltype(net::kAwait), void(Found)>(
      [this](auto handler, std::string name, uint16_t to) {
        auto loop = net::asio::make_work_guard(net::asio::get_associated_executor(handler));
        net::asio::post(*threads_, [handler = std::move(handler), loop = std::move(loop),
                                    name = std::move(name), to]() mutable {
          net::asio::post(loop.get_executor(),
                          [handler = std::move(handler), found = look_up(name, to)]() mutable {
                            std::move(handler)(std::move(found));
                          });
        });
      },
      net::kAwait, std::move(host), port);
}

}  // namespace reeve
