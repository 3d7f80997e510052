// The compiled policy: plain tables that never change once built. Internal to the library, and to
// the tools that explain it.
//
// Rules lie in the order in which they decide: deny, ask, allow, each in file order; so a set of
// rules is an ascending list of indexes, and the lowest index that matches is the decision. Agents
// with the same roles share one role set; for each role set and upstream there is one Table.
#ifndef REEVE_POLICY_COMPILED_H_
#define REEVE_POLICY_COMPILED_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/args_reader.h"
#include "policy/budget.h"
#include "policy/condition.h"
#include "policy/decision.h"
#include "policy/matcher.h"
#include "policy/name_index.h"
#include "policy/policy_set.h"
#include "policy/selector.h"

namespace reeve::policy {

// Lets maps with std::string keys be asked with views, without allocating.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

struct CompiledRule {
  RuleInfo info;
  CompiledSelector selector;
  Time until = Time::max();                 // the first moment at which it no longer holds
  std::shared_ptr<const Condition> when;    // null: always
  std::vector<std::string> upstream_texts;  // as written, for tools
  std::vector<std::string> pattern_texts;
  std::vector<std::string> except_texts;

  bool holds_at(Time now) const { return now < until; }
  // Whether the rule matches a call that it selects. Doubt never widens access: it lets a deny or
  // an ask match, and no allow.
  bool applies(const Call& call) const {
    ArgsReader args(call.args);
    return applies(call, args);
  }
  bool applies(const Call& call, ArgsReader& args) const {
    if (!holds_at(call.time)) return false;
    if (!when) return true;
    const Truth truth = when->evaluate(call, args);
    return info.effect == Effect::kAllow ? truth == Truth::kTrue : truth != Truth::kFalse;
  }
};

// Whether the rule reads values by name that a call may hold twice, but for case.
inline bool reads_names(const CompiledRule& rule) {
  return rule.when &&
         (rule.when->reads(ValueRef::Root::kArgs) || rule.when->reads(ValueRef::Root::kQuery));
}

// Whether the rule reads the JSON body of HTTP calls.
inline bool reads_body(const CompiledRule& rule) {
  const SelectorKind kind = rule.selector.kind();
  return (kind == SelectorKind::kHttp || kind == SelectorKind::kAll) && rule.when &&
         rule.when->reads(ValueRef::Root::kArgs);
}

struct CompiledPrice {
  RuleInfo info;  // id is prices[N]
  CompiledSelector selector;
  Micros cost = 0;
};

struct CompiledBudget {
  std::string name;
  CompiledSelector selector;
  Unit unit = Unit::kMoney;
};

// A budget that covers an agent, and the account that it draws on there.
struct BudgetUse {
  uint32_t budget = 0;  // in Compiled::budgets
  uint32_t account = 0;
};

struct CompiledAgent {
  uint32_t role_set = 0;
  Reason refused = Reason::kDefault;  // kSuspended or kRetired; else kDefault
  Time expires = Time::max();         // the first moment at which it is refused
  std::vector<BudgetUse> budgets;     // in file order
};

// The rules of one role set that cover one upstream, in the order in which they decide.
struct RuleTable {
  std::vector<uint32_t> rules;
  std::unique_ptr<const Table> table;  // positions are indexes into `rules`
};

struct RoleSet {
  std::vector<uint32_t> roles;  // inherited ones included
  std::vector<uint32_t> rules;  // ascending: in the order in which they decide
  std::vector<int32_t> tables;  // by upstream: index into Compiled::tables, or -1
};

struct TokenEntry {
  Sha256 hash;
  AgentId agent;
};

struct PolicySet::Compiled {
  std::string sha256;
  std::string currency;
  bool ends_with_marker = false;

  std::vector<AgentInfo> agents;
  std::vector<CompiledAgent> agent_states;  // by AgentId
  TextMap<AgentId> agent_ids;
  TextMap<AgentId> listeners;
  std::vector<TokenEntry> tokens;       // grouped by bucket
  std::vector<uint32_t> token_buckets;  // begin of each, and the end
  uint32_t token_bucket_bits = 0;       // leading bits of a hash that choose its bucket

  std::vector<std::string> role_names;
  std::vector<CompiledRule> rules;
  std::vector<RoleSet> role_sets;
  TextMap<uint32_t> upstream_ids;
  NameIndex upstream_index;  // the same, for every call
  std::vector<RuleTable> tables;
  std::vector<bool> reads_body;  // by upstream

  std::vector<CompiledPrice> prices;    // in file order
  std::vector<RuleTable> price_tables;  // by upstream
  std::vector<CompiledBudget> budgets;
  std::vector<AccountSpec> accounts;

  // The index of an upstream that the policy or the wiring names.
  std::optional<uint32_t> find_upstream(std::string_view name) const {
    return upstream_index.find(name);
  }
};

// The first rule, among those of the agent, that selects the call and that `accept` takes; null
// when there is none. The one way by which decisions, lists and explanations look rules up.
// `inspect` is shown every rule that reads_names() and selects the call, if `inspecting`.
template <class Accept, class Inspect>
const CompiledRule* find_rule(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                              Accept&& accept, bool inspecting, Inspect&& inspect) {
  const RoleSet& set = compiled.role_sets[compiled.agent_states[agent].role_set];
  const std::optional<uint32_t> upstream = compiled.find_upstream(call.upstream);
  if (!upstream) {  // named nowhere: only globs can cover it
    const CompiledRule* first = nullptr;
    for (const uint32_t rule : set.rules) {
      const CompiledRule& candidate = compiled.rules[rule];
      const bool inspected = inspecting && reads_names(candidate);
      if ((first && !inspected) || !candidate.selector.matches(call)) continue;
      if (inspected) inspect(candidate);
      if (!first && accept(candidate)) first = &candidate;
      if (first && !inspecting) break;
    }
    return first;
  }
  const int32_t index = set.tables[*upstream];
  if (index < 0) return nullptr;
  const RuleTable& table = compiled.tables[static_cast<size_t>(index)];
  const uint32_t position = table.table->find_first(
      call, [&](uint32_t p) { return accept(compiled.rules[table.rules[p]]); }, inspecting,
      [&](uint32_t p) { inspect(compiled.rules[table.rules[p]]); });
  return position == Table::kNone ? nullptr : &compiled.rules[table.rules[position]];
}

template <class Accept>
const CompiledRule* find_rule(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                              Accept&& accept) {
  return find_rule(compiled, agent, call, accept, false, [](const CompiledRule&) {});
}

}  // namespace reeve::policy

#endif  // REEVE_POLICY_COMPILED_H_
