// See explain.h. Nearness: first rules that select the call and were outranked or are over, then
// those of its kind by how little their patterns differ from the target, then the rest on the same
// upstream. Tested by tests/policy/explain_test.cc.
#include "policy/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "policy/compiled.h"
#include "policy/dispatch.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

constexpr size_t kMostNear = 8;
constexpr size_t kMostElsewhere = 3;

struct Candidate {
  size_t distance = 0;
  uint32_t order = 0;
  NearRule near;
};

std::string joined(const std::vector<std::string>& texts) {
  constexpr size_t kMost = 4;
  std::string result;
  for (size_t i = 0; i < texts.size() && i < kMost; ++i) {
    if (i > 0) result += ", ";
    result += "`" + shown(texts[i]) + "`";
  }
  if (texts.size() > kMost) result += fmt::format(" and {} more", texts.size() - kMost);
  return result;
}

std::string_view noun(Kind kind) {
  switch (kind) {
    case Kind::kTool:
      return "a tool call";
    case Kind::kResource:
      return "a resource";
    case Kind::kPrompt:
      return "a prompt";
    case Kind::kHttp:
      return "an HTTP request";
    case Kind::kConnect:
      return "a tunnel";
    case Kind::kModel:
      return "a call of a model";
    case Kind::kMethod:
      return "an MCP method of its own";
  }
  return "a call";
}

// How much two names differ: what is left after a common beginning and end.
size_t difference(std::string_view a, std::string_view b) {
  size_t front = 0;
  while (front < a.size() && front < b.size() && a[front] == b[front]) ++front;
  size_t back = 0;
  while (back < a.size() - front && back < b.size() - front &&
         a[a.size() - 1 - back] == b[b.size() - 1 - back]) {
    ++back;
  }
  return a.size() + b.size() - 2 * (front + back);
}

// The target with what the patterns of its kind have before it.
std::string subject(const Call& call) {
  if (call.kind == Kind::kHttp) return fmt::format("{} {}", call.action, call.target);
  return std::string(target_of(call));
}

class Explainer {
 public:
  Explainer(const PolicySet& policy, AgentId agent, const Call& call, Explanation& out)
      : compiled_(policy.compiled()), call_(call), out_(out) {
    set_ = &compiled_.role_sets[compiled_.agent_states[agent].role_set];
  }

