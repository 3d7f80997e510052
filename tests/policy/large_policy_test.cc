// A policy of 10,000 rules: loads, decides as each rule says, and explains with the right line.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/explain.h"
#include "policy/policy_set.h"

namespace reeve::policy {
namespace {

constexpr int kRoles = 1000;
constexpr int kRulesPerRole = 10;

struct Written {
  std::string text;
  std::vector<uint32_t> lines;  // of each rule
};

// Role R has ten rules on tools of its own, the last of which denies one that the first allows.
Written write_policy() {
  Written out;
  uint32_t line = 1;
  const auto add = [&](std::string text) {
    out.text += text + "\n";
    ++line;
  };
  add("agents:");
  for (int role = 0; role < kRoles; role += 100) {
    add(fmt::format("  a{}: {{owner: o, purpose: p, team: t, roles: [r{}]}}", role, role));
  }
  add("roles:");
  for (int role = 0; role < kRoles; ++role) {
    add(fmt::format("  r{}:", role));
    add("    allow:");
    for (int rule = 0; rule < kRulesPerRole; ++rule) {
      if (rule + 1 == kRulesPerRole) add("    deny:");
      out.lines.push_back(line);
      add(rule == 0 ? fmt::format("      - {{upstream: u, tools: 't{}.*'}}", role)
          : rule + 1 == kRulesPerRole
              ? fmt::format("      - {{upstream: u, tools: t{}.purge}}", role)
              : fmt::format("      - {{upstream: u{}, http: 'GET /{}/*/{}'}}", rule, role, rule));
    }
  }
  return out;
}

TEST_CASE("a policy of 10,000 rules explains with the right line") {
  const Written written = write_policy();
  const SourceFile file{"policy.yaml", written.text};
  Diagnostics diagnostics;
  const auto policy = PolicySet::load({&file, 1}, {}, diagnostics);
  REQUIRE(policy);
  REQUIRE(written.lines.size() == kRoles * kRulesPerRole);
  for (int role = 0; role < kRoles; role += 100) {
    CAPTURE(role);
    const std::string agent = fmt::format("a{}", role);
    const auto check = [&](const CallSpec& call, int rule, std::string_view outcome) {
      const Explanation explanation = explain(*policy, agent, call, {});
      CHECK(outcome_of(explanation) == outcome);
      REQUIRE(explanation.decision.rule);
      CHECK(explanation.decision.rule->at.line ==
            written.lines[static_cast<size_t>(role * kRulesPerRole + rule)]);
    };
    CallSpec call;
    call.upstream = "u";
    call.set_target(Kind::kTool, fmt::format("t{}.get", role));
    check(call, 0, "allow");
    call.set_target(Kind::kTool, fmt::format("t{}.purge", role));
    check(call, kRulesPerRole - 1, "deny");
    call.upstream = "u7";
    REQUIRE(call.set_http(fmt::format("GET /{}/x/7", role)));
    check(call, 7, "allow");
  }
}

}  // namespace
}  // namespace reeve::policy
