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
#include "policy/obligation.h"
#include "policy/policy_set.h"
#include "policy/price.h"
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

  std::vector<uint32_t> guards;   // in Compiled::guards
  bool guards_arguments = false;  // of calls that it selects, by its guards or those of a role

  bool holds_at(Time now) const { return now < until; }
  // Whether its condition holds of a call that it selects.
  Truth truth(const Call& call, ArgsReader& args) const {
    if (!holds_at(call.time)) return Truth::kFalse;
    return when ? when->evaluate(call, args) : Truth::kTrue;
  }
  // Whether it matches a call that it selects. Doubt never widens access: it lets a deny match and
  // no allow; an ask in doubt holds what something else grants.
  bool applies(const Call& call) const {
    ArgsReader args(call);
    const Truth held = truth(call, args);
    return info.effect == Effect::kAllow ? held == Truth::kTrue : held != Truth::kFalse;
  }
};

// Whether calls with this selector can have a JSON body that is not MCP's own.
inline bool selects_bodies(SelectorKind kind) {
  return kind == SelectorKind::kHttp || kind == SelectorKind::kAll || kind == SelectorKind::kModels;
}
inline bool reads_args(const std::shared_ptr<const Condition>& when) {
  return when && when->reads(ValueRef::Root::kArgs);
}
// Values with keys that the caller chose.
inline bool reads_names(const std::shared_ptr<const Condition>& when) {
  return when && (when->reads(ValueRef::Root::kArgs) || when->reads(ValueRef::Root::kQuery));
}
inline bool reads_arguments(const GuardInfo& guard) { return guard.on != GuardInfo::On::kResult; }
// Whether the rule, or a guard of what it selects, reads the JSON body of HTTP calls.
inline bool reads_body(const CompiledRule& rule) {
  return selects_bodies(rule.selector.kind()) && (reads_args(rule.when) || rule.guards_arguments);
}

struct CompiledPrice {
  RuleInfo info;  // id is prices[N]
  CompiledSelector selector;
  std::vector<std::string> pattern_texts;  // as written, in the order of its patterns
  std::shared_ptr<const Condition> when;   // null: always
  Time since = Time::min();                // the first moment at which it holds
  Time until = Time::max();                // that of the next one that selects alike
  PriceTerms terms;

  bool holds_at(Time now) const { return since <= now && now < until; }
  bool reads_args() const {
    return policy::reads_args(when) || terms.from == PriceTerms::From::kArgs;
  }
  bool meets_case_variant(const Call& call, ArgsReader& args) const {
    return (when && when->meets_case_variant(call, args)) ||
           (terms.from == PriceTerms::From::kArgs && args.has_args() &&
            args.read(terms.value).has_variant);
  }
};

struct CompiledBudget {
  std::string name;
  CompiledSelector selector;
  std::shared_ptr<const Condition> when;  // null: always
  Unit unit = Unit::kMoney;

  // In doubt it covers: a cap is a cap.
  bool covers(const Call& call, ArgsReader& args) const {
    return selector.matches(call) && (!when || when->evaluate(call, args) != Truth::kFalse);
  }
};

// A budget that covers an agent, and the account that it draws on there.
struct BudgetUse {
  uint32_t budget = 0;  // in Compiled::budgets
  uint32_t account = 0;
};

struct CompiledAgent {
  uint32_t role_set = 0;
  Reason refused = Reason::kDefault;           // kSuspended or kRetired; else kDefault
  Time expires = Time::max();                  // the first moment at which it is refused
  std::vector<BudgetUse> budgets;              // in file order
  bool budgets_read_names = false;             // a condition of one of them does
  std::vector<RateLimit> limits;               // of all its roles, and of its probation
  std::vector<std::string> held_roles;         // by name, inherited ones included
  std::optional<std::chrono::seconds> review;  // how often its owner looks at it
};

// Some of a table's rules alone, found in the same way.
struct RuleIndex {
  std::vector<uint32_t> rules;         // ascending
  std::unique_ptr<const Table> table;  // positions are indexes into `rules`; null when empty

  // Calls `visit(rule)` for each whose selector selects the call, maybe more than once.
  template <class Visit>
  void visit(const Call& call, Visit&& visit) const {
    if (!table) return;
    table->find_first(call, [&](uint32_t position) {
      visit(rules[position]);
      return false;
    });
  }
};

