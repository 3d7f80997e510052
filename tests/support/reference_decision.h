// The oracle's decisions: what the rules say of a call, who must be asked, what a report-mode rule
// would have said, what a list shows, which guards and limits hold.
//
// Everything is tried, nothing is remembered. Where the description of conditions leaves a case
// open the oracle says so (`disputed`), and nothing is compared there.
#ifndef REEVE_TESTS_SUPPORT_REFERENCE_DECISION_H_
#define REEVE_TESTS_SUPPORT_REFERENCE_DECISION_H_

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/reference_condition.h"
#include "tests/support/reference_policy.h"

namespace reeve::reference {

// ---- two readings

// Whether a key on the way of `steps` has a variant in another case, there or not itself.
inline bool has_variant(const Value& value, const std::vector<std::string>& steps, size_t at = 0) {
  if (at == steps.size()) return false;
  if (value.type == Value::Type::kObject) {
    if (steps[at] == "*") return false;
    for (const auto& [key, member] : value.members) {
      if (key != steps[at] && folded(key) == folded(steps[at])) return true;
      if (key == steps[at] && has_variant(member, steps, at + 1)) return true;
    }
    return false;
  }
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (steps[at] != "*" && steps[at] != std::to_string(i)) continue;
    if (has_variant(value.items[i], steps, at + 1)) return true;
  }
  return false;
}

inline bool has_variant(const Call& call, const std::optional<Condition>& when) {
  if (!when) return false;
  for (const Part& part : *when) {
    if (part.root == "args" && call.args && has_variant(*call.args, part.steps)) return true;
    if (part.root != "query") continue;
    for (const auto& [name, value] : call.query) {
      if (name != part.steps[0] && folded(name) == folded(part.steps[0])) return true;
    }
  }
  return false;
}

class Oracle {
 public:
  Oracle(const Policy& policy, size_t agent, const Call& call)
      : policy_(policy), agent_(policy.agents[agent]), index_(agent), call_(call) {}

  // `deny ID`, `ask ID`, `allow ID`, `deny REASON` or `malformed`. `enforced`: a rule in report
  // mode that is taken for one that is enforced. `granted`: something else grants the call.
  std::string decide(const Rule* enforced = nullptr, bool granted = false) {
    const std::string state = agent_state();
    if (!state.empty()) return "deny " + state;
    if (has_two_readings()) return "malformed";
    return decide_by_rules(enforced, granted);
  }

  // The asks that must be satisfied, in file order. Of a call that is asked for.
  std::vector<const Rule*> asks() {
    std::vector<const Rule*> result;
    for (const Rule* rule : matching("ask", nullptr)) {
      if (truth_of(rule->when) != Truth::kFalse) result.push_back(rule);
    }
    return result;
  }

  // The first report-mode rule with which, were it enforced, another verdict would come out.
  std::string reported() {
    const std::string decision = decide();
    if (!agent_state().empty() || decision == "malformed") return "";
    for (const Rule* rule : rules_of(policy_, index_)) {
      if (rule->report && verdict_of(decide(rule)) != verdict_of(decision)) return rule->id;
    }
    return "";
  }

  // Whether a list shows it: some call on this target could be allowed or asked for.
  bool could_allow() {
    if (!agent_state().empty()) return false;
    if (policy_.report) return true;
    for (const Rule* rule : matching("deny", nullptr)) {
      if (!rule->when) return false;
    }
    return !matching("ask", nullptr).empty() || !matching("allow", nullptr).empty();
  }

  // Whether it may use the upstream at all: something is granted there, and not all denied.
  bool may_use() const {
    if (!agent_state().empty()) return false;
    bool granted = false;
    for (const Rule* rule : rules_of(policy_, index_)) {
      if (rule->report || rule->selector.kind == "connect" || !holds_on(*rule, call_.day)) continue;
      if (!covers_upstream(rule->selector, call_.upstream)) continue;
      if (rule->effect != "deny") granted = true;
      if (rule->effect == "deny" && rule->selector.kind.empty() && !rule->when) return false;
    }
    return granted;
  }

  // Names, in the policy's order.
  std::vector<std::string> guards() {
    std::set<std::string> names;
    for (const Role* role : roles_of(policy_, index_)) {
      names.insert(role->guards.begin(), role->guards.end());
    }
    for (const char* effect : {"deny", "ask", "allow"}) {
      for (const Rule* rule : matching(effect, nullptr)) {
        if (truth_of(rule->when) == Truth::kFalse) continue;
        names.insert(rule->guards.begin(), rule->guards.end());
      }
    }
    std::vector<std::string> result;
    for (const std::string& guard : policy_.guards) {
      if (names.contains(guard)) result.push_back(guard);
    }
    return result;
  }

  // As written, with those of probation while it lasts.
  std::vector<std::string> limits() const {
    std::vector<std::string> result;
    for (const Role* role : roles_of(policy_, index_)) {
      result.insert(result.end(), role->limits.begin(), role->limits.end());
    }
    if (call_.day <= agent_.probation_until) {
      result.insert(result.end(), agent_.probation.begin(), agent_.probation.end());
    }
    return result;
  }

