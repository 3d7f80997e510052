// Names, looked up beside the event loops.
#ifndef REEVE_PROXY_LOOKUPS_H_
#define REEVE_PROXY_LOOKUPS_H_

#include <boost/asio/thread_pool.hpp>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/net/asio.h"

namespace reeve {

using Endpoints = std::vector<net::asio::ip::tcp::endpoint>;

// An agent chooses the names of the forward proxy, and with them how long name servers take. On
// threads of their own, slow ones delay each other at most, never the names of upstreams, for which
// there is another of these. Thread-safe; a lookup keeps the loop that waits for it running.
class Lookups {
 public:
  struct Found {
    Endpoints endpoints;
    std::string error;  // empty: there are endpoints
  };
  net::Task<Found> find(std::string host, uint16_t port);

 private:
  std::once_flag started_;
  std::optional<net::asio::thread_pool> threads_;  // from the first lookup on
};

}  // namespace reeve

#endif  // REEVE_PROXY_LOOKUPS_H_
