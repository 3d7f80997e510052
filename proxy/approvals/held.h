// A call that waits for people, as whoever ends its wait sees it.
#ifndef REEVE_PROXY_APPROVALS_HELD_H_
#define REEVE_PROXY_APPROVALS_HELD_H_

#include <optional>
#include <string>

#include "policy/approvals.h"
#include "proxy/net/asio.h"

namespace reeve::approvals {

// Owned by its call's frame; others keep weak pointers. All but `key` and `context` is touched on
// the thread of its context alone: whoever has news posts it there.
struct Held {
  Held(net::asio::io_context& on, std::string request)
      : context(on), key(std::move(request)), timer(on) {}

  net::asio::io_context& context;
  const std::string key;  // of an MCP request, by which its client may cancel it; else empty
  net::Timer timer;       // of the wait; cancelled when there is news
  std::optional<policy::ApprovalState> verdict;
  bool cancelled = false;  // by its client
  bool draining = false;   // the sidecar stops
};

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_HELD_H_