  void run() {
    std::vector<Candidate> candidates;
    for (const auto* rules : {&set_->rules, &set_->reporting}) {
      for (const uint32_t index : *rules) {
        const CompiledRule& rule = compiled_.rules[index];
        if (&rule.info == out_.decision.rule || !is_about(rule.selector)) continue;
        candidates.push_back(judge(rule, index));
      }
    }
    const size_t covering = candidates.size();
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.distance, a.order) < std::tie(b.distance, b.order);
    });
    for (Candidate& candidate : candidates) {
      if (out_.near.size() == kMostNear) break;
      out_.near.push_back(std::move(candidate.near));
    }
    out_.more = covering - out_.near.size();
    if (!out_.decision.allowed()) look_elsewhere();
    const bool is_known = compiled_.find_table(call_).has_value();
    if ((covering == 0 || !is_known) && !out_.decision.rule) hint(is_known);
  }

 private:
  static constexpr size_t kFar = 1'000'000;  // behind every rule of the call's own kind

  // Whether the rule is about the upstream of the call, or about tunnels as the call is.
  bool is_about(const CompiledSelector& selector) const {
    if (call_.kind == Kind::kConnect) return selector.kind() == SelectorKind::kConnect;
    return selector.kind() != SelectorKind::kConnect && selector.covers_upstream(call_.upstream);
  }

  Candidate judge(const CompiledRule& rule, uint32_t order) const {
    const CompiledSelector& selector = rule.selector;
    if (selector.matches_target(call_)) {
      return {0, order, {&rule.info, why_outranked(rule)}};
    }
    if (selector.kind() == SelectorKind::kAll) {
      return {kFar,
              order,
              {&rule.info, "covers the methods that reeve knows; name this one in `methods`"}};
    }
    if (selector.kind() != selector_kind(call_.kind)) {
      return {kFar,
              order,
              {&rule.info, fmt::format("selects `{}`, and this is {}", to_string(selector.kind()),
                                       noun(call_.kind))}};
    }
    return {1 + nearest_pattern(rule), order, {&rule.info, why_unmatched(rule)}};
  }

  std::string why_outranked(const CompiledRule& rule) const {
    if (!rule.holds_at(call_.time)) return "matches, but its `until` is over";
    if (rule.info.report && rule.applies(call_)) return "matches, but is only reported";
    if (rule.when && !rule.applies(call_)) return why_condition_fails(rule);
    ArgsReader args(call_);
    if (rule.truth(call_, args) == Truth::kDoubt && rule.info.effect == Effect::kAsk &&
        out_.decision.reason == Reason::kDefault) {
      return why_condition_fails(rule) + ", and nothing grants the call";
    }
    const RuleInfo* decided = out_.decision.rule;
    if (!decided) return "matches, but the agent's state decides before any rule";
    if (decided->effect == rule.info.effect) {
      return rule.info.effect == Effect::kAsk
                 ? "matches too and must be satisfied too; the first in file order is named"
                 : "matches too; the first in file order is named";
    }
    return fmt::format("matches, but `{}` goes before `{}`", to_string(decided->effect),
                       to_string(rule.info.effect));
  }

  // Says which value, not what it must be: an explanation may go to where the policy does not.
  std::string why_condition_fails(const CompiledRule& rule) const {
    const Truth truth = rule.when->evaluate(call_);
    const Condition::Part* part = rule.when->decisive_part(call_, truth);
    const std::string value = part ? shown(part->value.text) : std::string();
    if (truth == Truth::kFalse) return fmt::format("its `when` fails at `{}`", value);
    return fmt::format(
        "its `when` is in doubt at `{}`, which is absent or of a type that the test "
        "cannot judge",
        value);
  }

  std::string why_unmatched(const CompiledRule& rule) const {
    if (rule.selector.excepts(call_)) {
      return fmt::format("its `except` takes {} out of it", quoted_subject());
    }
    if (call_.kind == Kind::kHttp) {
      for (const TargetPattern& pattern : rule.selector.patterns()) {
        if (pattern.is_whole_line() || !pattern.pattern().matches(call_.target)) continue;
        return fmt::format("its path matches, its methods do not include `{}`",
                           shown(call_.action));
      }
    }
    return fmt::format("{} {} not match {}", joined(rule.pattern_texts),
                       rule.pattern_texts.size() == 1 ? "does" : "do", quoted_subject());
  }

  std::string quoted_subject() const { return fmt::format("`{}`", shown(subject(call_))); }

  size_t nearest_pattern(const CompiledRule& rule) const {
    size_t least = kFar - 2;
    for (const std::string& text : rule.pattern_texts) {
      least = std::min(least, difference(text, subject(call_)));
    }
    return least;
  }

  // Rules of roles that the agent does not have and that would allow the call.
  void look_elsewhere() {
    size_t found = 0;
    for (uint32_t index = 0; index < compiled_.rules.size() && found < kMostElsewhere; ++index) {
      const CompiledRule& rule = compiled_.rules[index];
      if (rule.info.effect == Effect::kDeny || rule.info.report) continue;
      if (!rule.holds_at(call_.time)) continue;
      if (std::binary_search(set_->rules.begin(), set_->rules.end(), index)) continue;
      if (!rule.selector.matches(call_)) continue;
      ArgsReader args(call_);
      if (rule.truth(call_, args) != Truth::kTrue) continue;  // in doubt it would grant nothing
      ++found;
      out_.near.push_back(
          {&rule.info, fmt::format("would {} it, but the agent does not have role "
                                   "`{}`",
                                   to_string(rule.info.effect), shown(rule.info.role))});
    }
  }

  void hint(bool is_known) {
    if (call_.kind == Kind::kConnect) {
      out_.hint = "no rule of the agent's roles is about tunnels; `connect` selects them";
      return;
    }
    std::vector<std::string> names;
    for (const auto& [name, id] : compiled_.upstream_ids) names.push_back(name);
    std::sort(names.begin(), names.end());
    const std::string suggestion = nearest(call_.upstream, names);
    out_.hint =
        is_known ? fmt::format("no rule of the agent's roles is about upstream `{}`",
                               shown(call_.upstream))
                 : fmt::format("the policy does not name the upstream `{}`", shown(call_.upstream));
    if (!is_known && !suggestion.empty()) {
      out_.hint += fmt::format("; did you mean `{}`?", suggestion);
    } else if (set_->roles.empty()) {
      out_.hint += "; it has no roles";
    }
  }

  const PolicySet::Compiled& compiled_;
  const Call& call_;
  Explanation& out_;
  const RoleSet* set_ = nullptr;
};

