// The evaluator against the oracle: generated policies with conditions, generated calls with
// arguments, every verdict and every named rule the same.
//
// REEVE_SEED and REEVE_ROUNDS (policies; 60 calls each) repeat or lengthen a run, REEVE_TEST_LONG=1
// compares more than a million pairs. A failure shows the seed, the policy and the call.
#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

#include "policy/policy_set.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

constexpr size_t kCalls = 60;

std::string decide(const PolicySet& policy, size_t agent, const Call& call) {
  const Decision decision = policy.decide(static_cast<AgentId>(agent), call);
  std::string text(to_string(decision.verdict));
  if (decision.rule) text += " " + decision.rule->id;
  return text;
}

struct Figures {
  size_t compared = 0;
  size_t open = 0;
  size_t malformed = 0;
  size_t allowed = 0;
  size_t denied_by_rule = 0;
  size_t with_doubt = 0;
};

// REQUIRE only where they differ: an assertion costs more than a decision.
void compare(unsigned seed, Figures& figures) {
  testing::CaseGenerator generator(seed);
  const testing::ConditionalPolicy source = generator.policy();
  const std::string text = testing::write_yaml(source);
  CAPTURE(seed, text);
  const auto policy = testing::load(text);
  for (size_t i = 0; i < kCalls; ++i) {
    const testing::GeneratedCall call = generator.call();
    const size_t agent = generator.next(3);
    const testing::RealCall real(call);
    const testing::OracleDecision expected = testing::Oracle(source, agent, call).decide();
    if (expected.disputed) {
      ++figures.open;
      continue;
    }
    const std::string got = decide(*policy, agent, real.call());
    if (!real.parsed() || got != expected.text) {
      CAPTURE(call.shown(), agent);
      REQUIRE(real.parsed());
      REQUIRE(got == expected.text);
    }
    ++figures.compared;
    figures.malformed += got == "malformed";
    figures.allowed += got.starts_with("allow");
    figures.denied_by_rule += got.starts_with("deny ");
    figures.with_doubt += expected.doubts > 0;
  }
}

TEST_CASE("generated policies with conditions decide as the oracle does") {
  const size_t policies = testing::rounds(300, 17'500);
  Figures figures;
  for (size_t round = 0; round < policies; ++round) {
    compare(testing::first_seed() + static_cast<unsigned>(round), figures);
  }
  std::printf(
      "differential: seed %u, %zu policies, %zu pairs agree (%zu allow, %zu deny by rule, %zu "
      "malformed, %zu met doubt), %zu left open by the language\n",
      testing::first_seed(), policies, figures.compared, figures.allowed, figures.denied_by_rule,
      figures.malformed, figures.with_doubt, figures.open);
  // The generator must reach what it is there for, and leave little out.
  if (policies < 100) return;
  CHECK(figures.allowed * 50 > figures.compared);
  CHECK(figures.denied_by_rule * 50 > figures.compared);
  CHECK(figures.malformed * 1000 > figures.compared);
  CHECK(figures.with_doubt * 20 > figures.compared);
  CHECK(figures.open * 50 < figures.compared);
}

}  // namespace
}  // namespace reeve::policy
