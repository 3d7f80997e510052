// See access.h. Tested by tests/policy/explain_test.cc.
#include "policy/access.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/compiled.h"

namespace reeve::policy {

namespace {

// " when args.amount, time", or nothing.
std::string when_of(const CompiledRule& rule) {
  std::string when;
  if (rule.when) {
    for (const Condition::Part& part : rule.when->parts()) {
      when += (when.empty() ? " when " : ", ") + part.value.text;
    }
  }
  return when;
}

class Lister {
 public:
  Lister(const PolicySet& policy, const AccessFilter& filter)
      : policy_(policy), compiled_(policy.compiled()), filter_(filter) {}

  std::vector<AccessRow> run() {
    for (AgentId agent = 0; agent < policy_.agents().size(); ++agent) {
      const AgentInfo& info = policy_.agents()[agent];
      if (!filter_.agent.empty() && info.name != filter_.agent) continue;
      const Decision state = policy_.may_use(agent, "", filter_.now);
      const bool refused = state.reason != Reason::kDefault && state.reason != Reason::kRule;
      if (refused) {
        rows_.push_back({info.name, "*", std::string(to_string(state.reason)), "everything"});
      } else if (filter_.tool.empty()) {
        list_rules(agent);
      } else {
        list_tool(agent);
      }
    }
    return std::move(rows_);
  }

 private:
  const RoleSet& rules_of(AgentId agent) const {
    return compiled_.role_sets[compiled_.agent_states[agent].role_set];
  }

  void list_rules(AgentId agent) {
    for (const auto* rules : {&rules_of(agent).rules, &rules_of(agent).reporting}) {
      for (const uint32_t index : *rules) list_rule(agent, compiled_.rules[index]);
    }
  }

  void list_rule(AgentId agent, const CompiledRule& rule) {
    const bool tunnels = rule.selector.kind() == SelectorKind::kConnect;
    if (!rule.holds_at(filter_.now)) return;
    if (!filter_.upstream.empty() &&
        (tunnels || !rule.selector.covers_upstream(filter_.upstream))) {
      return;
    }
    rows_.push_back({policy_.agents()[agent].name,
                     tunnels ? "-" : fmt::format("{}", fmt::join(rule.upstream_texts, ", ")),
                     std::string(to_string(rule.info.effect)),
                     selects(rule) + (rule.info.report ? " (only reported)" : ""), &rule.info});
  }

  // On each upstream that a rule of the agent covers, what decides about the tool.
  void list_tool(AgentId agent) {
    std::vector<std::string> upstreams;
    if (!filter_.upstream.empty()) {
      upstreams.push_back(filter_.upstream);
    } else {
      for (const auto& [name, id] : compiled_.upstream_ids) {
        if (rules_of(agent).tables[id] >= 0) upstreams.push_back(name);
      }
      std::sort(upstreams.begin(), upstreams.end());
    }
    for (const std::string& upstream : upstreams) {
      Call call;
      call.upstream = upstream;
      call.kind = Kind::kTool;
      call.action = "tools/call";
      call.target = filter_.tool;
      call.time = filter_.now;
      const std::vector<const CompiledRule*> rules = rules_on(agent, call);
      for (const CompiledRule* rule : rules) add_tool(agent, upstream, rule);
      const bool decided = !rules.empty() && !rules.back()->when;
      const bool by_default = rules.empty() ? !filter_.upstream.empty() : !decided;
      if (by_default) add_tool(agent, upstream, nullptr);
    }
  }

  // The rules about the call up to the first without a condition, in the order in which they
  // decide. Conditions are shown, not judged: there are no arguments here.
  std::vector<const CompiledRule*> rules_on(AgentId agent, const Call& call) const {
    std::vector<const CompiledRule*> rules;
    find_rule(compiled_, agent, call, [&](const CompiledRule& rule) {
      if (rule.holds_at(filter_.now)) rules.push_back(&rule);
      return false;
    });
    std::sort(rules.begin(), rules.end());
    rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
    const auto decides = std::find_if(rules.begin(), rules.end(),
                                      [](const CompiledRule* rule) { return !rule->when; });
    if (decides != rules.end()) rules.erase(decides + 1, rules.end());
    return rules;
  }

  void add_tool(AgentId agent, const std::string& upstream, const CompiledRule* rule) {
    rows_.push_back({policy_.agents()[agent].name, upstream,
                     std::string(to_string(rule ? rule->info.effect : Effect::kDeny)),
                     "tools " + filter_.tool + (rule ? when_of(*rule) : std::string()),
                     rule ? &rule->info : nullptr});
  }

  const PolicySet& policy_;
  const PolicySet::Compiled& compiled_;
  const AccessFilter& filter_;
  std::vector<AccessRow> rows_;
};

}  // namespace

std::string selects(const CompiledRule& rule) {
  if (rule.selector.kind() == SelectorKind::kAll) return "everything" + when_of(rule);
  std::string text =
      fmt::format("{} {}", to_string(rule.selector.kind()), fmt::join(rule.pattern_texts, ", "));
  if (!rule.except_texts.empty()) {
    text += fmt::format(" except {}", fmt::join(rule.except_texts, ", "));
  }
  return text + when_of(rule);
}

std::vector<AccessRow> list_access(const PolicySet& policy, const AccessFilter& filter) {
  return Lister(policy, filter).run();
}

}  // namespace reeve::policy
