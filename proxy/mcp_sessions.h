// Which agent an MCP session belongs to: a session id that one agent was given is nothing to
// another.
//
// Servers issue ids in `Mcp-Session-Id` (2025-11-25 and older); reeve remembers to whom. An id that
// it has not seen begin, as after a restart, is left to the server. Thread-safe; bounded per agent,
// so that one agent's sessions never push out another's.
#ifndef REEVE_PROXY_MCP_SESSIONS_H_
#define REEVE_PROXY_MCP_SESSIONS_H_

#include <deque>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace reeve {

class McpSessions {
 public:
  static constexpr size_t kMostPerAgent = 4096;  // the oldest is forgotten

  // The upstream issued this id in its answer to this agent.
  void bind(std::string_view upstream, std::string_view session, std::string_view agent);
  // False when the session is another agent's.
  bool may_use(std::string_view upstream, std::string_view session, std::string_view agent) const;
  // The session has ended.
  void forget(std::string_view upstream, std::string_view session);

 private:
  mutable std::shared_mutex mutex_;
  // Guarded by mutex_. Keys are upstream and session.
  std::unordered_map<std::string, std::string> owner_;
  std::unordered_map<std::string, std::deque<std::string>> by_agent_;  // oldest first
};

}  // namespace reeve

#endif  // REEVE_PROXY_MCP_SESSIONS_H_
