// The evaluator against the oracle, on generated policies and calls of the whole language: every
// decision with its rule or reason, all asks, what report-mode rules would have said, what lists
// show, guards, limits, costs and what they draw on, and where bodies are read.
//
// REEVE_SEED and REEVE_ROUNDS (policies; 60 calls each) repeat or lengthen a run, REEVE_TEST_LONG=1
// compares more than a million pairs. A failure shows the seed, the policy and the call.
#include <catch2/catch.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"
#include "tests/support/reference_decision.h"
#include "tests/support/reference_spend.h"

namespace reeve::policy {
namespace {

constexpr size_t kCalls = 60;

// What the policy says of one call, in words.
struct Answer {
  std::string decision;
  std::string asks;  // of an ask
  std::string reported;
  bool could_allow = false;
  bool may_use = false;
  std::string guards;
  std::string limits;
  std::string spend;

  friend bool operator==(const Answer&, const Answer&) = default;
};

std::string to_text(const Answer& answer) {
  return answer.decision + " | asks " + answer.asks + " | reported " + answer.reported +
         (answer.could_allow ? " | shown" : " | hidden") +
         (answer.may_use ? " | usable" : " | unusable") + " | guards " + answer.guards +
         " | limits " + answer.limits + " | " + answer.spend;
}

std::string to_text(const Decision& decision) {
  if (decision.verdict == Verdict::kMalformed) return "malformed";
  return std::string(to_string(decision.verdict)) + " " +
         (decision.rule ? decision.rule->id : std::string(to_string(decision.reason)));
}

std::string spend(const PolicySet& policy, AgentId agent, const Call& call) {
  const auto spend = policy.spend(agent, call);
  if (!spend) return "refused";
  std::string text = std::to_string(spend->cost) + (spend->by_tokens ? "+tokens;" : ";");
  for (uint32_t i = 0; i < spend->count; ++i) {
    const AccountSpec& account = policy.accounts()[spend->draws[i].account];
    text +=
        " " + account.budget + "(" + account.scope + ")=" + std::to_string(spend->draws[i].amount);
  }
  return text;
}

Answer real_answer(const PolicySet& policy, AgentId agent, const Call& call) {
  Answer answer;
  const Decision decision = policy.decide(agent, call);
  answer.decision = to_text(decision);
  if (decision.verdict == Verdict::kAsk) {
    for (const RuleInfo* ask : policy.asks(agent, call)) {
      answer.asks += ask->id + ":" + policy.approver_groups()[ask->ask.group].name + ":" +
                     std::to_string(ask->ask.within.count() / 60) + " ";
    }
  }
  const RuleInfo* reported = policy.reported(agent, call, decision);
  answer.reported = reported ? reported->id : "";
  answer.could_allow = policy.could_allow(agent, call);
  answer.may_use = policy.may_use(agent, call.upstream, call.time).allowed();
  for (const GuardInfo* guard : policy.guards(agent, call)) answer.guards += guard->name + " ";
  for (const RateLimit& limit : policy.limits(agent)) {
    if (call.time < limit.until) answer.limits += limit.text + ", ";
  }
  // A call with two readings has two costs; it is refused before.
  const bool is_malformed = decision.verdict == Verdict::kMalformed;
  answer.spend = is_malformed ? "" : spend(policy, agent, call);
  return answer;
}

Answer expected_answer(const reference::Policy& policy, size_t agent, const reference::Call& call,
                       reference::Oracle& oracle, bool& disputed) {
  Answer answer;
  answer.decision = oracle.decide();
  if (answer.decision.starts_with("ask ")) {
    for (const reference::Rule* ask : oracle.asks()) {
      const int within = ask->within == 0 ? 15 : ask->within;
      answer.asks += ask->id + ":" + ask->approvers + ":" + std::to_string(within) + " ";
    }
  }
  answer.reported = oracle.reported();
  answer.could_allow = oracle.could_allow();
  answer.may_use = oracle.may_use();
  for (const std::string& guard : oracle.guards()) answer.guards += guard + " ";
  for (const std::string& limit : oracle.limits()) answer.limits += limit + ", ";
  reference::SpendOracle spend(policy, agent, call);
  answer.spend = answer.decision == "malformed" ? "" : spend.spend();
  disputed = oracle.disputed() || spend.disputed();
  return answer;
}

struct Figures {
  size_t compared = 0;
  size_t open = 0;
  size_t malformed = 0;
  size_t allowed = 0;
  size_t asked = 0;
  size_t denied_by_rule = 0;
  size_t reported = 0;
  size_t priced = 0;
  size_t unpriced = 0;
  size_t with_doubt = 0;

