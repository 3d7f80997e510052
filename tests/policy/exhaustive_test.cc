// Every small policy: all sequences of up to three rules over two names for each field, and every
// call on those names and on one that no rule knows, against the oracle.
//
// REEVE_TEST_LONG=1 adds `*` to the upstreams.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_set.h"
#include "tests/support/policy_loader.h"
#include "tests/support/reference_policy.h"

namespace reeve::policy {
namespace {

std::vector<reference::Rule> all_rules(bool with_any_upstream) {
  std::vector<reference::Rule> rules;
  std::vector<const char*> upstreams = {"u", "v"};
  if (with_any_upstream) upstreams.push_back("*");
  for (const char* effect : {"allow", "deny"}) {
    for (const char* upstream : upstreams) {
      rules.push_back({effect, {upstream}, "", {}, {}, ""});
      for (const char* tool : {"a", "b", "*"}) {
        rules.push_back({effect, {upstream}, "tools", {tool}, {}, ""});
      }
    }
  }
  return rules;
}

// Compares all calls; returns how many.
size_t compare(const reference::Policy& source) {
  const std::string text = reference::write_yaml(source);
  const auto policy = testing::load(text);
  size_t calls = 0;
  for (const char* upstream : {"u", "v", "w"}) {
    for (const char* tool : {"a", "b", "c"}) {
      const Call call = testing::tool_call(upstream, tool);
      const Decision decision = policy->decide(0, call);
      std::string got(to_string(decision.verdict));
      if (decision.rule) got += " " + decision.rule->id;
      const std::string expected = reference::decide(source, 0, {upstream, "tools", "", tool});
      ++calls;
      if (got == expected && policy->could_allow(0, call) == decision.allowed()) continue;
      CAPTURE(text, upstream, tool);
      REQUIRE(got == expected);
      REQUIRE(policy->could_allow(0, call) == decision.allowed());
    }
  }
  return calls;
}

// All sequences of `left` more rules after those of the policy's role.
void compare_all(const std::vector<reference::Rule>& choices, reference::Policy& source,
                 size_t left, size_t& policies, size_t& pairs) {
  pairs += compare(source);
  ++policies;
  if (left == 0) return;
  std::vector<reference::Rule>& rules = source.roles[0].second.rules;
  for (const reference::Rule& choice : choices) {
    rules.push_back(choice);
    rules.back().id = "x" + std::to_string(rules.size());
    compare_all(choices, source, left - 1, policies, pairs);
    rules.pop_back();
  }
}

TEST_CASE("all small policies decide all calls as the oracle does") {
  const char* is_long = std::getenv("REEVE_TEST_LONG");
  const bool with_any_upstream = is_long && std::string_view(is_long) == "1";
  const auto choices = all_rules(with_any_upstream);
  reference::Policy source;
  source.roles.emplace_back("r", reference::Role{});
  source.agents.emplace_back("a", std::vector<std::string>{"r"});
  size_t policies = 0;
  size_t pairs = 0;
  compare_all(choices, source, 3, policies, pairs);
  std::printf("exhaustive: %zu policies, %zu pairs agree\n", policies, pairs);
  const size_t n = choices.size();
  CHECK(policies == 1 + n + n * n + n * n * n);
  CHECK(pairs == 9 * policies);
}

}  // namespace
}  // namespace reeve::policy
