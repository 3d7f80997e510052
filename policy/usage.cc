// Tested by tests/policy/usage_test.cc.
#include "policy/usage.h"

#include <algorithm>

#include "policy/compiled.h"

namespace reeve::policy {

namespace {

bool is_grant(const CompiledRule& rule) {
  return rule.info.effect != Effect::kDeny && !rule.info.report;
}

}  // namespace

Usage::Usage(const PolicySet& policy)
    : policy_(policy), uses_(policy.compiled().rules.size()), seen_agents_(policy.agents().size()) {
  const auto& rules = policy.compiled().rules;
  for (uint32_t i = 0; i < rules.size(); ++i) {
    uses_[i].patterns.resize(rules[i].pattern_texts.size());
    if (is_grant(rules[i])) by_place_.emplace(to_string(rules[i].info.at), i);
  }
}

uint32_t Usage::index_of(const RuleInfo& rule) const { return by_place_.at(to_string(rule.at)); }

bool Usage::add(const RecordedCall& recorded) {
  const auto agent = policy_.find_agent(recorded.agent);
  if (!agent) return false;
  seen_agents_[*agent] = true;
  const PolicySet::Compiled& compiled = policy_.compiled();
  const Call& call = recorded.call;
  std::vector<uint32_t> candidates;
  const auto consider = [&](const CompiledRule& rule) {
    if (is_grant(rule)) candidates.push_back(static_cast<uint32_t>(&rule - compiled.rules.data()));
    return false;
  };
  if (call.kind == Kind::kMethod && is_housekeeping(call.action)) {
    // Whatever grants something on the upstream grants it.
    for (const uint32_t index : compiled.role_sets[compiled.agent_states[*agent].role_set].rules) {
      const CompiledRule& rule = compiled.rules[index];
      const bool tunnels = rule.selector.kind() == SelectorKind::kConnect;
      if (!tunnels && rule.selector.covers_upstream(call.upstream)) consider(rule);
    }
  } else {
    find_rule(compiled, *agent, call, consider);
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  const auto named = std::find_if(candidates.begin(), candidates.end(), [&](uint32_t index) {
    return compiled.rules[index].info.id == recorded.rule;
  });
  if (named != candidates.end()) {
    count(*agent, recorded, *named);
  } else {
    for (const uint32_t index : candidates) count(*agent, recorded, index);
  }
  return !candidates.empty();
}

void Usage::count(AgentId agent, const RecordedCall& recorded, uint32_t index) {
  const CompiledRule& rule = policy_.compiled().rules[index];
  const Call& call = recorded.call;
  GrantUse& use = uses_[index];
  ++use.calls;
  use.last = std::max(use.last, call.time);
  used_roles_.emplace(agent, rule.info.role);
  used_rules_.emplace(agent, index);
  if (selector_kind(call.kind) == rule.selector.kind()) {
    const auto& patterns = rule.selector.patterns();
    for (size_t i = 0; i < patterns.size() && i < use.patterns.size(); ++i) {
      if (!use.patterns[i] && patterns[i].matches(call)) use.patterns[i] = true;
    }
  }
  const std::string upstream = call.kind == Kind::kConnect ? "" : std::string(call.upstream);
  GrantUse::Targets& targets = use.by_upstream[{upstream, selector_kind(call.kind)}];
  if (targets.too_many) return;
  targets.seen.emplace(target_of(call),
                       call.kind == Kind::kHttp ? call.action : std::string_view{});
  if (targets.seen.size() > GrantUse::kMostTargets) {
    targets.too_many = true;
    targets.seen.clear();
  }
}

std::vector<std::pair<const RuleInfo*, const GrantUse*>> Usage::grants() const {
  std::vector<std::pair<const RuleInfo*, const GrantUse*>> all;
  const auto& rules = policy_.compiled().rules;
  for (uint32_t i = 0; i < rules.size(); ++i) {
    if (is_grant(rules[i])) all.emplace_back(&rules[i].info, &uses_[i]);
  }
  return all;
}

const GrantUse* Usage::use_of(const std::string& at) const {
  const auto found = by_place_.find(at);
  return found == by_place_.end() ? nullptr : &uses_[found->second];
}

std::vector<std::string> Usage::unused_patterns(const RuleInfo& rule) const {
  const uint32_t index = index_of(rule);
  const CompiledRule& compiled = policy_.compiled().rules[index];
  std::vector<std::string> unused;
  for (size_t i = 0; i < compiled.pattern_texts.size(); ++i) {
    if (!uses_[index].patterns[i]) unused.push_back(compiled.pattern_texts[i]);
  }
  return unused;
}

std::vector<std::string> Usage::idle_agents() const {
  std::vector<std::string> idle;
  for (AgentId i = 0; i < seen_agents_.size(); ++i) {
    if (!seen_agents_[i]) idle.push_back(policy_.agents()[i].name);
  }
  return idle;
}

std::vector<std::pair<std::string, std::string>> Usage::idle_roles() const {
  const PolicySet::Compiled& compiled = policy_.compiled();
  std::vector<std::pair<std::string, std::string>> idle;
  for (AgentId i = 0; i < seen_agents_.size(); ++i) {
    if (!seen_agents_[i]) continue;
    for (const std::string& role : policy_.agents()[i].roles) {
      const bool has_grants = std::any_of(
          compiled.rules.begin(), compiled.rules.end(),
          [&](const CompiledRule& rule) { return rule.info.role == role && is_grant(rule); });
      if (has_grants && !used_roles_.contains({i, role})) {
        idle.emplace_back(policy_.agents()[i].name, role);
      }
    }
  }
  return idle;
}

Usage::Held Usage::held_by(AgentId agent) const {
  const PolicySet::Compiled& compiled = policy_.compiled();
  Held held;
  for (const uint32_t index : compiled.role_sets[compiled.agent_states[agent].role_set].rules) {
    if (!is_grant(compiled.rules[index])) continue;
    ++held.grants;
    if (used_rules_.contains({agent, index})) ++held.used;
  }
  return held;
}

}  // namespace reeve::policy
