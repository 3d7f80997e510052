// What must hold of any policy: the order of roles, rules and files changes no verdict; a deny more
// never widens, an allow more never narrows, an ask more never widens beyond asking; rules in
// report mode change nothing; a value that is not there never widens, nor lowers a cost; and
// `explain` says what decide() does. On generated policies; REEVE_SEED and REEVE_ROUNDS as in
// differential_test.
//
// One exception, exactly: a rule more, of any effect, that selects the call, holds at its time and
// reads a value on whose path a key stands in another case too, makes the call malformed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "policy/explain.h"
#include "policy/policy_set.h"
#include "policy/selector.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"
#include "tests/support/reference_decision.h"

namespace reeve::policy {
namespace {

using reference::Generator;

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

// The policy with each role in a file of its own and the rest in others, in a random order.
std::vector<SourceFile> split(const reference::Policy& policy, std::mt19937& random) {
  std::vector<SourceFile> files;
  for (const auto& role : policy.roles) files.push_back({"", reference::write_roles({role})});
  files.push_back({"", reference::write_agents(policy)});
  files.push_back({"", reference::write_duties(policy)});
  files.push_back({"", reference::write_spend(policy)});
  std::erase_if(files, [](const SourceFile& file) { return file.text.empty(); });
  std::shuffle(files.begin(), files.end(), random);
  for (size_t i = 0; i < files.size(); ++i) files[i].name = std::to_string(i) + ".yaml";
  return files;
}

void shuffle_rules(reference::Policy& policy, std::mt19937& random) {
  std::shuffle(policy.roles.begin(), policy.roles.end(), random);
  for (auto& [name, role] : policy.roles) {
    std::shuffle(role.rules.begin(), role.rules.end(), random);
    std::shuffle(role.inherits.begin(), role.inherits.end(), random);
  }
  for (auto& agent : policy.agents) std::shuffle(agent.roles.begin(), agent.roles.end(), random);
}

// The enforced rules of this effect of a policy, renamed.
std::vector<reference::Rule> rules_of(const reference::Policy& policy, const std::string& effect) {
  std::vector<reference::Rule> rules;
  for (const auto& [name, role] : policy.roles) {
    for (reference::Rule rule : role.rules) {
      if (rule.effect != effect || rule.report) continue;
      rule.id = "more-" + rule.id;
      rules.push_back(rule);
    }
  }
  return rules;
}

// The policy with these rules too, in its first role.
std::shared_ptr<const PolicySet> load_with(reference::Policy policy,
                                           const std::vector<reference::Rule>& more) {
  auto& rules = policy.roles[0].second.rules;
  rules.insert(rules.end(), more.begin(), more.end());
  return testing::load(reference::write_yaml(policy));
}

// How far a verdict lets a call go.
int reach(const Decision& decision) {
  return decision.verdict == Verdict::kAllow ? 2 : decision.verdict == Verdict::kAsk ? 1 : 0;
}

bool is_malformed(const Decision& decision) { return decision.verdict == Verdict::kMalformed; }

std::vector<std::string> ids(const std::vector<const RuleInfo*>& rules) {
  std::vector<std::string> result;
  for (const RuleInfo* rule : rules) result.push_back(rule->id);
  std::sort(result.begin(), result.end());
  return result;
}

// What may not depend on the order: all but the rule that is named.
bool same_verdict(const PolicySet& a, const PolicySet& b, AgentId agent, const Call& call) {
  const Decision x = a.decide(agent, call);
  const Decision y = b.decide(agent, call);
  if (x.verdict != y.verdict || x.reason != y.reason) return false;
  if ((x.rule == nullptr) != (y.rule == nullptr)) return false;
  if (a.could_allow(agent, call) != b.could_allow(agent, call)) return false;
  return x.verdict != Verdict::kAsk || ids(a.asks(agent, call)) == ids(b.asks(agent, call));
}

TEST_CASE("the order of roles, rules and files changes no verdict") {
  const size_t policies = testing::rounds(100, 4'000);
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 3'000'000 + static_cast<unsigned>(round);
    std::mt19937 random(seed);
    Generator generator(seed);
    const reference::Policy source = generator.policy();
    reference::Policy shuffled = source;
    shuffle_rules(shuffled, random);
    CAPTURE(seed, reference::write_yaml(source), reference::write_yaml(shuffled));
    const auto base = testing::load(reference::write_yaml(source));
    const auto reordered = testing::load(reference::write_yaml(shuffled));
    const auto in_files = load_files(split(shuffled, random));
    for (size_t i = 0; i < kCalls; ++i) {
      const reference::Call call = generator.call();
      const testing::RealCall real(call);
      // Agents are in one order in all of them.
      const auto agent = static_cast<AgentId>(generator.next(Generator::kAgents));
      if (same_verdict(*reordered, *base, agent, real.call()) &&
          same_verdict(*in_files, *base, agent, real.call())) {
        continue;
      }
      CAPTURE(testing::shown(call), agent);
      FAIL("another order, another verdict");
    }
  }
}

// Whether one of these rules gives the call a second reading.
bool gives_two_readings(const std::vector<reference::Rule>& rules, const reference::Call& call) {
  return std::any_of(rules.begin(), rules.end(), [&](const reference::Rule& rule) {
    return reference::holds_on(rule, call.day) && reference::selects(rule, call) &&
           reference::has_variant(call, rule.when);
  });
}

TEST_CASE("a rule more does what its effect says, and no more") {
  const size_t policies = testing::rounds(100, 4'000);
  size_t narrowed = 0;
  size_t widened = 0;
  size_t asked = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 4'000'000 + static_cast<unsigned>(round);
    Generator generator(seed);
    const reference::Policy source = generator.policy();
    const reference::Policy other = Generator(seed + 500'000).policy();
    CAPTURE(seed, reference::write_yaml(source), reference::write_yaml(other));
    const auto base = testing::load(reference::write_yaml(source));
    const auto calls = [&](const char* effect, auto&& holds) {
      const std::vector<reference::Rule> more = rules_of(other, effect);
      const auto policy = load_with(source, more);
      for (size_t i = 0; i < kCalls / 3; ++i) {
        const reference::Call call = generator.call();
        const testing::RealCall real(call);
        const auto agent = static_cast<AgentId>(generator.next(Generator::kAgents));
        const Decision before = base->decide(agent, real.call());
        const Decision after = policy->decide(agent, real.call());
        const bool good = is_malformed(before)  ? is_malformed(after)
                          : is_malformed(after) ? gives_two_readings(more, call)
                                                : holds(reach(before), reach(after));
        if (good) continue;
        CAPTURE(testing::shown(call), agent, effect);
        FAIL("a rule more did what it must never do");
      }
    };
    calls("deny", [&](int before, int after) {
      narrowed += after < before;
      return after <= before;
    });
    calls("allow", [&](int before, int after) {
      widened += after > before;
      return after >= before;
    });
    calls("ask", [&](int before, int after) {
      asked += after == 1 && before != 1;
      return after == before || after == 1;
    });
  }
  if (policies < 100) return;
  CHECK(narrowed > 20);
  CHECK(widened > 20);
  CHECK(asked > 20);
}

TEST_CASE("rules in report mode change nothing") {
  const size_t policies = testing::rounds(100, 4'000);
  size_t reported = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 6'000'000 + static_cast<unsigned>(round);
    Generator generator(seed);
    const reference::Policy source = generator.policy();
    const reference::Policy other = Generator(seed + 500'000).policy();
    std::vector<reference::Rule> more;
    for (const char* effect : {"allow", "deny", "ask"}) {
      for (reference::Rule& rule : rules_of(other, effect)) {
        rule.report = true;
        more.push_back(rule);
      }
    }
    const auto base = testing::load(reference::write_yaml(source));
    const auto with_reports = load_with(source, more);
    for (size_t i = 0; i < kCalls; ++i) {
      const reference::Call call = generator.call();
      const testing::RealCall real(call);
      const auto agent = static_cast<AgentId>(generator.next(Generator::kAgents));
      const Decision before = base->decide(agent, real.call());
      const Decision after = with_reports->decide(agent, real.call());
      const auto id = [](const RuleInfo* rule) { return rule ? rule->id : std::string(); };
      reported += id(with_reports->reported(agent, real.call(), after)).starts_with("more-");
      if (same_verdict(*base, *with_reports, agent, real.call()) &&
          id(before.rule) == id(after.rule) &&
          base->guards(agent, real.call()).size() ==
              with_reports->guards(agent, real.call()).size()) {
        continue;
      }
      CAPTURE(seed, reference::write_yaml(source), testing::shown(call), agent);
      FAIL("a rule in report mode decided");
    }
  }
  if (policies >= 100) CHECK(reported > 50);
}

// Takes one value away, at random: `null` in its place, or, where that leaves no list shorter,
// nothing. False when there is none.
bool take_away(reference::Value& value, Generator& generator) {
  const bool object = value.type == reference::Value::Type::kObject;
  const size_t size = object ? value.members.size() : value.items.size();
  if (size == 0) return false;
  const size_t at = generator.next(size);
  reference::Value& child = object ? value.members[at].value : value.items[at];
  if (generator.next(2) == 0 && take_away(child, generator)) return true;
  if (object && generator.next(2) == 0) {
    value.members.erase(value.members.begin() + static_cast<std::ptrdiff_t>(at));
  } else {
    child = reference::Value();
    child.type = reference::Value::Type::kNull;
  }
  return true;
}

bool take_away(reference::Call& call, Generator& generator) {
  const size_t pick = generator.next(6);
  const auto without = [&](auto& fields, bool any_case) {
    if (fields.empty()) return false;
    const std::string name = reference::folded(fields[generator.next(fields.size())].first);
    std::erase_if(fields, [&](const auto& field) {
      return (any_case ? reference::folded(field.first) : field.first) == name;
    });
    return true;
  };
  if (pick == 0) return without(call.headers, true);
  if (pick == 1) return without(call.query, false);
  if (!call.args) return false;
  if (pick > 2) return take_away(*call.args, generator);
  call.args.reset();
  return true;
}

TEST_CASE("doubt never widens, nor makes cheaper") {
  const size_t policies = testing::rounds(200, 6'000);
  size_t narrowed = 0;
  size_t dearer = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 7'000'000 + static_cast<unsigned>(round);
    Generator generator(seed);
    Generator::With with;
    with.presence = false;
    const reference::Policy source = generator.policy(with);
    const auto policy = testing::load(reference::write_yaml(source));
    for (size_t i = 0; i < kCalls; ++i) {
      const reference::Call call = generator.call();
      reference::Call less = call;
      bool is_less = false;
      for (size_t n = 1 + generator.next(6); n > 0; --n) {
        is_less = take_away(less, generator) || is_less;
      }
      if (!is_less) continue;
      const testing::RealCall real(call);
      const testing::RealCall in_doubt(less);
      const auto agent = static_cast<AgentId>(generator.next(Generator::kAgents));
      const Decision before = policy->decide(agent, real.call());
      const Decision after = policy->decide(agent, in_doubt.call());
      // What had two readings may have one now.
      if (is_malformed(before)) continue;
      const auto cost = policy->spend(agent, real.call());
      const auto cost_in_doubt = policy->spend(agent, in_doubt.call());
      const bool cheaper =
          cost_in_doubt && (!cost || cost_in_doubt->cost < cost->cost ||
                            (cost_in_doubt->count < cost->count && cost->cost > 0));
      narrowed += reach(after) < reach(before);
      dearer += cost && (!cost_in_doubt || cost_in_doubt->cost > cost->cost);
      if (reach(after) <= reach(before) && !is_malformed(after) && !cheaper) continue;
      CAPTURE(seed, reference::write_yaml(source), testing::shown(call), testing::shown(less),
              agent, reach(before), reach(after), cheaper);
      FAIL("a value less, and more is let through");
    }
  }
  if (policies < 100) return;
  CHECK(narrowed > 20);
  CHECK(dearer > 20);
}

TEST_CASE("explain says what decide does") {
  const size_t policies = testing::rounds(100, 4'000);
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 5'000'000 + static_cast<unsigned>(round);
    Generator generator(seed);
    const std::string text = reference::write_yaml(generator.policy());
    CAPTURE(seed, text);
    const auto policy = testing::load(text);
    for (size_t i = 0; i < kCalls / 3; ++i) {
      const reference::Call call = generator.call();
      const testing::RealCall real(call);
      const std::string agent = "a" + std::to_string(generator.next(Generator::kAgents));
      const AgentId id = *policy->find_agent(agent);
      const Call& asked = real.call();
      const bool serves = asked.kind == Kind::kMethod && is_housekeeping(asked.action);
      const Decision decision =
          serves ? policy->decide_housekeeping(id, asked) : policy->decide(id, asked);
      const Explanation explanation = explain(*policy, agent, testing::to_spec(call), Time{});
      const bool priced = static_cast<bool>(policy->spend(id, real.call()));
      const bool refused = reach(decision) > 0 && !priced;  // for its price
      const bool named =
          std::none_of(explanation.near.begin(), explanation.near.end(), [&](const NearRule& near) {
            return (near.rule == decision.rule && !refused) || near.why.empty();
          });
      const bool same =
          refused
              ? outcome_of(explanation) == "deny" && explanation.decision.reason == Reason::kPrice
              : outcome_of(explanation) == to_string(decision.verdict) &&
                    explanation.decision.rule == decision.rule &&
                    explanation.reported == policy->reported(id, real.call(), decision);
      const bool duties = reach(decision) == 0 || refused ||
                          (explanation.guards == policy->guards(id, real.call()) &&
                           (decision.verdict != Verdict::kAsk ||
                            explanation.asks == policy->asks(id, real.call())));
      if (same && named && duties) continue;
      CAPTURE(testing::shown(call), agent, outcome_of(explanation), explanation.fault, same, named,
              duties);
      FAIL("explain and decide differ");
    }
  }
}

}  // namespace
}  // namespace reeve::policy
