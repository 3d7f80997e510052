// Stage 4, evaluate: a compiled policy and one call give a decision, a list's view, a spend.
//
// Nothing here allocates, locks or asks the system. The order of questions is the language's: the
// agent's state, then the form of the call, then the rules, deny before ask before allow.
// Tested by tests/policy/evaluate_test.cc and spend_test.cc, against tests/support/
// reference_policy.cc on generated policies.
#include <openssl/crypto.h>

#include <algorithm>

#include "policy/compiled.h"
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

}  // namespace

Decision PolicySet::decide(AgentId agent, const Call& call) const {
  const Reason state = state_of(compiled_->agent_states[agent], call.time);
  if (state != Reason::kDefault) return {Verdict::kDeny, state, nullptr, ""};
  if (const char* fault = malformed(call)) {
    return {Verdict::kMalformed, Reason::kMalformed, nullptr, fault};
  }
  ArgsReader args(call.args);
  bool two_readings = false;  // a rule that selects the call, and is in force, meets a case variant
  const CompiledRule* rule = find_rule(
      *compiled_, agent, call, [&](const CompiledRule& rule) { return rule.applies(call, args); },
      call.args || !call.query.empty(),
      [&](const CompiledRule& rule) {
        two_readings =
            two_readings || (rule.holds_at(call.time) && rule.when->meets_case_variant(call, args));
      });
  if (two_readings) {
    return {Verdict::kMalformed, Reason::kMalformed, nullptr,
            "a key that equals, but for case, one that a rule reads"};
  }
  if (!rule) return {};
  return {verdict_of(rule->info.effect), Reason::kRule, &rule->info, ""};
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
    rules = compiled_->tables[static_cast<size_t>(table)].rules;
  }
  for (const uint32_t index : rules) {
    const CompiledRule& rule = compiled_->rules[index];
    if (!rule.holds_at(now)) continue;
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
  const CompiledRule* rule = find_rule(*compiled_, agent, call, [&](const CompiledRule& candidate) {
    return candidate.holds_at(call.time) &&
           (candidate.info.effect != Effect::kDeny || !candidate.when);
  });
  return rule && rule->info.effect != Effect::kDeny;
}

bool PolicySet::reads_body(std::string_view upstream) const {
  if (const auto known = compiled_->find_upstream(upstream)) return compiled_->reads_body[*known];
  return std::any_of(compiled_->rules.begin(), compiled_->rules.end(), [&](const auto& rule) {
    return policy::reads_body(rule) && rule.selector.covers_upstream(upstream);
  });
}

std::optional<Spend> PolicySet::spend(AgentId agent, const Call& call) const {
  Spend spend;
  const CompiledPrice* price = nullptr;
  if (const auto upstream = compiled_->find_upstream(call.upstream)) {
    const RuleTable& table = compiled_->price_tables[*upstream];
    const uint32_t position = table.table->find_first(call, [](uint32_t) { return true; });
    if (position != Table::kNone) price = &compiled_->prices[table.rules[position]];
  } else {
    for (const CompiledPrice& candidate : compiled_->prices) {
      if (!candidate.selector.matches(call)) continue;
      price = &candidate;
      break;
    }
  }
  if (price) {
    spend.cost = price->cost;
    spend.price = &price->info;
  }
  for (const BudgetUse& use : compiled_->agent_states[agent].budgets) {
    const CompiledBudget& budget = compiled_->budgets[use.budget];
    const Micros amount = budget.unit == Unit::kCalls ? kMicrosPerUnit : spend.cost;
    if (amount == 0 || !budget.selector.matches(call)) continue;
    if (spend.count == Spend::kMaxDraws) return std::nullopt;
    spend.draws[spend.count++] = {use.account, amount};
  }
  return spend;
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

}  // namespace reeve::policy
