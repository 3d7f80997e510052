// Which agent an MCP session belongs to: a session id that one agent was given is nothing to
// another.
//
// Servers issue ids in `Mcp-Session-Id` (2025-11-25 and older); reeve remembers to whom. An id that
// it has not seen begin, as after a restart, is left to the server. Thread-safe; bounded per agent,
// so that one agent's sessions never push out another's.
#ifndef REEVE_PROXY_MCP_SESSIONS_H_
#define REEVE_PROXY_MCP_SESSIONS_H_

#include <deque>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/net/asio.h"

namespace reeve {

class McpSessions {
 public:
  static constexpr size_t kMostPerAgent = 4096;  // the oldest is forgotten

  using Endpoint = net::asio::ip::tcp::endpoint;

  // The upstream issued this id in its answer to this agent; the answer came from `at`.
  void bind(std::string_view upstream, std::string_view session, std::string_view agent,
            const Endpoint& at = {});
  // Which of the upstream's addresses issued it; nothing for an id that was not seen to begin.
  std::optional<Endpoint> place(std::string_view upstream, std::string_view session) const;
  // False when the session is another agent's.
  bool may_use(std::string_view upstream, std::string_view session, std::string_view agent) const;
  // The session has ended.
  void forget(std::string_view upstream, std::string_view session);

 private:
  mutable std::shared_mutex mutex_;
  struct Session {
    std::string owner;
    Endpoint at;
  };
  // Guarded by mutex_. Keys are upstream and session.
  std::unordered_map<std::string, Session> sessions_;
  std::unordered_map<std::string, std::deque<std::string>> by_agent_;  // oldest first
};

}  // namespace reeve

#endif  // REEVE_PROXY_MCP_SESSIONS_H_
