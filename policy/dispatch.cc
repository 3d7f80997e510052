// See dispatch.h. Tested by tests/policy/dispatch_test.cc.
#include "policy/dispatch.h"

#include <algorithm>

#include "policy/args_reader.h"
#include "policy/compiled.h"

namespace reeve::policy {

const DispatchInfo* find_dispatch(const ServerInfo& server, std::string_view tool) {
  for (const DispatchInfo& dispatch : server.dispatch) {
    if (dispatch.tool == tool) return &dispatch;
  }
  return nullptr;
}

const char* InnerCall::read(const ServerInfo& server, const DispatchInfo& dispatch,
                            const Call& outer) {
  if (!outer.args) return "a dispatch tool without arguments";
  ArgsReader reader(outer);
  const ArgsReader::Found named = reader.read(dispatch.inner_tool);
  const ArgsReader::Found given =
      dispatch.inner_args.steps.empty() ? ArgsReader::Found{} : reader.read(dispatch.inner_args);
  if (named.has_variant || given.has_variant) {
    return "a key that equals, but for case, one that names the inner call";
  }
  const std::optional<json::Value>& name = named.value;
  if (!name || !name->is_string()) return "a dispatch tool whose inner name is absent or no text";
  std::string scratch;
  name_ = name->text(scratch);
  if (find_dispatch(server, name_)) return "a dispatch tool that names a dispatch tool";
  if (const char* fault = read_args(given.value)) return fault;
  call_ = outer;
  call_.target = name_;
  call_.args = args_ ? &*args_ : nullptr;
  return nullptr;
}

const char* InnerCall::read_args(const std::optional<json::Value>& args) {
  args_.reset();
  if (!args) return nullptr;
  if (args->is_object()) {
    args_ = args;
    return nullptr;
  }
  if (!args->is_string()) return "a dispatch tool whose inner arguments are no object";
  std::string scratch;
  text_ = args->text(scratch);
  args_ = parser_.parse(text_);
  if (!args_) return "a dispatch tool whose inner arguments are no strict JSON";
  if (!args_->is_object()) return "a dispatch tool whose inner arguments are no object";
  return nullptr;
}

namespace {

// Whether a deny rule leaves no tool on the upstreams that it covers.
bool denies_all_tools(const CompiledRule& rule) {
  const CompiledSelector& selector = rule.selector;
  if (rule.info.effect != Effect::kDeny || rule.when || selector.has_except()) return false;
  if (selector.kind() == SelectorKind::kAll) return true;
  return selector.kind() == SelectorKind::kTools &&
         std::any_of(selector.patterns().begin(), selector.patterns().end(),
                     [](const TargetPattern& pattern) {
                       return pattern.pattern().shape() == Pattern::Shape::kPrefix &&
                              pattern.pattern().prefix().empty();
                     });
}

}  // namespace

bool is_dispatch(const PolicySet& policy, const Call& call) {
  if (call.kind != Kind::kTool) return false;
  const ServerInfo* const server = policy.server(call.upstream);
  return server && find_dispatch(*server, call.target);
}

const char* DispatchedCall::read(const PolicySet& policy) {
  const ServerInfo& server = *policy.server(outer_.upstream);
  return inner_.read(server, *find_dispatch(server, outer_.target), outer_);
}

Decision DispatchedCall::decide(const PolicySet& policy, AgentId agent) const {
  return policy.decide_dispatched(agent, outer_, inner());
}

const RuleInfo* DispatchedCall::reported(const PolicySet& policy, AgentId agent,
                                         const Decision& decision) const {
  const RuleInfo* of_inner = policy.reported(agent, inner(), decision);
  if (decision.denied()) return of_inner;
  const RuleInfo* of_outer = policy.reported(agent, outer_, decision);
  // Rules lie in the policy's order.
  return !of_inner || (of_outer && of_outer < of_inner) ? of_outer : of_inner;
}

std::vector<const RuleInfo*> DispatchedCall::asks(const PolicySet& policy, AgentId agent) const {
  std::vector<const RuleInfo*> asks = policy.asks(agent, inner());
  for (const RuleInfo* ask : policy.asks(agent, outer_)) asks.push_back(ask);
  std::sort(asks.begin(), asks.end());
  asks.erase(std::unique(asks.begin(), asks.end()), asks.end());
  return asks;
}

bool could_dispatch(const PolicySet& policy, AgentId agent, const Call& outer) {
  const PolicySet::Compiled& compiled = policy.compiled();
  if (compiled.report) return policy.could_allow(agent, outer);  // hides nothing
  if (!policy.may_use(agent, outer.upstream, outer.time).allowed()) return false;
  const ServerInfo& server = *policy.server(outer.upstream);
  bool some = false;  // rules lie in the order in which they decide: denies come first
  for (const uint32_t index : compiled.role_sets[compiled.agent_states[agent].role_set].rules) {
    const CompiledRule& rule = compiled.rules[index];
    const CompiledSelector& selector = rule.selector;
    if (!rule.holds_at(outer.time) || !selector.covers_upstream(outer.upstream)) continue;
    if (rule.info.effect == Effect::kDeny) {
      if (denies_all_tools(rule) || (!rule.when && selector.matches_target(outer))) return false;
      continue;
    }
    if (selector.kind() == SelectorKind::kAll) return true;
    if (selector.kind() != SelectorKind::kTools) continue;
    some = some || std::any_of(selector.patterns().begin(), selector.patterns().end(),
                               [&](const TargetPattern& pattern) {
                                 if (!pattern.pattern().is_exact()) return true;
                                 Call inner = outer;
                                 inner.target = pattern.pattern().prefix();
                                 return !find_dispatch(server, inner.target) &&
                                        policy.could_allow(agent, inner);
                               });
  }
  return some;
}

}  // namespace reeve::policy
