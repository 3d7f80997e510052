// Counters of the proxy, counted per thread and added up when Prometheus scrapes.
//
// prometheus-cpp's own counters and histograms contend between threads, so each thread counts in a
// Shard that only it writes; prometheus-cpp formats what collect() adds up. Label values come from
// the policy, the configuration and fixed lists only, all else is `other`: no caller can grow them.
#ifndef REEVE_PROXY_METRICS_H_
#define REEVE_PROXY_METRICS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/decision.h"
#include "policy/money.h"
#include "proxy/approvals/counts.h"

namespace reeve {

using Label = uint32_t;  // an interned label value
inline constexpr Label kOtherLabel = 0;

enum class UpstreamError : uint8_t { kConnect, kTimeout, kProtocol, kClosed, kBusy, kTls };

// What collect() reads besides the shards.
struct BudgetGauge {
  std::string budget, scope;
  double limit = 0, used = 0, reserved = 0, resets = 0;
  double leased = 0, used_by_all = 0;  // of a fleet
};
struct FleetGauge {
  bool up = false;
  size_t members = 0;
};
struct AgentGauge {
  std::string agent, state, team, owner;
};
struct UpstreamGauge {
  std::string upstream;
  bool up = true;
};
struct DriftGauge {
  std::string upstream;
  std::vector<std::pair<std::string, uint64_t>> changes;  // by kind, of a fixed list
  uint64_t hidden = 0;
  size_t drifted = 0;
};
// Messages of an MCP server that were not passed on, by kind, of a fixed list.
struct DroppedGauge {
  std::string upstream;
  std::vector<std::pair<std::string, uint64_t>> kinds;
};
struct SinkGauge {
  std::string sink;
  uint64_t lag = 0, delivered = 0, errors = 0, dropped = 0;
  bool up = true;
};
struct Gauges {
  std::string policy_sha256;
  std::vector<BudgetGauge> budgets;
  std::vector<AgentGauge> agents;
  std::vector<UpstreamGauge> upstreams;
  uint64_t audit_lines = 0, audit_errors = 0;
  std::vector<SinkGauge> sinks;
  uint64_t reloads_ok = 0, reloads_failed = 0;
  uint64_t tls_reloads_ok = 0, tls_reloads_failed = 0, tls_handshakes_failed = 0;
  int64_t connections = 0;
  std::vector<DriftGauge> drifts;
  std::vector<DroppedGauge> dropped;
  uint64_t pin_reloads_ok = 0, pin_reloads_failed = 0;
  std::string currency;
  approvals::Counts approvals;
  std::optional<FleetGauge> fleet;
};

class Metrics {
 public:
  class Shard;

  Metrics();
  ~Metrics();

  // A label for a name of the policy or configuration; the same name gives the same label.
  Label intern(std::string_view name);

  // A shard for one thread, which alone may write to it. Lives as long as the Metrics.
  Shard& add_shard();

  // The text format of Prometheus. Thread-safe.
  std::string collect(const Gauges& gauges) const;

 private:
  mutable std::mutex mutex_;  // protects the two below
  std::vector<std::string> labels_;
  std::unordered_map<std::string, Label> by_name_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

// Upper bounds in seconds; the last bucket is +Inf.
inline constexpr std::array<double, 16> kDurationBounds = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
    0.025,   0.05,   0.1,     0.25,   0.5,   1.0,    5.0,   30.0};
inline constexpr std::array<double, 8> kDecisionBounds = {
    0.0000001, 0.00000025, 0.0000005, 0.000001, 0.0000025, 0.000005, 0.00001, 0.0001};

// Written by one thread, read by any.
template <size_t kBounds>
struct Histogram {
  std::array<std::atomic<uint64_t>, kBounds + 1> buckets{};
  std::atomic<double> sum{0};

  void observe(double value, const std::array<double, kBounds>& bounds) {
    size_t i = 0;
    while (i < kBounds && value > bounds[i]) ++i;
    buckets[i].store(buckets[i].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    sum.store(sum.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
};

// Which `action` values are labels of their own: HTTP and MCP methods; index 0 is `other`.
uint8_t action_index(std::string_view action);
std::string_view action_name(uint8_t index);

class Metrics::Shard {
 public:
  // One finished call. `upstream_seconds` is negative when nothing was forwarded.
  void call(Label agent, Label upstream, uint8_t action, policy::Verdict verdict, bool known_agent,
            double seconds, double upstream_seconds);
  void spent(Label agent, Label upstream, policy::Micros amount);
  void tokens(Label agent, Label upstream, Label model, uint64_t input, uint64_t output);
  void decided(double seconds) { decision_.observe(seconds, kDecisionBounds); }
  void upstream_error(Label upstream, UpstreamError kind);

 private:
  friend class Metrics;
  struct Durations {
    Histogram<kDurationBounds.size()> call, upstream;
  };
  using Counter = std::atomic<uint64_t>;

  template <class Map>
  typename Map::mapped_type::element_type& cell(Map& map, uint64_t key);

  // The owner looks up without the lock (only it inserts); it locks to insert, readers lock to
  // walk.
  mutable std::mutex insert_;
  std::unordered_map<uint64_t, std::unique_ptr<Counter>> calls_;
  std::unordered_map<uint64_t, std::unique_ptr<Counter>> spent_;
  std::unordered_map<uint64_t, std::unique_ptr<Counter>> errors_;
  std::unordered_map<uint64_t, std::unique_ptr<Counter>> tokens_;
  std::unordered_map<uint64_t, std::unique_ptr<Durations>> durations_;
  Histogram<kDecisionBounds.size()> decision_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_METRICS_H_
