// Truth is a set here: what a condition may have been for the call. A rule without a condition is
// true; one of times and models alone is judged; of the others, those that stand in the policy of
// before are what the decision of then leaves open. Tested by tests/policy/replay_test.cc.
#include "policy/replay.h"

#include <algorithm>

#include "policy/compiled.h"
#include "policy/malformed.h"

namespace reeve::policy {

namespace {

constexpr uint8_t kFalseBit = 1, kDoubtBit = 2, kTrueBit = 4, kAnyBits = 7;

uint8_t bit_of(Truth truth) {
  return truth == Truth::kFalse ? kFalseBit : truth == Truth::kDoubt ? kDoubtBit : kTrueBit;
}

// The rules that select the call and hold at its time, in the order in which they decide.
std::vector<const CompiledRule*> rules_on(const PolicySet& policy, AgentId agent,
                                          const Call& call) {
  std::vector<const CompiledRule*> rules;
  find_rule(policy.compiled(), agent, call, [&](const CompiledRule& rule) {
    if (rule.holds_at(call.time)) rules.push_back(&rule);
    return false;
  });
  std::sort(rules.begin(), rules.end());
  rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
  return rules;
}

std::string_view condition_of(const CompiledRule& rule, const Conditions& conditions) {
  const auto found = conditions.find(to_string(rule.info.at));
  return found == conditions.end() ? std::string_view{} : found->second;
}

bool reads_only_what_is_recorded(const Condition& condition) {
  return !condition.reads(ValueRef::Root::kArgs) && !condition.reads(ValueRef::Root::kQuery) &&
         !condition.reads(ValueRef::Root::kHeader);
}

// Of rules of one effect, whether one may match and whether one must.
struct Matching {
  bool may = false;
  bool must = false;
  const CompiledRule* first = nullptr;  // that may

  void add(const CompiledRule& rule, uint8_t truth, uint8_t matches) {
    if ((truth & matches) == 0) return;
    may = true;
    must = must || (truth & ~matches & kAnyBits) == 0;
    if (!first) first = &rule;
  }
};

}  // namespace

Replay::Replay(const PolicySet* before, const Conditions* conditions_before, const PolicySet& after,
               const Conditions& conditions_after)
    : before_(before),
      conditions_before_(conditions_before),
      after_(after),
      conditions_after_(conditions_after) {}

Replay::Known Replay::infer(const RecordedCall& recorded) const {
  Known known;
  const auto agent = before_ ? before_->find_agent(recorded.agent) : std::nullopt;
  if (!agent) return known;
  const auto rules = rules_on(*before_, *agent, recorded.call);
  const auto decided = std::find_if(rules.begin(), rules.end(), [&](const CompiledRule* rule) {
    return rule->info.id == recorded.rule;
  });
  // Another policy than this one made the decision.
  if (decided == rules.end() && !recorded.rule.empty()) return known;
  const auto narrow = [&](const CompiledRule& rule, uint8_t truths) {
    if (!rule.when) return;
    known.try_emplace(condition_of(rule, *conditions_before_), kAnyBits).first->second &= truths;
  };
  for (auto rule = rules.begin(); rule != decided; ++rule) {
    // An ask in doubt matches only where something else grants the call.
    const bool grants = recorded.verdict == Verdict::kAllow;
    const bool doubt_matches =
        (*rule)->info.effect == Effect::kDeny || ((*rule)->info.effect == Effect::kAsk && grants);
    narrow(**rule, doubt_matches ? kFalseBit : kFalseBit | kDoubtBit);
  }
  if (decided != rules.end()) {
    const bool is_allow = (*decided)->info.effect == Effect::kAllow;
    narrow(**decided, is_allow ? kTrueBit : kTrueBit | kDoubtBit);
  }
  return known;
}

Possible Replay::decide(const RecordedCall& recorded) const {
  Possible possible;
  const auto agent = after_.find_agent(recorded.agent);
  if (!agent) {
    possible.deny = true;
    possible.state = "unknown-agent";
    return possible;
  }
  const Call& call = recorded.call;
  const bool serves = call.kind == Kind::kMethod && is_housekeeping(call.action);
  if (serves || call.kind == Kind::kMethod || malformed(call)) {
    // These have no arguments that rules read.
    const Decision decision =
        serves ? after_.decide_housekeeping(*agent, call) : after_.decide(*agent, call);
    possible.allow = decision.allowed();
    possible.ask = decision.verdict == Verdict::kAsk;
    possible.deny = !possible.allow && !possible.ask;
    possible.rule = decision.rule;
    return possible;
  }
  const Decision state = after_.may_use(*agent, call.upstream, call.time);
  if (state.reason != Reason::kRule && state.reason != Reason::kDefault) {
    possible.deny = true;
    possible.state = to_string(state.reason);
    return possible;
  }
  const Known known = infer(recorded);
  Matching deny, ask_true, ask_doubt, allow;
  for (const CompiledRule* rule : rules_on(after_, *agent, call)) {
    uint8_t truth = kTrueBit;
    if (rule->when && reads_only_what_is_recorded(*rule->when)) {
      truth = bit_of(rule->when->evaluate(call));
    } else if (rule->when) {
      const auto inferred = known.find(condition_of(*rule, conditions_after_));
      truth = inferred == known.end() ? kAnyBits : inferred->second;
    }
    switch (rule->info.effect) {
      case Effect::kDeny:
        deny.add(*rule, truth, kTrueBit | kDoubtBit);
        break;
      case Effect::kAsk:
        ask_true.add(*rule, truth, kTrueBit);
        ask_doubt.add(*rule, truth, kTrueBit | kDoubtBit);
        break;
      case Effect::kAllow:
        allow.add(*rule, truth, kTrueBit);
        break;
    }
  }
  const bool ask_may = ask_true.may || (ask_doubt.may && allow.may);
  const bool ask_must = ask_true.must || (ask_doubt.must && allow.must);
  possible.deny = deny.may || (!ask_must && !allow.must);
  possible.ask = !deny.must && ask_may;
  possible.allow = !deny.must && !ask_must && allow.may;
  const CompiledRule* first = deny.first ? deny.first : ask_may ? ask_doubt.first : allow.first;
  possible.rule = first ? &first->info : nullptr;
  return possible;
}

}  // namespace reeve::policy
