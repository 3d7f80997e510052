// Stage 4, evaluate: a compiled policy and one call give a decision, a list's view, a spend.
//
// Nothing here allocates, locks or asks the system. The order of questions is the language's: the
// agent's state, then the form of the call, then the rules, deny before ask before allow.
// Tested by tests/policy/evaluate_test.cc, and against the oracle of tests/support/
// reference_decision.h by differential_test.cc.
#include <openssl/crypto.h>

#include <algorithm>

#include "policy/compiled.h"
#include "policy/guard_program.h"
#include "policy/malformed.h"
#include "policy/policy_set.h"

namespace reeve::policy {

namespace {

Reason state_of(const CompiledAgent& agent, Time now) {
  if (agent.refused != Reason::kDefault) return agent.refused;
  return now >= agent.expires ? Reason::kExpired : Reason::kDefault;
}

Verdict verdict_of(Effect effect) {
  switch (effect) {
    case Effect::kDeny:
      return Verdict::kDeny;
    case Effect::kAsk:
      return Verdict::kAsk;
    case Effect::kAllow:
      return Verdict::kAllow;
  }
  return Verdict::kDeny;
}

constexpr const char* kTwoReadings = "a key that equals, but for case, one that a rule reads";
constexpr const char* kTooMany = "more values than the rules may look at for one call";

// Whether a price or a budget that selects the call reads a key that has a case variant there.
bool cost_has_two_readings(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                           ArgsReader& args) {
  bool found = false;
  const auto consider = [&](const CompiledPrice& price) {
    found = found || (price.holds_at(call.time) && price.meets_case_variant(call, args));
  };
  if (const auto upstream = compiled.find_table(call)) {
    compiled.price_tables[*upstream].reading.visit(
        call, [&](uint32_t index) { consider(compiled.prices[index]); });
  } else {  // named nowhere: only globs can cover it
    for (const CompiledPrice& price : compiled.prices) {
      if (price.selector.matches(call)) consider(price);
    }
  }
  const CompiledAgent& state = compiled.agent_states[agent];
  if (found || !state.budgets_read_names) return found;
  return std::any_of(state.budgets.begin(), state.budgets.end(), [&](const BudgetUse& use) {
    const CompiledBudget& budget = compiled.budgets[use.budget];
    return budget.when && budget.selector.matches(call) &&
           budget.when->meets_case_variant(call, args);
  });
}

// Calls `visit(guard)` for those of the agent's roles and of every rule that matches the call,
// maybe more than once. In doubt too: a guard only narrows.
template <class Visit>
void visit_guards(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                  ArgsReader& args, Visit&& visit) {
  const RoleSet& set = compiled.role_sets[compiled.agent_states[agent].role_set];
  for (const uint32_t guard : set.guards) visit(guard);
  const auto add = [&](uint32_t index) {
    const CompiledRule& rule = compiled.rules[index];
    if (rule.truth(call, args) == Truth::kFalse) return;
    for (const uint32_t guard : rule.guards) visit(guard);
  };
  if (const auto upstream = compiled.find_table(call)) {
    const int32_t table = set.tables[*upstream];
    if (table >= 0) compiled.tables[static_cast<size_t>(table)].guarding.visit(call, add);
    return;
  }
  for (const uint32_t index : set.rules) {
    const CompiledRule& rule = compiled.rules[index];
    if (!rule.guards.empty() && rule.selector.matches(call)) add(index);
  }
}

// Whether a guard on the arguments looks at a place on the way to which a key has a case variant.
// `too_many` where that takes more than a decision may cost.
bool guard_has_two_readings(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                            ArgsReader& args, bool& too_many) {
  uint64_t steps = 2'000'000;
  bool found = false;
  visit_guards(compiled, agent, call, args, [&](uint32_t index) {
    const GuardInfo& guard = compiled.guards[index];
    if (found || steps == 0 || !reads_arguments(guard)) return;
    found = meets_case_variant(guard.program->places, *call.args, steps);
  });
  too_many = steps == 0;
  return found;
}

// By the rules alone; malformed where a rule, price, budget or guard that selects the call reads a
// key that has a case variant there. `granted`: something else grants the call, so that an ask in
// doubt holds it.
Decision decide_by_rules(const PolicySet::Compiled& compiled, AgentId agent, const Call& call,
                         bool granted) {
  ArgsReader args(call);
  const bool has_names = call.args || !call.query.empty();
  bool two_readings = has_names && cost_has_two_readings(compiled, agent, call, args);
  bool too_many = false;
  if (call.args && compiled.guards_read_places && !two_readings) {
    two_readings = guard_has_two_readings(compiled, agent, call, args, too_many);
  }
  const CompiledRule* in_doubt = nullptr;  // the first ask of which that is so
  const auto accept = [&](const CompiledRule& candidate) {
    const Truth truth = candidate.truth(call, args);
    if (candidate.info.effect == Effect::kDeny) return truth != Truth::kFalse;
    if (truth != Truth::kDoubt) return truth == Truth::kTrue;
    const bool holds = candidate.info.effect == Effect::kAsk;
    if (holds && (!in_doubt || &candidate < in_doubt)) in_doubt = &candidate;
    return false;
  };
  const CompiledRule* rule =
      find_rule(compiled, agent, call, accept, has_names, [&](const CompiledRule& candidate) {
        if (!candidate.holds_at(call.time)) return;
        two_readings = two_readings || candidate.when->meets_case_variant(call, args);
      });
  if (two_readings) return {Verdict::kMalformed, Reason::kMalformed, nullptr, kTwoReadings};
  if (args.is_exhausted() || too_many)
    return {Verdict::kMalformed, Reason::kMalformed, nullptr, kTooMany};
  const bool is_denied = rule && rule->info.effect == Effect::kDeny;
  // Rules lie in the order in which they decide, so the lower address goes first.
  if (in_doubt && !is_denied && (rule ? in_doubt < rule : granted)) rule = in_doubt;
  if (!rule) return {};
  return {verdict_of(rule->info.effect), Reason::kRule, &rule->info, ""};
}

}  // namespace

Decision PolicySet::decide(AgentId agent, const Call& call) const {
  const Reason state = state_of(compiled_->agent_states[agent], call.time);
  if (state != Reason::kDefault) return {Verdict::kDeny, state, nullptr, ""};
  if (const char* fault = malformed(call)) {
    return {Verdict::kMalformed, Reason::kMalformed, nullptr, fault};
  }
  return decide_by_rules(*compiled_, agent, call, false);
}

Decision PolicySet::decide_housekeeping(AgentId agent, const Call& call) const {
  const Decision decision = decide(agent, call);
  const bool decided = decision.reason == Reason::kRule || decision.reason == Reason::kDefault;
  if (!decided || (decision.reason == Reason::kRule && decision.verdict != Verdict::kAsk)) {
    return decision;
  }
  const CompiledRule* ask = find_rule(*compiled_, agent, call, [&](const CompiledRule& rule) {
    return rule.info.effect == Effect::kAsk && rule.selector.kind() == SelectorKind::kMethods &&
           rule.applies(call);
  });
  if (ask && decision.verdict == Verdict::kAsk) {
    return {Verdict::kAsk, Reason::kRule, &ask->info, ""};
  }
  return may_use(agent, call.upstream, call.time);
}

Decision PolicySet::decide_dispatched(AgentId agent, const Call& outer, const Call& inner) const {
  const Decision decision = decide(agent, inner);
  if (decision.reason != Reason::kRule && decision.reason != Reason::kDefault) return decision;
  if (const char* fault = malformed(outer)) {
    return {Verdict::kMalformed, Reason::kMalformed, nullptr, fault};
  }
  const bool granted = !decision.denied();
  const Decision around = decide_by_rules(*compiled_, agent, outer, granted);
  if (around.verdict == Verdict::kMalformed) return around;
  if (around.denied() && around.reason == Reason::kRule) return around;
  return granted && around.verdict == Verdict::kAsk && decision.allowed() ? around : decision;
}

std::vector<const RuleInfo*> PolicySet::asks(AgentId agent, const Call& call) const {
  std::vector<const CompiledRule*> found;
  find_rule(*compiled_, agent, call, [&](const CompiledRule& rule) {
    if (rule.info.effect == Effect::kAsk && rule.applies(call)) found.push_back(&rule);
    return false;
  });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<const RuleInfo*> result;
  for (const CompiledRule* rule : found) result.push_back(&rule->info);
  return result;
}

namespace {

// Whether this rule, which selects the call, would have decided otherwise, had it been enforced.
bool would_change(const CompiledRule& rule, const Call& call, const Decision& decision) {
  ArgsReader args(call);
  const bool is_default = decision.reason == Reason::kDefault;
  switch (rule.info.effect) {
    case Effect::kDeny:
      return !decision.denied() && rule.applies(call);
    case Effect::kAsk:  // in doubt it holds what something else grants
      return decision.allowed() ? rule.applies(call)
                                : is_default && rule.truth(call, args) == Truth::kTrue;
    case Effect::kAllow:
      return is_default && rule.applies(call);
  }
  return false;
}

}  // namespace

const RuleInfo* PolicySet::reported(AgentId agent, const Call& call,
                                    const Decision& decision) const {
  const RoleSet& set = compiled_->role_sets[compiled_->agent_states[agent].role_set];
  const bool decided = decision.reason == Reason::kRule || decision.reason == Reason::kDefault;
  if (set.reporting.empty() || !decided) return nullptr;
  // What goes before the decision: of several, the first in the order of deciding.
  const CompiledRule* first = nullptr;
  const auto consider = [&](uint32_t index) {
    const CompiledRule& rule = compiled_->rules[index];
    if ((!first || &rule < first) && would_change(rule, call, decision)) first = &rule;
  };
  if (const auto upstream = compiled_->find_table(call)) {
    const int32_t table = set.tables[*upstream];
    if (table < 0) return nullptr;
    compiled_->tables[static_cast<size_t>(table)].reporting.visit(call, consider);
  } else {
    for (const uint32_t index : set.reporting) {
      if (compiled_->rules[index].selector.matches(call)) consider(index);
    }
  }
  return first ? &first->info : nullptr;
}

namespace {

std::vector<const GuardInfo*> in_order(const PolicySet::Compiled& compiled,
                                       std::vector<uint32_t> found) {
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<const GuardInfo*> result;
  for (const uint32_t index : found) result.push_back(&compiled.guards[index]);
  return result;
}

}  // namespace

bool PolicySet::has_guards() const { return !compiled_->guards.empty(); }

std::vector<const GuardInfo*> PolicySet::guards(AgentId agent, const Call& call) const {
  ArgsReader args(call);
  std::vector<uint32_t> found;
  visit_guards(*compiled_, agent, call, args, [&](uint32_t index) { found.push_back(index); });
  return in_order(*compiled_, std::move(found));
}

std::vector<const GuardInfo*> PolicySet::guards_on(AgentId agent, std::string_view upstream) const {
  const RoleSet& set = compiled_->role_sets[compiled_->agent_states[agent].role_set];
  std::vector<uint32_t> found = set.guards;
  for (const uint32_t index : set.rules) {
    const CompiledRule& rule = compiled_->rules[index];
    if (rule.guards.empty() || !rule.selector.covers_upstream(upstream)) continue;
    found.insert(found.end(), rule.guards.begin(), rule.guards.end());
  }
  return in_order(*compiled_, std::move(found));
}

std::span<const RateLimit> PolicySet::limits(AgentId agent) const {
  return compiled_->agent_states[agent].limits;
}

const ServerInfo* PolicySet::server(std::string_view upstream) const {
  for (const ServerInfo& server : compiled_->servers) {
    if (server.upstream == upstream) return &server;
  }
  return nullptr;
}

Decision PolicySet::may_use(AgentId agent, std::string_view upstream, Time now) const {
  const CompiledAgent& state = compiled_->agent_states[agent];
  if (const Reason reason = state_of(state, now); reason != Reason::kDefault) {
    return {Verdict::kDeny, reason, nullptr, ""};
  }
  const RoleSet& set = compiled_->role_sets[state.role_set];
  const std::optional<uint32_t> known = compiled_->find_upstream(upstream);
  std::span<const uint32_t> rules = set.rules;
  if (known) {
    const int32_t table = set.tables[*known];
    if (table < 0) return {};
    rules = compiled_->tables[static_cast<size_t>(table)].enforced.rules;
  }
  for (const uint32_t index : rules) {
    const CompiledRule& rule = compiled_->rules[index];
    if (!rule.holds_at(now)) continue;
    if (rule.selector.kind() == SelectorKind::kConnect) continue;  // of tunnels alone
    if (!known && !rule.selector.covers_upstream(upstream)) continue;
    if (rule.info.effect != Effect::kDeny) {
      return {Verdict::kAllow, Reason::kRule, &rule.info, ""};
    }
    if (rule.selector.kind() == SelectorKind::kAll && !rule.when) {
      return {Verdict::kDeny, Reason::kRule, &rule.info, ""};
    }
  }
  return {};
}

bool PolicySet::could_allow(AgentId agent, const Call& call) const {
  if (state_of(compiled_->agent_states[agent], call.time) != Reason::kDefault) return false;
  if (malformed(call)) return false;
  if (compiled_->report) return true;  // nothing is refused, so nothing is hidden
  const CompiledRule* rule = find_rule(*compiled_, agent, call, [&](const CompiledRule& candidate) {
    return candidate.holds_at(call.time) &&
           (candidate.info.effect != Effect::kDeny || !candidate.when);
  });
  return rule && rule->info.effect != Effect::kDeny;
}

bool PolicySet::reads_body(std::string_view upstream) const {
  if (const auto known = compiled_->find_upstream(upstream)) return compiled_->reads_body[*known];
  if (compiled_->reads_body_elsewhere) return true;
  const auto covers = [&](const CompiledSelector& selector) {
    return selects_bodies(selector.kind()) && selector.covers_upstream(upstream);
  };
  return std::any_of(
             compiled_->rules.begin(), compiled_->rules.end(),
             [&](const auto& rule) { return policy::reads_body(rule) && covers(rule.selector); }) ||
         std::any_of(
             compiled_->prices.begin(), compiled_->prices.end(),
             [&](const auto& price) { return price.reads_args() && covers(price.selector); }) ||
         std::any_of(compiled_->budgets.begin(), compiled_->budgets.end(), [&](const auto& budget) {
           return policy::reads_args(budget.when) && covers(budget.selector);
         });
}

std::optional<AgentId> PolicySet::find_agent(std::string_view name) const {
  const auto found = compiled_->agent_ids.find(name);
  if (found == compiled_->agent_ids.end()) return std::nullopt;
  return found->second;
}

std::optional<AgentId> PolicySet::agent_by_token(const Sha256& token_sha256) const {
  const size_t leading = static_cast<size_t>(token_sha256[0] << 8 | token_sha256[1]);
  const size_t bucket = leading >> (16 - compiled_->token_bucket_bits);
  std::optional<AgentId> agent;
  for (uint32_t i = compiled_->token_buckets[bucket]; i < compiled_->token_buckets[bucket + 1];
       ++i) {
    const TokenEntry& entry = compiled_->tokens[i];
    if (CRYPTO_memcmp(entry.hash.data(), token_sha256.data(), token_sha256.size()) == 0) {
      agent = entry.agent;
    }
  }
  return agent;
}

std::optional<AgentId> PolicySet::agent_by_listener(std::string_view listener) const {
  const auto found = compiled_->listeners.find(listener);
  if (found == compiled_->listeners.end()) return std::nullopt;
  return found->second;
}

std::optional<AgentId> PolicySet::agent_by_spiffe(std::string_view id) const {
  const auto found = compiled_->spiffe_ids.find(id);
  if (found == compiled_->spiffe_ids.end()) return std::nullopt;
  return found->second;
}

std::optional<AgentId> PolicySet::agent_by_unix_uid(uint32_t uid) const {
  const auto found = compiled_->unix_uids.find(uid);
  if (found == compiled_->unix_uids.end()) return std::nullopt;
  return found->second;
}

}  // namespace reeve::policy
