// What must hold of any policy, with conditions and arguments: the order of roles, rules and files
// changes no verdict, a deny more never widens, an allow more never narrows, and `explain` says
// what decide() does. On generated policies; REEVE_SEED and REEVE_ROUNDS as in differential_test.
//
// A rule more can make a call malformed, whatever its effect: a condition that reads a key makes
// one in another case a second reading. So a call that the larger policy finds malformed is left
// out where an allow more is said not to narrow.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "policy/explain.h"
#include "policy/policy_set.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::ConditionalPolicy;

constexpr size_t kCalls = 60;

std::shared_ptr<const PolicySet> load_files(const std::vector<SourceFile>& files) {
  Diagnostics diagnostics;
  auto policy = PolicySet::load(files, {}, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity == Severity::kError) UNSCOPED_INFO(to_string(diagnostic));
  }
  REQUIRE(policy);
  return policy;
}

// The policy with its agents in one file and each role in its own, in a random order.
std::vector<SourceFile> split(const ConditionalPolicy& policy, std::mt19937& random) {
  std::vector<SourceFile> files;
  for (const auto& role : policy.rules.roles) {
    ConditionalPolicy one;
    one.rules.roles.push_back(role);
    one.conditions = policy.conditions;
    std::string text = testing::write_yaml(one);
    const std::string_view no_agents = "agents:\n";
    text.erase(text.find(no_agents), no_agents.size());
    files.push_back({"", text});
  }
  ConditionalPolicy agents;
  agents.rules.agents = policy.rules.agents;
  std::string text = testing::write_yaml(agents);
  text.resize(text.size() - std::string_view("roles:\n").size());
  files.push_back({"", text});
  std::shuffle(files.begin(), files.end(), random);
  for (size_t i = 0; i < files.size(); ++i) files[i].name = std::to_string(i) + ".yaml";
  return files;
}

void shuffle_rules(ConditionalPolicy& policy, std::mt19937& random) {
  std::shuffle(policy.rules.roles.begin(), policy.rules.roles.end(), random);
  for (auto& [name, role] : policy.rules.roles) {
    std::shuffle(role.rules.begin(), role.rules.end(), random);
    std::shuffle(role.inherits.begin(), role.inherits.end(), random);
  }
  for (auto& [name, roles] : policy.rules.agents) std::shuffle(roles.begin(), roles.end(), random);
}

// `policy` and the rules of this effect of another one, all in its first role.
ConditionalPolicy with_more(ConditionalPolicy policy, const ConditionalPolicy& other,
                            const std::string& effect) {
  for (const auto& [name, role] : other.rules.roles) {
    for (reference::Rule rule : role.rules) {
      if (rule.effect != effect) continue;
      const auto condition = other.conditions.find(rule.id);
      rule.id = "more-" + rule.id;
      if (condition != other.conditions.end()) policy.conditions[rule.id] = condition->second;
      policy.rules.roles[0].second.rules.push_back(rule);
    }
  }
  return policy;
}

bool same_ground(const Decision& a, const Decision& b) {
  if (a.verdict != b.verdict || a.reason != b.reason) return false;
  return (a.rule == nullptr) == (b.rule == nullptr);
}

TEST_CASE("the order of roles, rules and files changes no verdict") {
  const size_t policies = testing::rounds(100, 4'000);
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 3'000'000 + static_cast<unsigned>(round);
    std::mt19937 random(seed);
    testing::CaseGenerator generator(seed);
    const ConditionalPolicy source = generator.policy();
    ConditionalPolicy shuffled = source;
    shuffle_rules(shuffled, random);
    CAPTURE(seed, testing::write_yaml(source), testing::write_yaml(shuffled));
    const auto base = testing::load(testing::write_yaml(source));
    const auto reordered = testing::load(testing::write_yaml(shuffled));
    const auto in_files = load_files(split(shuffled, random));
    for (size_t i = 0; i < kCalls; ++i) {
      const testing::GeneratedCall call = generator.call();
      const testing::RealCall real(call);
      const std::string agent = "a" + std::to_string(generator.next(3));
      const Decision expected = base->decide(*base->find_agent(agent), real.call());
      const bool same =
          same_ground(reordered->decide(*reordered->find_agent(agent), real.call()), expected) &&
          same_ground(in_files->decide(*in_files->find_agent(agent), real.call()), expected);
      if (same) continue;
      CAPTURE(call.shown(), agent);
      FAIL("another order, another verdict");
    }
  }
}

