// Tested by tests/proxy/mcp_sessions_test.cc and tests/e2e/mcp_test.mjs.
#include "proxy/mcp_sessions.h"

#include <mutex>

namespace reeve {
namespace {

std::string key_of(std::string_view upstream, std::string_view session) {
  std::string key;
  key.reserve(upstream.size() + 1 + session.size());
  return key.append(upstream).append(1, '\n').append(session);  // neither holds a line feed
}

}  // namespace

void McpSessions::bind(std::string_view upstream, std::string_view session, std::string_view agent,
                       const Endpoint& at) {
  const std::string key = key_of(upstream, session);
  std::unique_lock lock(mutex_);
  // The first owner stays: a server that issues one id twice makes nobody a present of a session.
  if (!sessions_.try_emplace(key, Session{std::string(agent), at}).second) return;
  std::deque<std::string>& own = by_agent_[std::string(agent)];
  own.push_back(key);
  if (own.size() <= kMostPerAgent) return;
  sessions_.erase(own.front());
  own.pop_front();
}

bool McpSessions::may_use(std::string_view upstream, std::string_view session,
                          std::string_view agent) const {
  const std::string key = key_of(upstream, session);
  std::shared_lock lock(mutex_);
  const auto found = sessions_.find(key);
  return found == sessions_.end() || found->second.owner == agent;
}

std::optional<McpSessions::Endpoint> McpSessions::place(std::string_view upstream,
                                                        std::string_view session) const {
  const std::string key = key_of(upstream, session);
  std::shared_lock lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return std::nullopt;
  return found->second.at;
}

void McpSessions::forget(std::string_view upstream, std::string_view session) {
  const std::string key = key_of(upstream, session);
  std::unique_lock lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  std::erase(by_agent_[found->second.owner], key);
  sessions_.erase(found);
}

}  // namespace reeve
