// Adds up the shards into prometheus-cpp's families and lets it write the text.
// Tested by tests/proxy/metrics_test.cc, and by a real Prometheus in tests/e2e.
#include "proxy/metrics.h"

#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>

#include "proxy/metric_family.h"

namespace reeve {
namespace {

using metric::add;
using metric::family;
using metric::label;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kActions[] = {"other",
                                         "GET",
                                         "HEAD",
                                         "POST",
                                         "PUT",
                                         "PATCH",
                                         "DELETE",
                                         "OPTIONS",
                                         "CONNECT",
                                         "initialize",
                                         "server/discover",
                                         "ping",
                                         "tools/list",
                                         "tools/call",
                                         "resources/list",
                                         "resources/templates/list",
                                         "resources/read",
                                         "resources/subscribe",
                                         "resources/unsubscribe",
                                         "prompts/list",
                                         "prompts/get",
                                         "completion/complete",
                                         "logging/setLevel",
                                         "subscriptions/listen",
                                         "tasks/get",
                                         "tasks/update",
                                         "tasks/cancel",
                                         "tasks/result",
                                         "tasks/list",
                                         "notifications/initialized",
                                         "notifications/cancelled",
                                         "notifications/progress",
                                         "notifications/roots/list_changed",
                                         "response",
                                         "sampling/createMessage",
                                         "elicitation/create",
                                         "roots/list"};

constexpr std::string_view kUpstreamErrors[] = {"connect", "timeout", "protocol",
                                                "closed",  "busy",    "tls"};
constexpr std::string_view kDecisions[] = {"allow", "ask", "deny", "malformed", "unknown-agent"};
constexpr uint64_t kUnknownAgent = 4;

// agent 24 bits, upstream 24 bits, action 8 bits, decision 8 bits
uint64_t key_of(Label agent, Label upstream, uint64_t action = 0, uint64_t decision = 0) {
  return (uint64_t{agent} << 40) | (uint64_t{upstream & 0xffffff} << 16) | (action << 8) | decision;
}
Label agent_of(uint64_t key) { return static_cast<Label>(key >> 40); }
Label upstream_of(uint64_t key) { return static_cast<Label>((key >> 16) & 0xffffff); }

// Of tokens: three labels of 21 bits and the direction. There are as many labels as names in the
// policies so far; one beyond is `other`.
constexpr Label kMostLabels = 1u << 21;
uint64_t token_key(Label agent, Label upstream, Label model, uint64_t direction) {
  const auto bits = [](Label label) { return uint64_t{label < kMostLabels ? label : kOtherLabel}; };
  return (bits(agent) << 43) | (bits(upstream) << 22) | (bits(model) << 1) | direction;
}

struct TokenLabels {
  Label agent, upstream, model;
};
TokenLabels token_labels(uint64_t key) {
  const auto part = [key](int shift) {
    return static_cast<Label>((key >> shift) & (kMostLabels - 1));
  };
  return {part(43), part(22), part(1)};
}

template <size_t kBounds>
struct Total {
  std::array<uint64_t, kBounds + 1> buckets{};
  double sum = 0;

  void add(const Histogram<kBounds>& from) {
    for (size_t i = 0; i <= kBounds; ++i) {
      buckets[i] += from.buckets[i].load(std::memory_order_relaxed);
    }
    sum += from.sum.load(std::memory_order_relaxed);
  }

