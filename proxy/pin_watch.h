// What is known, while the sidecar runs, of the tools of servers with a lock: what each agent was
// last shown of them, and what of that was other than the lock.
//
// A definition that an agent has seen counts until the server says that its tools have changed, the
// lock is another, or kFreshFor is over. Thread-safe; everything is bounded, per agent where an
// agent can make it grow.
#ifndef REEVE_PROXY_PIN_WATCH_H_
#define REEVE_PROXY_PIN_WATCH_H_

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/clock.h"
#include "proxy/mcp/pin_sighting.h"
#include "proxy/pin_files.h"

namespace reeve {

// Where definitions are seen: a server may tell each agent, and each session, something else.
struct Spectator {
  std::string_view upstream, agent, session;  // session: empty without one
};

class PinWatch {
 public:
  static constexpr std::chrono::minutes kFreshFor{5};
  static constexpr size_t kMostPerAgent = 1024;      // sessions; the oldest is forgotten
  static constexpr size_t kMostRemembered = 10'000;  // tools or texts of one upstream
  static constexpr uint64_t kLinesPerMinute = 100;   // of one upstream

  // Counts what a server has said about changes of its tools. To be asked before they are listed.
  uint64_t epoch(std::string_view upstream) const;
  void tools_changed(std::string_view upstream);

  enum class Standing : uint8_t {
    kUnseen,  // or no longer to be relied on
    kSame,
    kOther,
    kGone,  // the server's whole list does not have it
  };
  // Of a tool by its place in the lock.
  Standing standing(const Spectator& who, const Pin& pin, size_t tool, Steady now) const;

  // A drift that was not known, for the record. `kind`: changed, added, removed, restored.
  struct Change {
    const char* kind = "";
    std::string tool;    // empty: the server's instructions
    std::string parts;   // of changed: "description, inputSchema"
    std::string digest;  // of what is there now; empty: nothing is
  };
  enum class Worth : uint8_t {
    kHint,   // not asked for: what is as pinned proves nothing
    kPage,   // of a list that was asked for
    kWhole,  // all of one: what is not in it is gone
  };
  // `epoch`: as of before it was asked for. What comes back was counted.
  std::vector<Change> saw(const Spectator& who, const Pin& pin, const mcp::Sighting& sighting,
                          Worth worth, uint64_t epoch, Steady now);
  // The server's instructions; `digest` is empty where they are as pinned.
  std::optional<Change> saw_instructions(const Pin& pin, const std::string& digest);
  // Whether this text with something hidden in it was not known. Counted.
  bool saw_hidden(std::string_view upstream, const std::string& text);

  // Whether one more line about this upstream may be written; then how many could not be before.
  std::optional<uint64_t> admit_line(std::string_view upstream, Steady now);

  struct Counts {
    std::string upstream;
    std::map<std::string, uint64_t> changes;  // by kind
    uint64_t hidden = 0;
    size_t drifted = 0;  // tools that are now other than pinned
  };
  std::vector<Counts> counts() const;

 private:
  struct Seen {
    uint64_t serial = 0, epoch = 0;
    Steady since{};
    std::vector<Standing> tools;
  };
  struct Upstream {
    uint64_t epoch = 0;
    uint64_t serial = 0;                       // of the lock that `other` is about
    std::map<std::string, std::string> other;  // digests by tool; `gone` for one that is not there
    std::string instructions;                  // digest, when other than pinned
    std::set<std::string> hidden;
    std::map<std::string, uint64_t> changes;
    uint64_t hidden_count = 0;
    int64_t minute = 0;
    uint64_t lines = 0, unwritten = 0;
  };

  Upstream& upstream(std::string_view name);
  Seen& seen(const Spectator& who);
  static void note(Upstream& upstream, std::vector<Change>& changes, Change change);

  mutable std::mutex mutex_;  // protects all of it
  std::map<std::string, Upstream, std::less<>> upstreams_;
  std::unordered_map<std::string, Seen> seen_;  // by upstream, agent and session
  std::unordered_map<std::string, std::deque<std::string>> by_agent_;  // oldest first
};

}  // namespace reeve

#endif  // REEVE_PROXY_PIN_WATCH_H_
