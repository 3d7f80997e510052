// Tested by tests/proxy/report_test.cc.
#include "policy/drawn.h"

#include <algorithm>

#include "policy/args_reader.h"
#include "policy/compiled.h"

namespace reeve::policy {

DrawnAccounts::DrawnAccounts(const PolicySet& policy, Window period)
    : policy_(policy), period_(period), drawn_(policy.accounts().size()) {
  const auto specs = policy.accounts();
  calendars_.reserve(specs.size());
  const Time last = std::max(period.start, period.end - Time::duration(1));
  for (size_t i = 0; i < specs.size(); ++i) {
    calendars_.push_back(Calendar::of_zone(specs[i].zone).value_or(Calendar()));
    drawn_[i].spec = &specs[i];
    drawn_[i].window = calendars_[i].window(specs[i].period, last);
  }
  const auto& compiled = policy.compiled();
  for (const CompiledAgent& agent : compiled.agent_states) {
    for (const BudgetUse& use : agent.budgets) {
      drawn_[use.account].at_most = compiled.budgets[use.budget].when != nullptr;
    }
  }
}

Time DrawnAccounts::since() const {
  Time since = period_.start;
  for (size_t i = 0; i < drawn_.size(); ++i) {
    since = std::min(since, calendars_[i].window(drawn_[i].spec->period, period_.start).start);
  }
  return since;
}

void DrawnAccounts::add(std::string_view agent, const Call& call, const Taken& taken) {
  const auto id = policy_.find_agent(agent);
  if (!id) return;
  const auto& compiled = policy_.compiled();
  ArgsReader args(call);
  for (const BudgetUse& use : compiled.agent_states[*id].budgets) {
    if (!compiled.budgets[use.budget].covers(call, args)) continue;
    Drawn& drawn = drawn_[use.account];
    const AccountSpec& spec = *drawn.spec;
    const bool fresh = drawn.calls == 0 || call.time >= drawn.window.end;
    if (fresh) {
      const Window window = calendars_[use.account].window(spec.period, call.time);
      if (window.end <= period_.start) continue;
      drawn.window = window;
      drawn.used = 0;
    }
    const Micros amount = spec.unit == Unit::kMoney    ? taken.money
                          : spec.unit == Unit::kTokens ? taken.tokens
                                                       : kMicrosPerUnit;
    ++drawn.calls;
    const bool was_full = drawn.used >= spec.limit;
    drawn.used = checked_add(drawn.used, amount).value_or(drawn.used);
    if (drawn.used >= spec.limit && (fresh || !was_full)) ++drawn.full_windows;
    if (drawn.used < drawn.most) continue;
    drawn.most = drawn.used;
    drawn.fullest = drawn.window;
  }
}

bool DrawnAccounts::covers(uint32_t account, AgentId agent) const {
  const auto& budgets = policy_.compiled().agent_states[agent].budgets;
  return std::any_of(budgets.begin(), budgets.end(),
                     [&](const BudgetUse& use) { return use.account == account; });
}

}  // namespace reeve::policy