// The way of a call as far as the policy goes, in the sidecar's order.
class Judge {
 public:
  Judge(const PolicySet& policy, AgentId agent, const Call& call, Explanation& out)
      : policy_(policy), agent_(agent), outer_(call), out_(out) {}

  void run() {
    if (!decide()) return;
    const Call& call = this->call();
    Explainer(policy_, agent_, call, out_).run();
    out_.reported = dispatched_ ? dispatched_->reported(policy_, agent_, out_.decision)
                                : policy_.reported(agent_, call, out_.decision);
    if (out_.decision.denied() && !policy_.report()) return;
    oblige(call);
  }

 private:
  const Call& call() const { return dispatched_ ? dispatched_->inner() : outer_; }

  bool decide() {
    if (is_dispatch(policy_, outer_)) {
      auto& dispatched = dispatched_.emplace(outer_);
      if (const char* fault = dispatched.read(policy_)) return malformed(fault);
      out_.dispatched = std::string(dispatched.inner().target);
      out_.decision = dispatched.decide(policy_, agent_);
    } else {
      const bool serves = outer_.kind == Kind::kMethod && is_housekeeping(outer_.action);
      out_.decision =
          serves ? policy_.decide_housekeeping(agent_, outer_) : policy_.decide(agent_, outer_);
    }
    if (out_.decision.verdict == Verdict::kMalformed) return malformed(out_.decision.detail);
    return true;
  }

  bool malformed(const char* fault) {
    out_.outcome = Explanation::Outcome::kMalformed;
    out_.fault = fault;
    return false;
  }

  void oblige(const Call& call) {
    const Result<Spend, const char*> spend = policy_.spend(agent_, call);
    if (spend) {
      out_.spend = *spend;
    } else if (!out_.decision.denied()) {
      out_.decision = {Verdict::kDeny, Reason::kPrice, nullptr, spend.error()};
      if (!policy_.report()) return;
    }
    if (out_.decision.verdict == Verdict::kAsk) {
      out_.asks = dispatched_ ? dispatched_->asks(policy_, agent_) : policy_.asks(agent_, call);
    }
    out_.guards = policy_.guards(agent_, call);
    for (const RateLimit& limit : policy_.limits(agent_)) {
      if (call.time < limit.until) out_.limits.push_back(&limit);
    }
  }

  const PolicySet& policy_;
  const AgentId agent_;
  const Call& outer_;
  Explanation& out_;
  std::optional<DispatchedCall> dispatched_;
};

}  // namespace

std::string_view outcome_of(const Explanation& explanation) {
  switch (explanation.outcome) {
    case Explanation::Outcome::kDecided:
      return to_string(explanation.decision.verdict);
    case Explanation::Outcome::kMalformed:
      return "malformed";
    case Explanation::Outcome::kUnknownAgent:
      return "unknown-agent";
  }
  return "unknown-agent";
}

Explanation explain(const PolicySet& policy, std::string_view agent, const CallSpec& call,
                    Time now) {
  Explanation result;
  const std::optional<AgentId> id = policy.find_agent(agent);
  if (!id) {
    std::vector<std::string> names;
    for (const AgentInfo& known : policy.agents()) names.push_back(known.name);
    result.outcome = Explanation::Outcome::kUnknownAgent;
    result.fault = nearest(agent, names);
    return result;
  }
  const WrittenCall written(call, policy.reads_body(call.upstream), now);
  if (!written.fault().empty()) {
    result.outcome = Explanation::Outcome::kMalformed;
    result.fault = written.fault();
    return result;
  }
  Judge(policy, *id, written.call(), result).run();
  return result;
}

}  // namespace reeve::policy
