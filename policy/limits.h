// The running counters of limits: calls per time, calls at once, repeats of one call, steps of a
// session. A pure state machine: time comes from outside, by a clock that never steps, except for
// the end of a probation, which is a date.
//
// A call is admitted when every limit of its agent holds, and only then counted, by all of them; a
// refused one is counted by none, and nothing ever waits. Windows slide: what is counted is what
// was admitted within the window that ends now.
//
// Memory is bounded, and what is given up for that never lets more through:
// - up to 256 calls of a window are kept one by one; of more, neighbours count as one moment, the
//   latest of them, so that a call may be counted up to a 255th of the window longer than it is;
// - of the calls whose repeats are counted 1,024 are kept for each limit. A new one beyond takes
// the
//   place, and the count, of the one that was repeated least and longest ago (Space-Saving:
//   Metwally, Agrawal, El Abbadi 2005), so that no count is ever too low;
// - of an agent's sessions the 4,096 used last are known. To be forgotten gives a session no more
//   steps than to begin another one does.
//
// Agents are those of the catalogue. Counters belong to an agent and a limit as it is written, so
// that they outlive a reload. Thread-safe: agents are spread over mutexes that are held for the
// counting alone.
#ifndef REEVE_POLICY_LIMITS_H_
#define REEVE_POLICY_LIMITS_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/obligation.h"
#include "policy/policy_set.h"
#include "policy/result.h"

namespace reeve::policy {

class Limits;

// One call before its limits. Views live as long as admit() runs.
struct LimitedCall {
  std::string_view agent;
  std::span<const RateLimit> limits;  // of the agent: PolicySet::limits()
  std::chrono::steady_clock::time_point now;
  Time date{};               // by the wall clock
  Sha256 fingerprint{};      // what makes it the same call as another; read for kRepeats
  std::string_view session;  // read for kSteps
};

// Why a call is not admitted: the limit that opens last.
struct LimitRefusal {
  const RateLimit* limit = nullptr;
  std::optional<std::chrono::seconds> retry_after;  // rounded up; nothing: not by waiting
};

// A call that is under way. Its end frees its place among those at once; that it never left gives
// its step back. Used by one thread at a time; must not outlive its Limits.
class Admission {
 public:
  Admission() = default;  // of a call without limits
  Admission(Admission&& other) noexcept { *this = std::move(other); }
  Admission& operator=(Admission&& other) noexcept;
  ~Admission() { end(); }

  // The call goes out: its step is made.
  void mark_forwarded() { forwarded_ = true; }

 private:
  friend class Limits;
  void end();

  Limits* limits_ = nullptr;
  std::string agent_;
  std::string session_;
  bool stepped_ = false;
  bool forwarded_ = false;
};

class Limits {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  static constexpr size_t kRepeatedCalls = 1024;
  static constexpr size_t kSessions = 4096;

  Limits() = default;
  Limits(const Limits&) = delete;
  Limits& operator=(const Limits&) = delete;

  Result<Admission, LimitRefusal> admit(const LimitedCall& call);

 private:
  friend class Admission;

  // When calls were admitted, the oldest first.
  class Log {
   public:
    // How many are within `window` of `now`; forgets the others.
    uint64_t count(Steady now, std::chrono::seconds window);
    // When fewer than `limit` will be counted. Requires that count() is at least `limit`, above 0.
    Steady opens(uint32_t limit, std::chrono::seconds window) const;
    void add(Steady now, uint32_t limit, std::chrono::seconds window);
    Steady last() const { return moments_.empty() ? Steady::min() : moments_.back().last; }

   private:
    struct Moment {
      Steady first;
      Steady last;
      uint64_t calls;
    };
    std::vector<Moment> moments_;
    uint64_t calls_ = 0;
  };
  using Name = std::pair<RateLimit::Kind, std::pair<uint32_t, std::chrono::seconds>>;
  struct HashSha {
    size_t operator()(const Sha256& digest) const;
  };
  using Repeats = std::unordered_map<Sha256, Log, HashSha>;
  struct Session {
    std::string name;
    uint64_t steps = 0;
  };
  struct Agent {
    std::map<Name, Log> calls;
    std::map<Name, Repeats> repeats;
    uint64_t running = 0;
    std::list<Session> sessions;  // the one used last first
    std::unordered_map<std::string_view, std::list<Session>::iterator> session_index;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::unique_ptr<Agent>> agents;  // guarded by mutex
  };

  static Name name_of(const RateLimit& limit);
  // When it opens; nothing when it is open. Steady::max(): not by waiting.
  static std::optional<Steady> closed_until(Agent& agent, const RateLimit& limit,
                                            const LimitedCall& call);
  static void count(Agent& agent, const RateLimit& limit, const LimitedCall& call,
                    Admission& admission);
  static Log& repeats_of(Repeats& repeats, const Sha256& fingerprint, const RateLimit& limit,
                         Steady now);
  static Session& session_of(Agent& agent, std::string_view name);
  Shard& shard_of(std::string_view agent);
  void end(const Admission& admission);

  std::array<Shard, 64> shards_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_LIMITS_H_
