// Families of what is read off the sidecar's state. Tested by tests/proxy/metrics_test.cc.
#include <limits>

#include "proxy/metric_family.h"
#include "proxy/version.h"

namespace reeve::metric {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void add_approvals(std::vector<MetricFamily>& out, const approvals::Counts& counts) {
  MetricFamily verdicts = family(
      "reeve_approvals_total", "Questions to people and what became of them", MetricType::Counter);
  for (const auto& [key, value] : counts.verdicts) {
    add(verdicts, {label("agent", key.first), label("verdict", key.second)}).counter.value =
        static_cast<double>(value);
  }
  out.push_back(std::move(verdicts));
  MetricFamily pending =
      family("reeve_approvals_pending", "Questions that nobody has answered", MetricType::Gauge);
  add(pending, {}).gauge.value = static_cast<double>(counts.pending);
  out.push_back(std::move(pending));
  MetricFamily wait =
      family("reeve_approval_wait_seconds",
             "From a question to its yes, its no or the end of its time", MetricType::Histogram);
  auto& histogram = add(wait, {}).histogram;
  uint64_t seen = 0;
  for (size_t i = 0; i < counts.waits.size(); ++i) {
    seen += counts.waits[i];
    const double bound = i < approvals::kWaitBounds.size()
                             ? approvals::kWaitBounds[i]
                             : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({seen, bound});
  }
  histogram.sample_count = seen;
  histogram.sample_sum = counts.wait_sum;
  out.push_back(std::move(wait));
}

void add_sinks(std::vector<MetricFamily>& out, const std::vector<SinkGauge>& sinks) {
  struct Column {
    const char* name;
    const char* help;
    uint64_t SinkGauge::* value;
  };
  static constexpr Column kColumns[] = {
      {"reeve_audit_sink_delivered_total", "Lines that the sink took", &SinkGauge::delivered},
      {"reeve_audit_sink_errors_total", "Deliveries that failed", &SinkGauge::errors},
      {"reeve_audit_sink_dropped_total",
       "Lines that the sink never gets: deleted before it had them, or too large for it",
       &SinkGauge::dropped}};
  for (const Column& column : kColumns) {
    MetricFamily f = family(column.name, column.help, MetricType::Counter);
    for (const SinkGauge& sink : sinks) {
      add(f, {label("sink", sink.sink)}).counter.value = static_cast<double>(sink.*column.value);
    }
    out.push_back(std::move(f));
  }
  MetricFamily lag = family("reeve_audit_sink_lag_lines", "Lines that the sink does not have yet",
                            MetricType::Gauge);
  MetricFamily up =
      family("reeve_audit_sink_up", "1 while the sink takes lines", MetricType::Gauge);
  for (const SinkGauge& sink : sinks) {
    add(lag, {label("sink", sink.sink)}).gauge.value = static_cast<double>(sink.lag);
    add(up, {label("sink", sink.sink)}).gauge.value = sink.up ? 1 : 0;
  }
  out.push_back(std::move(lag));
  out.push_back(std::move(up));
}

void add_drift(std::vector<MetricFamily>& out, const Gauges& g) {
  MetricFamily changes =
      family("reeve_drift_total", "Tools and instructions found other than their lock",
             MetricType::Counter);
  MetricFamily drifted =
      family("reeve_drifted_tools", "Tools that are now other than their lock", MetricType::Gauge);
  MetricFamily hidden =
      family("reeve_hidden_text_total", "Texts of servers found with characters that do not show",
             MetricType::Counter);
  for (const DriftGauge& drift : g.drifts) {
    for (const auto& [kind, count] : drift.changes) {
      add(changes, {label("upstream", drift.upstream), label("kind", kind)}).counter.value =
          static_cast<double>(count);
    }
    add(drifted, {label("upstream", drift.upstream)}).gauge.value =
        static_cast<double>(drift.drifted);
    add(hidden, {label("upstream", drift.upstream)}).counter.value =
        static_cast<double>(drift.hidden);
  }
  MetricFamily reloads =
      family("reeve_pin_reloads_total", "Locks of servers read again", MetricType::Counter);
  add(reloads, {label("result", "ok")}).counter.value = static_cast<double>(g.pin_reloads_ok);
  add(reloads, {label("result", "error")}).counter.value =
      static_cast<double>(g.pin_reloads_failed);
  for (MetricFamily* each : {&changes, &drifted, &hidden, &reloads})
    out.push_back(std::move(*each));
}

}  // namespace

