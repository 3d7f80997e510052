// What reeve remembers of a client of /mcp: in the legacy era a session of its own, which stands
// for one at each upstream; for a modern client of legacy upstreams, its agent's.
//
// Shared by all workers. Locks are held for look-ups only, never across a wait.
#ifndef REEVE_PROXY_JOIN_SESSION_H_
#define REEVE_PROXY_JOIN_SESSION_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/clock.h"
#include "proxy/join/seal.h"

namespace reeve::join {

// What an upstream said when its session was opened.
struct Greeting {
  std::string session;  // empty: it has none
  std::string version;
  std::string capabilities;  // JSON
  std::string instructions;
};

class Session {
 public:
  Session(std::string id, std::string agent, std::string version, std::string hello, bool bridge);

  const std::string id;       // empty for a bridge
  const std::string agent;    // whose it is
  const std::string version;  // agreed with the client
  const std::string hello;    // the params of initialize, for each upstream
  const bool bridge;          // the client is modern, and reeve alone speaks for it
  // Whom what is closed for this client belongs to.
  std::string holder() const { return id.empty() ? agent : agent + "\n" + id; }

  enum class Door : uint8_t { kShut, kOpening, kOpen };
  struct Way {
    Door door = Door::kShut;
    Greeting greeting;
    uint64_t generation = 0;  // counts openings
  };
  Way way(std::string_view upstream) const;
  // True: the caller is to open it, and to end that with opened() or failed(). False: it is open,
  // or somebody else is at it; then `woken` is called once, from any thread, when that has ended.
  bool begin_opening(std::string_view upstream, std::function<void()> woken);
  void opened(std::string_view upstream, Greeting greeting);
  void failed(std::string_view upstream);
  // The upstream knows its session no more: unless it has been opened anew, it is to be.
  void lost(std::string_view upstream, uint64_t generation);
  // Grows whenever an upstream is opened.
  uint64_t openings() const { return openings_.load(std::memory_order_relaxed); }

  // The client has said that it is ready: then each upstream opened later is told so at once.
  std::atomic<bool> initialized{false};

  // Which upstream a request under way is at.
  void started(const std::string& id_key, std::string_view upstream);
  void ended(const std::string& id_key);
  std::optional<std::string> place_of(const std::string& id_key) const;

 private:
  friend class Sessions;
  struct Entry {
    Way way;
    std::vector<std::function<void()>> waiting;
  };
  void settle(std::string_view upstream, Door door, Greeting greeting);

  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> ways_;          // guarded by mutex_
  std::unordered_map<std::string, std::string> under_way_;  // guarded by mutex_
  std::atomic<uint64_t> openings_{0};
  Steady used_;  // guarded by Sessions::mutex_
};

class Sessions {
 public:
  static constexpr size_t kMostPerAgent = 256;   // the one that was used least lately is forgotten
  static constexpr std::chrono::hours kIdle{4};  // so is one that nobody has used for so long

  // Null without random bytes.
  std::shared_ptr<Session> begin(std::string_view agent, std::string_view version,
                                 std::string_view hello);
  // The session of this agent; null when it is another's, unknown or over.
  std::shared_ptr<Session> find(std::string_view id, std::string_view agent);
  void end(std::string_view id);
  // The one by which this agent's modern calls reach legacy upstreams.
  std::shared_ptr<Session> bridge(std::string_view agent);

 private:
  void forget_idle(std::deque<std::shared_ptr<Session>>& own, Steady now);

  std::mutex mutex_;
  // Guarded by mutex_.
  std::unordered_map<std::string, std::shared_ptr<Session>> by_id_;
  std::unordered_map<std::string, std::deque<std::shared_ptr<Session>>> by_agent_;
  std::unordered_map<std::string, std::shared_ptr<Session>> bridges_;
};

// Which eras an upstream speaks, as far as it has been asked. Thread-safe.
class Eras {
 public:
  static constexpr std::chrono::minutes kKnown{5};
  enum class Speaks : uint8_t { kUnknown, kModern, kLegacyOnly };

  Speaks of(std::string_view upstream) const;
  void learn(std::string_view upstream, Speaks what);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::pair<Speaks, Steady>, std::less<>> known_;  // guarded by mutex_
};

// What all workers share.
struct Shared {
  Seal seal;
  Sessions sessions;
  Eras eras;
  std::atomic<uint64_t> next_id{1};  // of requests that get one of reeve's own
};

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_SESSION_H_