// The rules of one role set that cover one upstream, in the order in which they decide. Those in
// report mode stand in `reporting` alone.
struct RuleTable {
  RuleIndex enforced;
  RuleIndex reporting;
  RuleIndex guarding;  // those with guards of their own
};

struct RoleSet {
  std::vector<uint32_t> roles;      // inherited ones included
  std::vector<uint32_t> rules;      // ascending: in the order in which they decide
  std::vector<uint32_t> reporting;  // likewise, of those in report mode
  std::vector<uint32_t> guards;     // of the roles themselves: in Compiled::guards
  std::vector<int32_t> tables;      // by upstream, tunnels last: in Compiled::tables, or -1
};

// The prices that may select a call on one upstream, in the order in which they are tried.
struct PriceTable {
  RuleIndex prices;
  RuleIndex reading;     // those that read values by name
  int32_t dearest = -1;  // in Compiled::dearest, for a model that no price names; -1: refused
};

struct TokenEntry {
  Sha256 hash;
  AgentId agent;
};

struct PolicySet::Compiled {
  std::string sha256;
  std::string currency;
  std::vector<std::string> marked_files;
  bool report = false;  // the whole policy is recorded, not enforced

  std::vector<AgentInfo> agents;
  std::vector<CompiledAgent> agent_states;  // by AgentId
  TextMap<AgentId> agent_ids;
  TextMap<AgentId> listeners;
  TextMap<AgentId> spiffe_ids;
  std::unordered_map<uint32_t, AgentId> unix_uids;
  std::vector<TokenEntry> tokens;       // grouped by bucket
  std::vector<uint32_t> token_buckets;  // begin of each, and the end
  uint32_t token_bucket_bits = 0;       // leading bits of a hash that choose its bucket

  std::vector<std::string> role_names;
  std::vector<CompiledRule> rules;
  std::vector<RoleSet> role_sets;
  TextMap<uint32_t> upstream_ids;
  NameIndex upstream_index;  // the same, for every call
  std::vector<RuleTable> tables;
  std::vector<bool> reads_body;       // by upstream, tunnels last
  bool reads_body_elsewhere = false;  // on upstreams that are named nowhere: but by rules' globs

  std::vector<CompiledPrice> prices;  // in the order in which they are tried
  std::vector<PriceTerms> dearest;    // one for each upstream with prices of models
  RuleInfo unknown_model;             // names them
  bool unknown_model_is_highest = false;
  std::vector<PriceTable> price_tables;  // by upstream, tunnels last
  std::vector<CompiledBudget> budgets;
  std::vector<AccountSpec> accounts;

  std::vector<ApproverGroup> approvers;
  std::vector<GuardInfo> guards;
  bool guards_read_places = false;  // one of them, of the arguments
  std::vector<ServerInfo> servers;
  std::vector<FeaturePlace> features;

  // The index of an upstream that the policy or the wiring names.
  std::optional<uint32_t> find_upstream(std::string_view name) const {
    return upstream_index.find(name);
  }
  // Where the tables have the rules for this call; tunnels go to no upstream.
  std::optional<uint32_t> find_table(const Call& call) const {
    if (call.kind == Kind::kConnect) return static_cast<uint32_t>(upstream_ids.size());
    return find_upstream(call.upstream);
  }
};

// The first rule, among those of the agent, that selects the call and that `accept` takes; null
// when there is none. The one way by which decisions, lists and explanations look rules up.
// `inspect` is shown every rule that reads_names() and selects the call, if `inspecting`.
template <class Accept, class Inspect>
const CompiledRule* find_rule(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                              Accept&& accept, bool inspecting, Inspect&& inspect) {
  const RoleSet& set = compiled.role_sets[compiled.agent_states[agent].role_set];
  const std::optional<uint32_t> upstream = compiled.find_table(call);
  if (!upstream) {  // named nowhere: only globs can cover it
    const CompiledRule* first = nullptr;
    for (const uint32_t rule : set.rules) {
      const CompiledRule& candidate = compiled.rules[rule];
      const bool inspected = inspecting && reads_names(candidate.when);
      if ((first && !inspected) || !candidate.selector.matches(call)) continue;
      if (inspected) inspect(candidate);
      if (!first && accept(candidate)) first = &candidate;
      if (first && !inspecting) break;
    }
    return first;
  }
  const int32_t index = set.tables[*upstream];
  if (index < 0) return nullptr;
  const RuleIndex& table = compiled.tables[static_cast<size_t>(index)].enforced;
  if (!table.table) return nullptr;
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