  void add(const Answer& answer, size_t doubts) {
    ++compared;
    malformed += answer.decision == "malformed";
    allowed += answer.decision.starts_with("allow");
    asked += answer.decision.starts_with("ask");
    denied_by_rule += answer.decision.starts_with("deny x");
    reported += !answer.reported.empty();
    priced += !answer.spend.empty() && !answer.spend.starts_with("0;");
    unpriced += answer.spend == "refused";
    with_doubt += doubts > 0;
  }
};

// REQUIRE only where they differ: an assertion costs more than a decision.
void compare(unsigned seed, Figures& figures) {
  reference::Generator generator(seed);
  const reference::Policy source = generator.policy();
  const std::string text = reference::write_yaml(source);
  CAPTURE(seed, text);
  const auto policy = testing::load(text);
  for (const char* upstream : {"u", "v", "uv", "w", "unheard"}) {
    if (policy->reads_body(upstream) == reference::reads_body(source, upstream)) continue;
    CAPTURE(upstream);
    REQUIRE(policy->reads_body(upstream) == reference::reads_body(source, upstream));
  }
  for (size_t i = 0; i < kCalls; ++i) {
    const reference::Call call = generator.call();
    const size_t agent = generator.next(reference::Generator::kAgents);
    const testing::RealCall real(call);
    reference::Oracle oracle(source, agent, call);
    bool disputed = false;
    const Answer expected = expected_answer(source, agent, call, oracle, disputed);
    if (disputed) {
      ++figures.open;
      continue;
    }
    const Answer got = real_answer(*policy, static_cast<AgentId>(agent), real.call());
    if (!real.parsed() || got != expected) {
      CAPTURE(testing::shown(call), agent);
      REQUIRE(real.parsed());
      REQUIRE(to_text(got) == to_text(expected));
    }
    figures.add(expected, oracle.doubts());
  }
}

TEST_CASE("generated policies of the whole language say what the oracle does") {
  const size_t policies = testing::rounds(300, 18'000);
  Figures figures;
  for (size_t round = 0; round < policies; ++round) {
    compare(testing::first_seed() + static_cast<unsigned>(round), figures);
  }
  std::printf(
      "differential: seed %u, %zu policies, %zu pairs agree (%zu allow, %zu ask, %zu deny by rule, "
      "%zu malformed, %zu reported, %zu with a cost, %zu of them refused for it, %zu met doubt), "
      "%zu left open by the language\n",
      testing::first_seed(), policies, figures.compared, figures.allowed, figures.asked,
      figures.denied_by_rule, figures.malformed, figures.reported, figures.priced, figures.unpriced,
      figures.with_doubt, figures.open);
  // The generator must reach what it is there for, and leave little out.
  if (policies < 100) return;
  CHECK(figures.allowed * 50 > figures.compared);
  CHECK(figures.asked * 50 > figures.compared);
  CHECK(figures.denied_by_rule * 50 > figures.compared);
  CHECK(figures.malformed * 1000 > figures.compared);
  CHECK(figures.reported * 100 > figures.compared);
  CHECK(figures.priced * 20 > figures.compared);
  CHECK(figures.unpriced * 1000 > figures.compared);
  CHECK(figures.with_doubt * 20 > figures.compared);
  CHECK(figures.open * 15 < figures.compared);
}

}  // namespace
}  // namespace reeve::policy
