// The oracle's policies as text, for the real evaluator: whole, or each section alone.
#ifndef REEVE_TESTS_SUPPORT_POLICY_WRITER_H_
#define REEVE_TESTS_SUPPORT_POLICY_WRITER_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/support/condition_generator.h"
#include "tests/support/reference_policy.h"

namespace reeve::reference {

inline std::string write_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? ", '" : "'") + text + "'";
  return out + "]";
}

inline std::string write_day(int day) {
  return "2026-01-" + std::string(day < 10 ? "0" : "") + std::to_string(day);
}

// "upstream: […], tools: […]", or nothing.
inline std::string write_selector(const Selector& selector) {
  std::string out;
  if (!selector.upstreams.empty()) out += ", upstream: " + write_list(selector.upstreams);
  if (!selector.kind.empty()) out += ", " + selector.kind + ": " + write_list(selector.patterns);
  if (!selector.except.empty()) out += ", except: " + write_list(selector.except);
  return out;
}

inline std::string write_when(const std::optional<Condition>& when) {
  return when ? ", when: " + write_condition(*when) : "";
}

inline std::string write_rule(const Rule& rule) {
  std::string out = "{id: " + rule.id + write_selector(rule.selector) + write_when(rule.when);
  if (rule.report) out += ", mode: report";
  if (rule.until != 0) out += ", until: " + write_day(rule.until);
  if (!rule.guards.empty()) out += ", guards: " + write_list(rule.guards);
  if (rule.effect == "ask") out += ", approvers: " + rule.approvers;
  if (rule.within != 0) out += ", within: " + std::to_string(rule.within) + "m";
  return out + "}";
}

inline std::string write_role(const std::string& name, const Role& role) {
  std::string out = "  " + name + ":\n";
  if (role.inherits.empty() && role.rules.empty() && role.guards.empty() && role.limits.empty()) {
    return "  " + name + ": {}\n";
  }
  const auto list = [&](const char* key, const std::vector<std::string>& texts) {
    if (!texts.empty()) out += std::string("    ") + key + ": " + write_list(texts) + "\n";
  };
  list("inherits", role.inherits);
  list("guards", role.guards);
  list("limits", role.limits);
  for (const char* effect : {"allow", "deny", "ask"}) {
    bool first = true;
    for (const Rule& rule : role.rules) {
      if (rule.effect != effect) continue;
      if (first) out += std::string("    ") + effect + ":\n";
      first = false;
      out += "      - " + write_rule(rule) + "\n";
    }
  }
  return out;
}

inline std::string write_roles(const std::vector<std::pair<std::string, Role>>& roles) {
  std::string out = "roles:\n";
  for (const auto& [name, role] : roles) out += write_role(name, role);
  return roles.empty() ? "" : out;
}

inline std::string write_agents(const Policy& policy) {
  std::string out = "agents:\n";
  for (const Agent& agent : policy.agents) {
    out += "  " + agent.name + ": {owner: o, purpose: p, team: " + agent.team;
    if (!agent.roles.empty()) out += ", roles: " + write_list(agent.roles);
    if (!agent.status.empty()) out += ", status: " + agent.status;
    if (agent.expires != 0) out += ", expires: " + write_day(agent.expires);
    if (!agent.budget.empty()) out += ", budget: " + agent.budget;
    if (!agent.probation.empty()) {
      out += ", probation: {until: " + write_day(agent.probation_until) +
             ", limits: " + write_list(agent.probation) + "}";
    }
    out += "}\n";
  }
  return out;
}

// Groups, guards and modes: what rules name.
inline std::string write_duties(const Policy& policy) {
  std::string out = policy.report ? "mode: report\n" : "";
  if (!policy.groups.empty()) out += "approvers:\n";
  for (const std::string& group : policy.groups) out += "  " + group + ": {members: lee@a}\n";
  if (!policy.guards.empty()) out += "guards:\n";
  for (const std::string& guard : policy.guards) out += "  " + guard + ": {patterns: email}\n";
  return out;
}

inline std::string write_price(const Price& price) {
  using From = Price::From;
  std::string out = "{" + (write_selector(price.selector) + write_when(price.when)).substr(2);
  if (price.since != 0) out += ", since: " + write_day(price.since);
  std::string value;
  for (const std::string& step : price.value) value += "." + step;
  if (price.from == From::kFixed) out += ", cost: " + price.amount + " USD";
  if (price.from == From::kArgs) {
    out += ", cost: {from: args" + value + ", max: " + price.amount + " USD}";
  }
  if (price.from == From::kResult) {
    out += ", cost: {from: result" + value + ", reserve: " + price.amount + " USD}";
  }
  for (const auto& [key, amount] : {std::pair{"input", &price.input},
                                    {"cached_input", &price.cached_input},
                                    {"cache_write", &price.cache_write},
                                    {"output", &price.output}}) {
    if (!amount->empty()) {
      out += std::string(", ") + key + ": " + *amount + " USD per 1M tokens";
    }
  }
  if (!price.context.empty()) out += ", context: " + price.context;
  if (!price.max_output.empty()) out += ", max_output: " + price.max_output;
  return out + "}";
}

inline std::string write_spend(const Policy& policy) {
  std::string out;
  if (!policy.unknown_model.empty()) out += "unknown_model: " + policy.unknown_model + "\n";
  if (!policy.prices.empty()) out += "prices:\n";
  for (const Price& price : policy.prices) out += "  - " + write_price(price) + "\n";
  if (!policy.budgets.empty()) out += "budgets:\n";
  for (const Budget& budget : policy.budgets) {
    out += "  " + budget.name + ": {for: " +
           (budget.scope == "everyone" ? "everyone" : "{" + budget.scope + ": " + budget.of + "}") +
           ", limit: 100 " + budget.unit + " per day" + write_selector(budget.selector) +
           write_when(budget.when) + "}\n";
  }
  return out;
}

inline std::string write_yaml(const Policy& policy) {
  return "version: 1\n" + write_duties(policy) + write_agents(policy) + write_roles(policy.roles) +
         write_spend(policy);
}

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_POLICY_WRITER_H_
