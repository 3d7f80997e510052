// A policy replayed on calls of which only a record is left: what it would really decide, with
// arguments, query and headers, is always among what may be; and often it is the only one.
#include "policy/replay.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "policy/changes.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

struct Loaded {
  explicit Loaded(const std::string& text)
      : set(testing::load(text)),
        file{"policy.yaml", text},
        conditions(conditions_of({&file, 1})) {}
  std::shared_ptr<const PolicySet> set;
  SourceFile file;
  Conditions conditions;
};

const std::string kAgents =
    "agents:\n  ann: {owner: o, purpose: p, team: t, roles: [r], expires: 2999-01-01}\n"
    "approvers: {leads: {members: [lee@acme.example]}}\n";

Loaded policy_of(const std::string& rules) { return Loaded(kAgents + "roles:\n  r:\n" + rules); }

std::string replay(const Loaded& before, const Loaded& after, Verdict verdict, const char* rule,
                   const char* agent = "ann") {
  RecordedCall recorded;
  recorded.agent = agent;
  recorded.call = testing::tool_call("u", "pay");
  recorded.verdict = verdict;
  recorded.rule = rule;
  const Possible possible =
      Replay(before.set.get(), &before.conditions, *after.set, after.conditions).decide(recorded);
  if (!possible.state.empty()) return std::string(possible.state);
  std::string text;
  if (possible.allow) text += "allow ";
  if (possible.ask) text += "ask ";
  if (possible.deny) text += "deny ";
  return text + (possible.rule ? possible.rule->id : "default");
}

TEST_CASE("replay: what was decided then tells what conditions came to") {
  const Loaded base = policy_of(
      "    allow: [{id: pay, upstream: u, tools: pay, when: {args.n: {max: 9}}}]\n"
      "    deny: [{id: no, upstream: u, tools: pay, when: {args.to: mallory}}]\n");
  // The same conditions in another place, order and under other names.
  const Loaded moved = policy_of(
      "    deny: [{id: a, upstream: \"*\", tools: \"*\", when: {args.to: mallory}}]\n"
      "    allow: [{id: b, upstream: u, tools: [pay, x], when: {args.n: {max: 9}}}]\n");
  CHECK(replay(base, moved, Verdict::kAllow, "pay") == "allow b");
  CHECK(replay(base, moved, Verdict::kDeny, "no") == "deny a");
  CHECK(replay(base, moved, Verdict::kDeny, "") == "deny default");
  // Another condition is open, one more that may deny is, too.
  const Loaded tighter =
      policy_of("    allow: [{id: pay, upstream: u, tools: pay, when: {args.n: {max: 5}}}]\n");
  CHECK(replay(base, tighter, Verdict::kAllow, "pay") == "allow deny pay");
  const Loaded asks = policy_of(
      "    allow: [{id: pay, upstream: u, tools: pay, when: {args.n: {max: 9}}}]\n"
      "    ask: [{id: sure, upstream: u, tools: pay, approvers: leads}]\n");
  CHECK(replay(base, asks, Verdict::kAllow, "pay") == "ask sure");
  CHECK(replay(base, policy_of("    allow: [{upstream: u, tools: x}]\n"), Verdict::kAllow, "pay") ==
        "deny default");
  // A rule that the policy of before does not have: another one decided, and nothing is known.
  CHECK(replay(base, moved, Verdict::kAllow, "other") == "allow deny a");
  CHECK(replay(base, moved, Verdict::kAllow, "pay", "bob") == "unknown-agent");
}

TEST_CASE("replay: what is really decided is among what may be") {
  const size_t policies = testing::rounds(150, 6'000);
  size_t replayed = 0, told = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 9'000'000 + static_cast<unsigned>(round);
    std::mt19937 random(seed);
    reference::Generator generator(seed);
    const reference::Policy source = generator.policy({.spend = false});
    reference::Policy changed = source;
    for (auto& [name, role] : changed.roles) {
      std::erase_if(role.rules, [&](const auto&) { return random() % 6 == 0; });
      for (reference::Rule& rule : role.rules) {
        if (random() % 8 == 0 && rule.effect != "ask") rule.effect = "deny";
      }
    }
    for (auto& agent : changed.agents) {
      if (random() % 4 == 0) agent.roles = {"r0"};
    }
    const Loaded before(reference::write_yaml(source)), after(reference::write_yaml(changed));
    CAPTURE(seed, before.file.text, after.file.text);
    const Replay replay(before.set.get(), &before.conditions, *after.set, after.conditions);
    for (size_t i = 0; i < 60; ++i) {
      const reference::Call made = generator.call();
      const testing::RealCall real(made);
      if (!real.parsed()) continue;
      CAPTURE(testing::shown(made));
      const auto agent = static_cast<AgentId>(i % reference::Generator::kAgents);
      const Call& call = real.call();
      if (call.kind == Kind::kMethod) continue;  // decided anew, not inferred
      const Decision was = before.set->decide(agent, call);
      const Decision is = after.set->decide(agent, call);
      const bool by_rules = was.reason == Reason::kRule || was.reason == Reason::kDefault;
      if (!by_rules || is.verdict == Verdict::kMalformed) continue;
      RecordedCall recorded;
      recorded.agent = before.set->agents()[agent].name;
      recorded.call = call;
      recorded.call.args = nullptr;
      recorded.call.query = {};
      recorded.call.headers = {};
      recorded.verdict = was.verdict;
      if (was.rule) recorded.rule = was.rule->id;
      const Possible possible = replay.decide(recorded);
      REQUIRE(possible.maybe(is.verdict));
      ++replayed;
      if (possible.certainly(is.verdict)) ++told;
    }
  }
  CHECK(told > replayed * 7 / 10);
}

}  // namespace
}  // namespace reeve::policy
