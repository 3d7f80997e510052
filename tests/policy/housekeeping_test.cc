// What MCP itself needs: granted with the upstream, denied by a rule that says so. And that no call
// can make a decision slow.
#include <catch2/catch.hpp>
#include <string>

#include "policy/explain.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;

std::string outcome(const PolicySet& policy, const CallSpec& call) {
  return std::string(outcome_of(explain(policy, "a", call, Time{})));
}

TEST_CASE("housekeeping goes with the upstream, unless a rule speaks of it") {
  struct Row {
    const char* rules;
    const char* method;
    const char* expected;
  };
  const Row rows[] = {
      {"allow: {upstream: u, tools: t}", "ping", "allow"},
      {"allow: {upstream: u, tools: t}", "tools/list", "allow"},
      {"allow: {upstream: u, tools: t}", "completion/complete", "deny"},
      {"allow: {upstream: v, tools: t}", "ping", "deny"},
      {"allow: {upstream: u, tools: t}\n    deny: {upstream: u, methods: [ping, 'tools/*']}",
       "ping", "deny"},
      {"allow: {upstream: u, tools: t}\n    deny: {upstream: u, methods: [ping, 'tools/*']}",
       "tools/list", "deny"},
      {"allow: {upstream: u, tools: t}\n    deny: {upstream: u, methods: ping}", "tools/list",
       "allow"},
      {"allow: {upstream: u, tools: t}\n    deny: {upstream: u, when: {header.x: '1'}}", "ping",
       "deny"},
      {"allow: {upstream: u, tools: t}\n    ask: {upstream: u, approvers: g}", "ping", "allow"},
      {"ask: {upstream: u, tools: t, approvers: g}", "ping", "allow"},
      {"allow: {upstream: u, tools: t}\n    ask: {upstream: u, methods: ping, approvers: g}",
       "ping", "ask"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.rules, row.method);
    const auto policy =
        load(std::string("agents: {a: {owner: o, purpose: p, team: t, roles: [r]}}\n"
                         "approvers: {g: {members: m}}\nroles:\n  r:\n    ") +
             row.rules + "\n");
    CallSpec call;
    call.upstream = "u";
    call.set_target(Kind::kMethod, row.method);
    CHECK(outcome(*policy, call) == row.expected);
  }
}

TEST_CASE("what would take too long to judge is in doubt, or malformed") {
  const auto policy = load(R"(
agents: {a: {owner: o, purpose: p, team: t, roles: [r]}}
roles:
  r:
    allow:
      - {upstream: u, tools: slow, when: {args.x: {matches: '.*a.{199}b'}}}
      - {upstream: u, tools: quick, when: {args.x: {matches: '[ab]*'}}}
      - {upstream: u, tools: glob, when: {args.x: {glob: '*a*b'}}}
      - {upstream: u, tools: many, when: {args.l.*: [1], args.l.*.a: {present: false}}}
    deny:
      - {upstream: u, tools: denied, when: {args.x: {matches: '.*a.{199}b'}}}
)");
  const auto decide = [&](const char* tool, const std::string& args) {
    CallSpec call;
    call.upstream = "u";
    call.set_target(Kind::kTool, tool);
    call.args = args;
    return outcome(*policy, call);
  };
  const auto text = [](size_t size) {
    std::string out = R"({"x":"a)";
    for (size_t i = 0; i < size; ++i) out += i % 3 == 0 ? 'a' : 'b';
    return out + "\"}";
  };
  CHECK(decide("slow", text(300)) == "allow");
  CHECK(decide("slow", text(1'000'000)) == "deny");
  CHECK(decide("denied", text(1'000'000)) == "deny");
  CHECK(decide("quick", text(1'000'000)) == "allow");
  CHECK(decide("glob", text(10'001)) == "allow");
  const auto list = [](size_t size) {
    std::string out = R"({"l":[1)";
    for (size_t i = 1; i < size; ++i) out += ",1";
    return out + "]}";
  };
  CHECK(decide("many", list(1000)) == "allow");
  CHECK(decide("many", list(999'999)) == "malformed");
}

}  // namespace
}  // namespace reeve::policy