std::vector<MetricFamily> gauge_families(const Gauges& g) {
  std::vector<MetricFamily> out;
  struct Column {
    const char* name;
    const char* help;
    double BudgetGauge::* value;
  };
  static constexpr Column kColumns[] = {
      {"reeve_budget_limit", "The most that may be spent in the window, in units of the budget",
       &BudgetGauge::limit},
      {"reeve_budget_used", "Settled in the running window", &BudgetGauge::used},
      {"reeve_budget_reserved", "Reserved by calls in flight", &BudgetGauge::reserved},
      {"reeve_budget_reset_timestamp_seconds", "When the window turns over", &BudgetGauge::resets}};
  static constexpr Column kShared[] = {
      {"reeve_budget_leased", "What this sidecar may use without asking the fleet",
       &BudgetGauge::leased},
      {"reeve_budget_used_by_all", "Used by all sidecars of the fleet, or leased to the others",
       &BudgetGauge::used_by_all}};
  std::vector<Column> columns(std::begin(kColumns), std::end(kColumns));
  if (g.fleet) columns.insert(columns.end(), std::begin(kShared), std::end(kShared));
  for (const Column& column : columns) {
    MetricFamily f = family(column.name, column.help, MetricType::Gauge);
    for (const BudgetGauge& budget : g.budgets) {
      add(f, {label("budget", budget.budget), label("scope", budget.scope)}).gauge.value =
          budget.*column.value;
    }
    out.push_back(std::move(f));
  }
  if (g.fleet) {
    MetricFamily up =
        family("reeve_fleet_up", "1 while the fleet's database answers", MetricType::Gauge);
    add(up, {}).gauge.value = g.fleet->up ? 1 : 0;
    out.push_back(std::move(up));
    MetricFamily members =
        family("reeve_fleet_members", "Sidecars that share the budgets", MetricType::Gauge);
    add(members, {}).gauge.value = static_cast<double>(g.fleet->members);
    out.push_back(std::move(members));
  }
  MetricFamily agents =
      family("reeve_agent_state", "1 for the state the agent is in", MetricType::Gauge);
  for (const AgentGauge& agent : g.agents) {
    add(agents, {label("agent", agent.agent), label("state", agent.state)}).gauge.value = 1;
  }
  out.push_back(std::move(agents));
  MetricFamily info_of = family("reeve_agent_info", "Whose each agent is", MetricType::Gauge);
  for (const AgentGauge& agent : g.agents) {
    add(info_of,
        {label("agent", agent.agent), label("team", agent.team), label("owner", agent.owner)})
        .gauge.value = 1;
  }
  out.push_back(std::move(info_of));
  MetricFamily upstreams = family(
      "reeve_upstream_up", "1 while some address of the upstream answers", MetricType::Gauge);
  for (const UpstreamGauge& upstream : g.upstreams) {
    add(upstreams, {label("upstream", upstream.upstream)}).gauge.value = upstream.up ? 1 : 0;
  }
  out.push_back(std::move(upstreams));

  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    MetricFamily f = family(name, help, MetricType::Counter);
    add(f, {}).counter.value = static_cast<double>(value);
    out.push_back(std::move(f));
  };
  counter("reeve_audit_lines_total", "Lines written to the record", g.audit_lines);
  counter("reeve_audit_errors_total", "Lines that could not be written", g.audit_errors);
  MetricFamily reloads =
      family("reeve_policy_reloads_total", "Reloads of the policy", MetricType::Counter);
  add(reloads, {label("result", "ok")}).counter.value = static_cast<double>(g.reloads_ok);
  add(reloads, {label("result", "error")}).counter.value = static_cast<double>(g.reloads_failed);
  out.push_back(std::move(reloads));

  MetricFamily certificates =
      family("reeve_tls_reloads_total", "Reloads of certificates, a listener or upstream each",
             MetricType::Counter);
  add(certificates, {label("result", "ok")}).counter.value = static_cast<double>(g.tls_reloads_ok);
  add(certificates, {label("result", "error")}).counter.value =
      static_cast<double>(g.tls_reloads_failed);
  out.push_back(std::move(certificates));

  add_drift(out, g);
  MetricFamily dropped =
      family("reeve_mcp_dropped_total",
             "Messages of MCP servers that were not passed on: nothing had asked for them",
             MetricType::Counter);
  for (const DroppedGauge& each : g.dropped) {
    for (const auto& [kind, count] : each.kinds) {
      add(dropped, {label("upstream", each.upstream), label("kind", kind)}).counter.value =
          static_cast<double>(count);
    }
  }
  out.push_back(std::move(dropped));
  add_sinks(out, g.sinks);

  MetricFamily handshakes = family("reeve_tls_handshake_errors_total",
                                   "TLS handshakes of agents that failed", MetricType::Counter);
  add(handshakes, {}).counter.value = static_cast<double>(g.tls_handshakes_failed);
  out.push_back(std::move(handshakes));
  MetricFamily info = family("reeve_policy_info", "The policy in force", MetricType::Gauge);
  add(info, {label("sha256", g.policy_sha256)}).gauge.value = 1;
  out.push_back(std::move(info));
  MetricFamily connections =
      family("reeve_connections", "Open connections of agents", MetricType::Gauge);
  add(connections, {}).gauge.value = static_cast<double>(g.connections);
  out.push_back(std::move(connections));
  MetricFamily build = family("reeve_build_info", "This build of reeve", MetricType::Gauge);
  add(build, {label("version", kVersion)}).gauge.value = 1;
  out.push_back(std::move(build));
  add_approvals(out, g.approvals);
  return out;
}

}  // namespace reeve::metric