  void write(ClientMetric& to, const std::array<double, kBounds>& bounds) const {
    uint64_t count = 0;
    for (size_t i = 0; i <= kBounds; ++i) {
      count += buckets[i];
      const double bound = i < kBounds ? bounds[i] : std::numeric_limits<double>::infinity();
      to.histogram.bucket.push_back({count, bound});
    }
    to.histogram.sample_count = count;
    to.histogram.sample_sum = sum;
  }
};

struct Totals {
  std::map<uint64_t, uint64_t> calls, spent, errors, tokens;
  struct Pair {
    Total<kDurationBounds.size()> call, upstream;
  };
  std::map<uint64_t, Pair> durations;
  Total<kDecisionBounds.size()> decision;
};

}  // namespace

uint8_t action_index(std::string_view action) {
  for (size_t i = 1; i < std::size(kActions); ++i) {
    if (kActions[i] == action) return static_cast<uint8_t>(i);
  }
  return 0;
}

std::string_view action_name(uint8_t index) {
  return index < std::size(kActions) ? kActions[index] : kActions[0];
}

Metrics::Metrics() : labels_{"other"} { by_name_["other"] = kOtherLabel; }
Metrics::~Metrics() = default;

Label Metrics::intern(std::string_view name) {
  std::lock_guard lock(mutex_);
  const auto [at, fresh] = by_name_.try_emplace(std::string(name), 0);
  if (fresh) {
    at->second = static_cast<Label>(labels_.size());
    labels_.emplace_back(name);
  }
  return at->second;
}

Metrics::Shard& Metrics::add_shard() {
  std::lock_guard lock(mutex_);
  shards_.push_back(std::make_unique<Shard>());
  return *shards_.back();
}

template <class Map>
typename Map::mapped_type::element_type& Metrics::Shard::cell(Map& map, uint64_t key) {
  const auto found = map.find(key);
  if (found != map.end()) return *found->second;
  std::lock_guard lock(insert_);
  auto& slot = map[key];
  slot = std::make_unique<typename Map::mapped_type::element_type>();
  return *slot;
}

namespace {
void bump(std::atomic<uint64_t>& counter, uint64_t by = 1) {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
}  // namespace

void Metrics::Shard::call(Label agent, Label upstream, uint8_t action, policy::Verdict verdict,
                          bool known_agent, double seconds, double upstream_seconds) {
  const uint64_t decision = known_agent ? static_cast<uint64_t>(verdict) : kUnknownAgent;
  bump(cell(calls_, key_of(agent, upstream, action, decision)));
  Durations& durations = cell(durations_, key_of(agent, upstream));
  durations.call.observe(seconds, kDurationBounds);
  if (upstream_seconds >= 0) durations.upstream.observe(upstream_seconds, kDurationBounds);
}

void Metrics::Shard::spent(Label agent, Label upstream, policy::Micros amount) {
  if (amount > 0) bump(cell(spent_, key_of(agent, upstream)), static_cast<uint64_t>(amount));
}

void Metrics::Shard::tokens(Label agent, Label upstream, Label model, uint64_t input,
                            uint64_t output) {
  bump(cell(tokens_, token_key(agent, upstream, model, 0)), input);
  bump(cell(tokens_, token_key(agent, upstream, model, 1)), output);
}

void Metrics::Shard::upstream_error(Label upstream, UpstreamError kind) {
  bump(cell(errors_, key_of(0, upstream, static_cast<uint64_t>(kind))));
}

std::string Metrics::collect(const Gauges& gauges) const {
  Totals totals;
  std::vector<std::string> labels;
  {
    std::lock_guard lock(mutex_);
    labels = labels_;
    for (const auto& shard : shards_) {
      std::lock_guard walk(shard->insert_);
      for (const auto& [key, value] : shard->calls_) totals.calls[key] += *value;
      for (const auto& [key, value] : shard->spent_) totals.spent[key] += *value;
      for (const auto& [key, value] : shard->errors_) totals.errors[key] += *value;
      for (const auto& [key, value] : shard->tokens_) totals.tokens[key] += *value;
      for (const auto& [key, value] : shard->durations_) {
        totals.durations[key].call.add(value->call);
        totals.durations[key].upstream.add(value->upstream);
      }
      totals.decision.add(shard->decision_);
    }
  }
  const auto name = [&](Label at) -> std::string_view {
    return at < labels.size() ? labels[at] : labels[kOtherLabel];
  };
  const auto both = [&](uint64_t key) {
    return std::vector<ClientMetric::Label>{label("agent", name(agent_of(key))),
                                            label("upstream", name(upstream_of(key)))};
  };

  std::vector<MetricFamily> out;
  MetricFamily calls = family("reeve_calls_total", "Calls by decision", MetricType::Counter);
  for (const auto& [key, value] : totals.calls) {
    auto labels_of = both(key);
    labels_of.push_back(label("action", action_name(static_cast<uint8_t>(key >> 8))));
    labels_of.push_back(label("decision", kDecisions[std::min<uint64_t>(key & 0xff, 4)]));
    add(calls, std::move(labels_of)).counter.value = static_cast<double>(value);
  }
  out.push_back(std::move(calls));

  MetricFamily call_time =
      family("reeve_call_duration_seconds", "From a call's head to the end of its answer",
             MetricType::Histogram);
  MetricFamily upstream_time =
      family("reeve_upstream_duration_seconds",
             "From the first byte sent upstream to the last received", MetricType::Histogram);
  for (const auto& [key, value] : totals.durations) {
    value.call.write(add(call_time, both(key)), kDurationBounds);
    value.upstream.write(add(upstream_time, both(key)), kDurationBounds);
  }
  out.push_back(std::move(call_time));
  out.push_back(std::move(upstream_time));
  MetricFamily decision = family("reeve_decision_duration_seconds",
                                 "Time the policy took to decide", MetricType::Histogram);
  totals.decision.write(add(decision, {}), kDecisionBounds);
  out.push_back(std::move(decision));

  MetricFamily errors =
      family("reeve_upstream_errors_total", "Failures of upstreams", MetricType::Counter);
  for (const auto& [key, value] : totals.errors) {
    add(errors, {label("upstream", name(upstream_of(key))),
                 label("kind", kUpstreamErrors[std::min<uint64_t>(
                                   (key >> 8) & 0xff, std::size(kUpstreamErrors) - 1)])})
        .counter.value = static_cast<double>(value);
  }
  out.push_back(std::move(errors));
  MetricFamily spent =
      family("reeve_spend_total", "Settled spend in units of the currency", MetricType::Counter);
  for (const auto& [key, value] : totals.spent) {
    auto labels_of = both(key);
    labels_of.push_back(label("currency", gauges.currency));
    add(spent, std::move(labels_of)).counter.value =
        static_cast<double>(value) / policy::kMicrosPerUnit;
  }
  out.push_back(std::move(spent));
  MetricFamily tokens =
      family("reeve_tokens_total", "Tokens that models took", MetricType::Counter);
  for (const auto& [key, value] : totals.tokens) {
    const TokenLabels of = token_labels(key);
    add(tokens, {label("agent", name(of.agent)), label("upstream", name(of.upstream)),
                 label("model", name(of.model)), label("direction", key & 1 ? "output" : "input")})
        .counter.value = static_cast<double>(value);
  }
  out.push_back(std::move(tokens));
  for (MetricFamily& f : metric::gauge_families(gauges)) out.push_back(std::move(f));
  return prometheus::TextSerializer().Serialize(out);
}

}  // namespace reeve