TEST_CASE("a deny more never widens, an allow more never narrows") {
  const size_t policies = testing::rounds(100, 4'000);
  size_t narrowed = 0;
  size_t widened = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 4'000'000 + static_cast<unsigned>(round);
    testing::CaseGenerator generator(seed);
    const ConditionalPolicy source = generator.policy();
    const ConditionalPolicy other = testing::CaseGenerator(seed + 500'000).policy();
    CAPTURE(seed, testing::write_yaml(source), testing::write_yaml(other));
    const auto base = testing::load(testing::write_yaml(source));
    const auto narrower = testing::load(testing::write_yaml(with_more(source, other, "deny")));
    const auto wider = testing::load(testing::write_yaml(with_more(source, other, "allow")));
    for (size_t i = 0; i < kCalls; ++i) {
      const testing::GeneratedCall call = generator.call();
      const testing::RealCall real(call);
      const auto agent = static_cast<AgentId>(generator.next(3));
      const Decision before = base->decide(agent, real.call());
      const Decision less = narrower->decide(agent, real.call());
      const Decision more = wider->decide(agent, real.call());
      const bool is_malformed = before.verdict == Verdict::kMalformed;
      bool holds = before.allowed() || !less.allowed();
      holds = holds && (!before.allowed() || more.allowed() || more.verdict == Verdict::kMalformed);
      // What was malformed stays so.
      holds = holds && (!is_malformed || (less.verdict == Verdict::kMalformed &&
                                          more.verdict == Verdict::kMalformed));
      narrowed += before.allowed() && less.denied();
      widened += before.denied() && more.allowed();
      if (holds) continue;
      CAPTURE(call.shown(), agent);
      FAIL("a rule more did what it must never do");
    }
  }
  if (policies < 100) return;
  CHECK(narrowed > 50);
  CHECK(widened > 50);
}

CallSpec to_spec(const testing::GeneratedCall& call) {
  CallSpec spec;
  spec.upstream = call.target.upstream;
  spec.headers = call.headers;
  if (call.target.kind == "http") {
    const std::string query = call.query_text();
    spec.kind = Kind::kHttp;
    spec.action = call.target.method;
    spec.target = call.target.target + (query.empty() ? "" : "?" + query);
    if (call.args) {
      spec.headers.emplace_back("Content-Type", "application/json");
      spec.body = reference::write_json(*call.args);
    }
    return spec;
  }
  spec.set_target(testing::to_kind(call.target.kind), call.target.target);
  if (call.args) spec.args = reference::write_json(*call.args);
  return spec;
}

TEST_CASE("explain says what decide does") {
  const size_t policies = testing::rounds(100, 4'000);
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 5'000'000 + static_cast<unsigned>(round);
    testing::CaseGenerator generator(seed);
    const std::string text = testing::write_yaml(generator.policy());
    CAPTURE(seed, text);
    const auto policy = testing::load(text);
    for (size_t i = 0; i < kCalls / 3; ++i) {
      const testing::GeneratedCall call = generator.call();
      const testing::RealCall real(call);
      const std::string agent = "a" + std::to_string(generator.next(3));
      const Decision decision = policy->decide(*policy->find_agent(agent), real.call());
      const Explanation explanation = explain(*policy, agent, to_spec(call), Time{});
      const bool named = std::none_of(
          explanation.near.begin(), explanation.near.end(),
          [&](const NearRule& near) { return near.rule == decision.rule || near.why.empty(); });
      const bool same = outcome_of(explanation) == to_string(decision.verdict) &&
                        explanation.decision.rule == decision.rule;
      if (same && named) continue;
      CAPTURE(call.shown(), agent, outcome_of(explanation), explanation.fault);
      FAIL("explain and decide differ");
    }
  }
}

}  // namespace
}  // namespace reeve::policy
