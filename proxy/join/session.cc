// Tested by tests/proxy/join_session_test.cc and tests/e2e/join_test.mjs.
#include "proxy/join/session.h"

#include <algorithm>
#include <utility>

#include "proxy/version.h"

namespace reeve::join {
namespace {

// What reeve says of itself where it speaks for a modern client. It can do nothing that a server
// might ask for, so that none asks.
constexpr std::string_view kBridgeVersion = "2025-11-25";
constexpr std::string_view kBridgeHello =
    R"({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"reeve","version":")" REEVE_VERSION
    R"("}})";

}  // namespace

Session::Session(std::string own_id, std::string whose, std::string agreed, std::string params,
                 bool for_modern)
    : id(std::move(own_id)),
      agent(std::move(whose)),
      version(std::move(agreed)),
      hello(std::move(params)),
      bridge(for_modern) {}

Session::Way Session::way(std::string_view upstream) const {
  std::lock_guard lock(mutex_);
  const auto found = ways_.find(upstream);
  return found == ways_.end() ? Way{} : found->second.way;
}

bool Session::begin_opening(std::string_view upstream, std::function<void()> woken) {
  {
    std::lock_guard lock(mutex_);
    Entry& entry = ways_[std::string(upstream)];
    if (entry.way.door == Door::kShut) {
      entry.way.door = Door::kOpening;
      return true;
    }
    if (entry.way.door == Door::kOpening) {
      entry.waiting.push_back(std::move(woken));
      return false;
    }
  }
  woken();
  return false;
}

void Session::settle(std::string_view upstream, Door door, Greeting greeting) {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    Entry& entry = ways_[std::string(upstream)];
    entry.way.door = door;
    entry.way.greeting = std::move(greeting);
    if (door == Door::kOpen) ++entry.way.generation;
    waiting = std::exchange(entry.waiting, {});
  }
  if (door == Door::kOpen) openings_.fetch_add(1, std::memory_order_relaxed);
  for (const auto& wake : waiting) wake();
}

void Session::opened(std::string_view upstream, Greeting greeting) {
  settle(upstream, Door::kOpen, std::move(greeting));
}

void Session::failed(std::string_view upstream) { settle(upstream, Door::kShut, {}); }

void Session::lost(std::string_view upstream, uint64_t generation) {
  std::lock_guard lock(mutex_);
  const auto found = ways_.find(upstream);
  if (found == ways_.end()) return;
  Way& way = found->second.way;
  if (way.door == Door::kOpen && way.generation == generation) way.door = Door::kShut;
}

void Session::started(const std::string& id_key, std::string_view upstream) {
  std::lock_guard lock(mutex_);
  under_way_[id_key] = upstream;
}

void Session::ended(const std::string& id_key) {
  std::lock_guard lock(mutex_);
  under_way_.erase(id_key);
}

std::optional<std::string> Session::place_of(const std::string& id_key) const {
  std::lock_guard lock(mutex_);
  const auto found = under_way_.find(id_key);
  if (found == under_way_.end()) return std::nullopt;
  return found->second;
}

void Sessions::forget_idle(std::deque<std::shared_ptr<Session>>& own, Steady now) {
  std::erase_if(own, [&](const std::shared_ptr<Session>& each) {
    // One that somebody holds is in use: a stream, a call.
    const bool idle = now - each->used_ > kIdle && each.use_count() <= 2;
    if (idle) by_id_.erase(each->id);
    return idle;
  });
}

std::shared_ptr<Session> Sessions::begin(std::string_view agent, std::string_view version,
                                         std::string_view hello) {
  std::string id = random_id();
  if (id.empty()) return nullptr;
  auto session = std::make_shared<Session>(id, std::string(agent), std::string(version),
                                           std::string(hello), false);
  const Steady now = steady_now();
  std::lock_guard lock(mutex_);
  session->used_ = now;
  auto& own = by_agent_[std::string(agent)];
  forget_idle(own, now);
  if (own.size() >= kMostPerAgent) {
    const auto oldest = std::min_element(
        own.begin(), own.end(), [](const auto& a, const auto& b) { return a->used_ < b->used_; });
    by_id_.erase((*oldest)->id);
    own.erase(oldest);
  }
  own.push_back(session);
  by_id_[id] = session;
  return session;
}

std::shared_ptr<Session> Sessions::find(std::string_view id, std::string_view agent) {
  const Steady now = steady_now();
  std::lock_guard lock(mutex_);
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end() || found->second->agent != agent) return nullptr;
  found->second->used_ = now;
  return found->second;
}

void Sessions::end(std::string_view id) {
  std::lock_guard lock(mutex_);
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end()) return;
  std::erase(by_agent_[found->second->agent], found->second);
  by_id_.erase(found);
}

std::shared_ptr<Session> Sessions::bridge(std::string_view agent) {
  std::lock_guard lock(mutex_);
  auto& session = bridges_[std::string(agent)];
  if (!session) {
    session = std::make_shared<Session>("", std::string(agent), std::string(kBridgeVersion),
                                        std::string(kBridgeHello), true);
  }
  return session;
}

Eras::Speaks Eras::of(std::string_view upstream) const {
  std::lock_guard lock(mutex_);
  const auto found = known_.find(upstream);
  const bool fresh = found != known_.end() && steady_now() - found->second.second < kKnown;
  return fresh ? found->second.first : Speaks::kUnknown;
}

void Eras::learn(std::string_view upstream, Speaks what) {
  std::lock_guard lock(mutex_);
  known_.insert_or_assign(std::string(upstream), std::pair(what, steady_now()));
}

}  // namespace reeve::join
