// Every small policy against the oracle: all sequences of up to three rules, of every effect, over
// two selectors, without a condition or with one that is true, false or in doubt, enforced or
// reported; and every call of a small alphabet, one upstream and one tool of it known to no rule.
// Sequences that differ only in how rules of different effects are mixed are one policy.
//
// REEVE_TEST_LONG=1 adds a selector over every upstream, and sequences of four over one selector.
#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"
#include "tests/support/reference_decision.h"

namespace reeve::policy {
namespace {

// `args.KEY: 1`; the calls have `yes` as 1, `no` as 0, and no other.
reference::Condition condition(const char* key) {
  reference::Part part;
  part.root = "args";
  part.steps = {key};
  reference::Op is;
  is.key = "is";
  is.scalars.push_back({reference::Scalar::Type::kNumber, "1", false});
  part.test = {is};
  return {part};
}

std::vector<reference::Rule> all_rules(const std::vector<reference::Selector>& selectors) {
  std::vector<reference::Rule> rules;
  for (const char* effect : {"deny", "ask", "allow"}) {
    for (const reference::Selector& selector : selectors) {
      for (const char* key : {"", "yes", "no", "absent"}) {
        for (const bool report : {false, true}) {
          reference::Rule rule;
          rule.effect = effect;
          rule.selector = selector;
          if (*key) rule.when = condition(key);
          rule.report = report;
          if (rule.effect == "ask") rule.approvers = "g";
          rules.push_back(rule);
        }
      }
    }
  }
  return rules;
}

std::vector<reference::Call> all_calls() {
  std::vector<reference::Call> calls;
  for (const char* upstream : {"u", "w"}) {
    for (const char* tool : {"a", "b"}) {
      reference::Call call;
      call.upstream = upstream;
      call.kind = "tools";
      call.target = tool;
      call.args.emplace();
      call.args->type = reference::Value::Type::kObject;
      for (const auto& [key, number] : {std::pair{"yes", "1"}, {"no", "0"}}) {
        reference::Value value;
        value.type = reference::Value::Type::kNumber;
        value.text = number;
        call.args->members.push_back({key, value});
      }
      calls.push_back(call);
    }
  }
  return calls;
}

class Enumeration {
 public:
  explicit Enumeration(const std::vector<reference::Selector>& selectors)
      : choices_(all_rules(selectors)) {
    source_.groups = {"g"};
    source_.roles.emplace_back("r", reference::Role{});
    source_.agents.push_back({"a", {"r"}});
    for (const reference::Call& call : calls_) {
      real_.push_back(std::make_unique<testing::RealCall>(call));
      REQUIRE(real_.back()->parsed());
    }
  }

  // All sequences of `left` more rules, not before `from` in the order of effects.
  void run(size_t left, const std::string& from = "deny") {
    compare();
    if (left == 0) return;
    std::vector<reference::Rule>& rules = source_.roles[0].second.rules;
    bool reached = false;
    for (const reference::Rule& choice : choices_) {
      reached = reached || choice.effect == from;
      if (!reached) continue;
      rules.push_back(choice);
      rules.back().id = "x" + std::to_string(rules.size());
      run(left - 1, choice.effect);
      rules.pop_back();
    }
  }

  size_t policies() const { return policies_; }
  size_t pairs() const { return pairs_; }
  size_t choices() const { return choices_.size(); }

 private:
  struct Answer {
    std::string decision, asks, reported;
    bool could_allow = false;
    friend bool operator==(const Answer&, const Answer&) = default;
  };

  static Answer real_answer(const PolicySet& policy, const Call& call) {
    Answer answer;
    const Decision decision = policy.decide(0, call);
    answer.decision = std::string(to_string(decision.verdict)) + " " +
                      (decision.rule ? decision.rule->id : "default");
    if (decision.verdict == Verdict::kAsk) {
      for (const RuleInfo* ask : policy.asks(0, call)) answer.asks += ask->id + " ";
    }
    const RuleInfo* reported = policy.reported(0, call, decision);
    if (reported) answer.reported = reported->id;
    answer.could_allow = policy.could_allow(0, call);
    return answer;
  }

  Answer expected_answer(const reference::Call& call) const {
    reference::Oracle oracle(source_, 0, call);
    Answer answer;
    answer.decision = oracle.decide();
    if (answer.decision.starts_with("ask")) {
      for (const reference::Rule* ask : oracle.asks()) answer.asks += ask->id + " ";
    }
    answer.reported = oracle.reported();
    answer.could_allow = oracle.could_allow();
    return answer;
  }

  void compare() {
    const std::string text = reference::write_yaml(source_);
    const auto policy = testing::load(text);
    ++policies_;
    for (size_t i = 0; i < calls_.size(); ++i) {
      ++pairs_;
      const Answer expected = expected_answer(calls_[i]);
      const Answer got = real_answer(*policy, real_[i]->call());
      if (got == expected) continue;
      CAPTURE(text, testing::shown(calls_[i]));
      REQUIRE(got.decision == expected.decision);
      REQUIRE(got.asks == expected.asks);
      REQUIRE(got.reported == expected.reported);
      REQUIRE(got.could_allow == expected.could_allow);
    }
  }

  const std::vector<reference::Rule> choices_;
  const std::vector<reference::Call> calls_ = all_calls();
  std::vector<std::unique_ptr<testing::RealCall>> real_;
  reference::Policy source_;
  size_t policies_ = 0;
  size_t pairs_ = 0;
};

// All policies of up to `most` rules over these selectors.
void enumerate(const std::vector<reference::Selector>& selectors, size_t most) {
  Enumeration all(selectors);
  all.run(most);
  std::printf("exhaustive: %zu policies of up to %zu rules, %zu pairs agree\n", all.policies(),
              most, all.pairs());
  // Of each effect n rules; of k in all there are as many kinds as ways to share k among three.
  const size_t n = all.choices() / 3;
  size_t policies = 0;
  size_t power = 1;
  for (size_t k = 0; k <= most; ++k, power *= n) policies += (k + 1) * (k + 2) / 2 * power;
  CHECK(all.policies() == policies);
  CHECK(all.pairs() == 4 * policies);
}

TEST_CASE("all small policies decide all calls as the oracle does") {
  const reference::Selector one{{"u"}, "tools", {"a"}, {}};
  const reference::Selector upstream{{"u"}, "", {}, {}};
  const reference::Selector anywhere{{"*"}, "tools", {"*"}, {"b"}};
  if (!testing::is_long()) return enumerate({one, upstream}, 3);
  enumerate({one, upstream, anywhere}, 3);
  enumerate({upstream}, 4);
}

}  // namespace
}  // namespace reeve::policy