  // Of a call that a dispatch tool makes, whose own oracle is `inner`.
  std::string decide_around(Oracle& inner) {
    const std::string decision = inner.decide();
    if (!agent_state().empty() || decision == "malformed") return decision;
    if (has_two_readings()) return "malformed";
    const bool granted = verdict_of(decision) != "deny";
    const std::string around = decide_by_rules(nullptr, granted);
    if (around != "deny default" && verdict_of(around) == "deny") return around;
    return verdict_of(decision) == "allow" && verdict_of(around) == "ask" ? around : decision;
  }

  static std::string verdict_of(const std::string& decision) {
    return decision.substr(0, decision.find(' '));
  }

  Truth truth_of(const std::optional<Condition>& when) {
    if (!when) return Truth::kTrue;
    Judge judge;
    const Truth truth = judge.all_of(
        *when, call_.args ? *call_.args : Value{}, [&](const Part& part) { return field(part); },
        [&](const Part& part) { return time(part); });
    disputed_ = disputed_ || judge.disputed();
    doubts_ += truth == Truth::kDoubt;
    return truth;
  }

  bool disputed() const { return disputed_; }
  size_t doubts() const { return doubts_; }  // conditions that came out in doubt

  std::string agent_state() const {
    if (agent_.status == "suspended" || agent_.status == "retired") return agent_.status;
    return agent_.expires != 0 && call_.day > agent_.expires ? "expired" : "";
  }

  // Whether a rule, price or budget that selects the call and holds today reads a key that has a
  // variant. A rule in report mode does not: it changes no decision.
  bool has_two_readings() const {
    for (const Rule* rule : rules_of(policy_, index_)) {
      if (rule->report || !holds_on(*rule, call_.day) || !selects(*rule, call_)) continue;
      if (has_variant(call_, rule->when)) return true;
    }
    for (const Price* price : prices_on(policy_, call_.day)) {
      if (!selects(price->selector, call_, false)) continue;
      if (has_variant(call_, price->when)) return true;
      const bool reads = price->from == Price::From::kArgs && call_.args;
      if (reads && has_variant(*call_.args, price->value)) return true;
    }
    for (const Budget& budget : policy_.budgets) {
      if (scope_of(policy_, budget, index_).empty()) continue;
      if (selects(budget.selector, call_, false) && has_variant(call_, budget.when)) return true;
    }
    return false;
  }

 private:
  // What is enforced, selects the call and holds today, conditions aside.
  std::vector<const Rule*> matching(const std::string& effect, const Rule* enforced) const {
    std::vector<const Rule*> result;
    for (const Rule* rule : rules_of(policy_, index_)) {
      if (rule->effect != effect || (rule->report && rule != enforced)) continue;
      if (holds_on(*rule, call_.day) && selects(*rule, call_)) result.push_back(rule);
    }
    return result;
  }

  std::string decide_by_rules(const Rule* enforced, bool granted) {
    for (const Rule* rule : matching("deny", enforced)) {
      if (truth_of(rule->when) != Truth::kFalse) return "deny " + rule->id;
    }
    const Rule* allow = nullptr;
    for (const Rule* rule : matching("allow", enforced)) {
      if (!allow && truth_of(rule->when) == Truth::kTrue) allow = rule;
    }
    const Rule* ask = nullptr;  // true or in doubt
    bool asks_surely = false;
    for (const Rule* rule : matching("ask", enforced)) {
      const Truth truth = truth_of(rule->when);
      if (!ask && truth != Truth::kFalse) ask = rule;
      asks_surely = asks_surely || truth == Truth::kTrue;
    }
    // In doubt it holds what something grants, and grants nothing itself.
    if (ask && (asks_surely || allow || granted)) return "ask " + ask->id;
    return allow ? "allow " + allow->id : "deny default";
  }

  // What is no argument: absent, one, or a list of several.
  Value field(const Part& part) const {
    if (part.root == "model") {
      Value model;
      if (call_.kind == "models") model.type = Value::Type::kText;
      model.text = call_.target;
      return model;
    }
    Value list;
    list.type = Value::Type::kList;
    list.fanned = true;
    const bool header = part.root == "header";
    for (const auto& [name, text] : header ? call_.headers : call_.query) {
      if ((header ? folded(name) : name) != part.steps[0]) continue;
      Value item;
      item.type = Value::Type::kText;
      item.text = text;
      item.from_field = true;
      list.items.push_back(item);
    }
    if (list.items.empty()) return {};
    if (list.items.size() > 1) return list;
    list.items[0].alone = true;
    return list.items[0];
  }

  // The generator writes `mon-fri` alone, and hours from 00, 06 or 12 to 12 or 24. January 2026
  // begins on a Thursday.
  Truth time(const Part& part) const {
    const int weekday = (call_.day + 2) % 7;  // Monday is 0
    if (!part.days.empty() && weekday > 4) return Truth::kFalse;
    if (part.hours.empty()) return Truth::kTrue;
    const int minute = call_.moment == Call::Moment::kFirst  ? 0
                       : call_.moment == Call::Moment::kNoon ? 12 * 60
                                                             : 24 * 60 - 1;
    const int from = std::stoi(part.hours.substr(0, 2)) * 60;
    const int to = std::stoi(part.hours.substr(6, 2)) * 60;
    return from <= minute && minute < to ? Truth::kTrue : Truth::kFalse;
  }

  const Policy& policy_;
  const Agent& agent_;
  const size_t index_;
  const Call& call_;
  bool disputed_ = false;
  size_t doubts_ = 0;
};

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_REFERENCE_DECISION_H_
