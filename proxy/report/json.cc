// The report as JSON. Tested by tests/proxy/report_test.cc.
#include "policy/json.h"

#include <fmt/format.h>

#include "proxy/clock.h"
#include "proxy/report/text.h"
#include "proxy/report/words.h"

namespace reeve::report {
namespace {

// Objects and lists with their commas.
class Writer {
 public:
  Writer& key(std::string_view name) {
    comma();
    json::append_string(out_, name);
    out_ += ':';
    return *this;
  }
  Writer& open(char bracket) {
    comma();
    out_ += bracket;
    return *this;
  }
  Writer& close(char bracket) {
    out_ += bracket;
    return *this;
  }
  void text(std::string_view value) {
    comma();
    json::append_string(out_, value);
  }
  void raw(std::string_view value) {
    comma();
    out_ += value;
  }
  void number(uint64_t value) { raw(fmt::format("{}", value)); }
  void part(double value) { raw(fmt::format("{:.6f}", value)); }
  std::string take() { return std::move(out_); }

 private:
  void comma() {
    if (!out_.empty() && std::string_view("{[:").find(out_.back()) == std::string_view::npos)
      out_ += ',';
  }
  std::string out_;
};

void write(Writer& w, const policy::Window& window) {
  w.open('{').key("from").text(format_time(window.start));
  w.key("to").text(format_time(window.end));
  w.close('}');
}

void write(Writer& w, const Counts& counts) {
  w.open('{').key("calls").number(counts.calls);
  w.key("succeeded").number(counts.succeeded);
  w.key("failed").number(counts.failed);
  w.key("withheld").number(counts.withheld);
  w.key("denied").number(counts.denied);
  w.key("waiting").number(counts.waiting);
  w.key("overlooked").number(counts.overlooked);
  w.key("guarded").number(counts.guarded);
  w.key("success_rate").part(part(counts.succeeded, counts.answered()));
  w.key("error_rate").part(error_rate(counts));
  w.key("denial_rate").part(denial_rate(counts));
  w.key("spent").raw(policy::format_decimal(counts.spent));
  w.key("tokens").number(counts.tokens);
  w.key("denied_by").open('{');
  static constexpr std::string_view kNames[kDeniedKinds] = {
      "rule",  "default", "budget", "limit",     "approval",
      "guard", "state",   "drift",  "malformed", "other"};
  for (size_t i = 0; i < kDeniedKinds; ++i)
    if (counts.why[i] > 0) w.key(kNames[i]).number(counts.why[i]);
  w.close('}').close('}');
}

// Milliseconds.
void write(Writer& w, const Latency& latency) {
  w.open('{').key("calls").number(latency.count());
  w.key("p50_ms").raw(fmt::format("{:.3f}", static_cast<double>(latency.quantile(0.5)) / 1e3));
  w.key("p95_ms").raw(fmt::format("{:.3f}", static_cast<double>(latency.quantile(0.95)) / 1e3));
  w.close('}');
}

void write(Writer& w, const Approvals& approvals) {
  w.open('{').key("asked").number(approvals.asked);
  w.key("approved").number(approvals.approved);
  w.key("denied").number(approvals.denied);
  w.key("expired").number(approvals.expired);
  w.key("rate").part(part(approvals.approved, approvals.answered()));
  w.key("wait");
  write(w, approvals.wait);
  w.close('}');
}

void write(Writer& w, const Tools& tools) {
  w.open('[');
  for (const auto& [name, tool] : tools) {
    w.open('{').key("tool").text(name);
    w.key("calls").number(tool.calls);
    w.key("before").number(tool.before);
    w.key("failed").number(tool.failed);
    w.key("denied").number(tool.denied);
    w.key("spent").raw(policy::format_decimal(tool.spent));
    w.close('}');
  }
  w.close(']');
}

void write(Writer& w, const Collector& collected, const Agent& agent) {
  w.open('{').key("agent").text(agent.name);
  w.key("owner").text(agent.owner);
  w.key("team").text(agent.team);
  w.key("now");
  write(w, agent.now);
  w.key("before");
  write(w, agent.before);
  w.key("latency");
  write(w, agent.latency);
  w.key("latency_before");
  write(w, agent.latency_before);
  w.key("approvals");
  write(w, agent.approvals);
  const Shift shift = shift_of(agent.tools);
  if (shift.comparable) {
    w.key("shift").part(shift.size);
    w.key("shift_by_chance").part(shift.chance);
  }
  const auto id = collected.policy() ? collected.policy()->find_agent(agent.name) : std::nullopt;
  if (id) {
    const auto held = collected.usage()->held_by(*id);
    w.key("grants").number(held.grants);
    w.key("grants_used").number(held.used);
  }
  w.key("tools");
  write(w, agent.tools);
  w.close('}');
}

void write_budgets(Writer& w, const Collector& collected) {
  w.key("budgets").open('[');
  for (const BudgetState& state : budgets_of(collected)) {
    const policy::Drawn& drawn = *state.drawn;
    w.open('{').key("budget").text(drawn.spec->budget);
    w.key("scope").text(drawn.spec->scope);
    w.key("unit").text(state.unit);
    w.key("period").text(policy::to_string(drawn.spec->period));
    w.key("limit").raw(policy::format_decimal(drawn.spec->limit));
    w.key("used").raw(policy::format_decimal(drawn.used));
    w.key("most").raw(policy::format_decimal(drawn.most));
    w.key("full_windows").number(drawn.full_windows);
    w.key("at_most").raw(drawn.at_most ? "true" : "false");
    if (drawn.spec->period != policy::Period::kTotal) {
      w.key("window");
      write(w, drawn.window);
    }
    w.key("expected").part(state.expected);
    w.close('}');
  }
  w.close(']');
}

void write_grants(Writer& w, const Collector& collected) {
  w.key("unused_grants").open('[');
  for (const auto& [rule, use] : collected.usage()->grants()) {
    const auto patterns = collected.usage()->unused_patterns(*rule);
    if (use->calls > 0 && patterns.empty()) continue;
    w.open('{').key("rule").text(rule->id);
    w.key("at").text(to_string(rule->at));
    w.key("whole").raw(use->calls == 0 ? "true" : "false");
    w.key("unused").open('[');
    for (const std::string& pattern : patterns) w.text(pattern);
    w.close(']').close('}');
  }
  w.close(']');
}

void write_tables(Writer& w, const Collector& collected) {
  const Tally& tally = collected.tally();
  w.key("parts").open('[');
  for (size_t i = 0; i < tally.by_part.size(); ++i) {
    w.open('{').key("from").text(format_time(tally.parts.begins[i]));
    w.key("counts");
    write(w, tally.by_part[i].counts);
    w.key("latency");
    write(w, tally.by_part[i].latency);
    w.close('}');
  }
  w.close(']').key("agents").open('[');
  for (const Agent& agent : tally.agents) write(w, collected, agent);
  w.close(']').key("teams").open('[');
  for (const Team& team : tally.teams) {
    w.open('{').key("team").text(team.name);
    w.key("agents").number(team.agents);
    w.key("now");
    write(w, team.now);
    w.key("before");
    write(w, team.before);
    w.key("latency");
    write(w, team.latency);
    w.key("approvals");
    write(w, team.approvals);
    w.close('}');
  }
  w.close(']').key("systems").open('[');
  for (const auto& [name, system] : tally.systems) {
    w.open('{').key("system").text(name);
    w.key("now");
    write(w, system.now);
    w.key("latency");
    write(w, system.latency);
    w.close('}');
  }
  w.close(']').key("refusals").open('[');
  for (const Refusal& refusal : tally.refusals) {
    w.open('{').key("rule").text(refusal.rule);
    w.key("at").text(refusal.at);
    w.key("why").text(to_string(refusal.why));
    w.key("calls").number(refusal.calls);
    w.key("agents").number(refusal.agents.size());
    w.close('}');
  }
  w.close(']').key("people").open('[');
  for (const auto& [name, person] : tally.people) {
    w.open('{').key("person").text(name);
    w.key("yes").number(person.yes);
    w.key("no").number(person.no);
    w.key("wait");
    write(w, person.wait);
    w.close('}');
  }
  w.close(']');
  for (const auto& [name, map] :
       {std::pair{"errors", &tally.errors}, {"found", &tally.found}, {"lines", &tally.kinds}}) {
    w.key(name).open('{');
    for (const auto& [what, times] : *map) w.key(what).number(times);
    w.close('}');
  }
}

void write_source(Writer& w, const Collector& collected) {
  const Tally& tally = collected.tally();
  w.key("record").open('{').key("lines").number(tally.source.lines);
  w.key("first_seq").number(tally.source.first_seq);
  w.key("last_seq").number(tally.source.last_seq);
  w.key("first_time").text(tally.source.first_time);
  w.key("last_time").text(tally.source.last_time);
  w.key("last_hash").text(tally.source.last_hash);
  w.key("protocol").number(tally.protocol);
  w.key("unproven").number(tally.unproven);
  w.key("unrecorded").number(tally.unrecorded);
  w.close('}').key("policies").open('[');
  for (const PolicyVersion& version : tally.policies) {
    w.open('{').key("sha256").text(version.sha256);
    w.key("first").text(format_time(version.first));
    w.key("last").text(format_time(version.last));
    w.key("calls").number(version.calls);
    w.close('}');
  }
  w.close(']');
}

}  // namespace

std::string json_of(const Collector& collected, const std::vector<Finding>& findings) {
  const Tally& tally = collected.tally();
  Writer w;
  w.open('{').key("period").text(title_of(collected));
  w.key("zone").text(tally.range.zone);
  w.key("now");
  write(w, tally.range.now);
  w.key("before");
  write(w, tally.range.before);
  w.key("currency").text(currency_of(collected));
  w.key("total").open('{').key("now");
  write(w, tally.now);
  w.key("before");
  write(w, tally.before);
  w.key("latency");
  write(w, tally.latency);
  w.key("latency_before");
  write(w, tally.latency_before);
  w.key("approvals");
  write(w, tally.approvals);
  w.close('}').key("attention").open('[');
  for (const Finding& finding : findings) {
    w.open('{').key("topic").text(finding.topic);
    w.key("urgent").raw(finding.urgent ? "true" : "false");
    w.key("subject").text(finding.subject);
    w.key("headline").text(finding.headline);
    w.key("detail").text(finding.detail);
    w.close('}');
  }
  w.close(']');
  if (collected.policy()) {
    write_budgets(w, collected);
    if (collected.filter().empty()) write_grants(w, collected);
  }
  write_tables(w, collected);
  w.key("tools");
  write(w, tally.tools);
  write_source(w, collected);
  w.close('}');
  return w.take();
}

}  // namespace reeve::report
