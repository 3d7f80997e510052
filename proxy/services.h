// What all workers share: each of it is thread-safe and outlives them.
#ifndef REEVE_PROXY_SERVICES_H_
#define REEVE_PROXY_SERVICES_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "policy/limits.h"
#include "proxy/approvals/desk.h"
#include "proxy/awaited.h"
#include "proxy/config.h"
#include "proxy/descriptors.h"
#include "proxy/dial.h"
#include "proxy/issued.h"
#include "proxy/join/session.h"
#include "proxy/journal.h"
#include "proxy/mcp_sessions.h"
#include "proxy/metrics.h"
#include "proxy/pin_watch.h"
#include "proxy/retry_keys.h"
#include "proxy/spend.h"
#include "proxy/stdio/server.h"
#include "proxy/transport.h"

namespace reeve {

// Callers that nobody has proven may knock as often as they like, and must not fill the disk by it:
// ten refusals a second per listener are lines of their own, the rest one counting line.
class KnockLimit {
 public:
  // Whether this refusal is to be recorded as a line of its own.
  bool admit(const std::string& listener, int64_t second);
  // The refusals that got no line, by listener, at most once a second; resets them.
  std::map<std::string, uint64_t> take_suppressed(int64_t second);

 private:
  struct Count {
    int64_t second = 0;
    uint64_t lines = 0;
    uint64_t suppressed = 0;
    int64_t told_second = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Count> counts_;  // guarded by mutex_
};

// How many calls of each agent are under way, on all threads and across new policies, and when the
// last one came.
class AgentCalls {
 public:
  struct Counter {
    std::atomic<int64_t> under_way{0};
    std::atomic<int64_t> last{0};  // policy::Time, as its count; 0: never
  };
  // The same for the same name; lives as long as this. Thread-safe.
  Counter& counter(const std::string& agent);

 private:
  std::mutex mutex_;
  std::map<std::string, Counter> counters_;  // guarded by mutex_; entries never move
};

struct Services {
  const Config& config;
  const DescriptorPlan& descriptors;
  Journal& journal;
  Treasury& treasury;
  std::unique_ptr<approvals::Desk> approvals;
  Metrics& metrics;
  KnockLimit knocks;
  McpSessions sessions;
  join::Shared join{};
  AgentCalls agent_calls;
  std::atomic<int64_t> connections{0};
  std::atomic<bool> draining{false};
  policy::Limits limits{};
  RetryKeys retry_keys{config};
  const DialRules dial{config};
  Lookups lookups;           // of names that agents choose
  Lookups upstream_lookups;  // of names in reeve.yaml
  Transport transport{config};
  stdio::Server stdio{config, {&upstream_lookups, &dial, [this](std::string_view upstream) {
                                 return transport.upstream(upstream);
                               }}};
  PinWatch pins{};
  Issued issued{};
  Awaited awaited{};
  DroppedMessages dropped{};
};

// Records the refusals that got no line before this second, one counting line per listener.
void record_knocks(Services& services, int64_t second, policy::Time now);

}  // namespace reeve

#endif  // REEVE_PROXY_SERVICES_H_
