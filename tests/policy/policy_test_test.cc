// tests.yaml: how it is read, and that a case passes or fails for the right reason.
#include "policy/policy_test.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;

constexpr const char* kPolicy = R"(
agents:
  ann: {owner: o, purpose: p, team: t, roles: [r], expires: 2026-12-31}
roles:
  r:
    allow:
      - {id: get, upstream: crm, tools: get}
      - {upstream: web, http: "GET /a/**"}
      - {upstream: kb, resources: "doc:*", until: 2026-06-30}
)";

TEST_CASE("cases pass and fail") {
  const auto policy = load(kPolicy);
  struct Row {
    const char* test;
    const char* failure;  // empty: passes
  };
  const Row rows[] = {
      {"{agent: ann, call: {upstream: crm, tool: get}, expect: allow}", ""},
      {"{agent: ann, call: {upstream: crm, tool: get}, expect: allow, rule: get}", ""},
      {"{agent: ann, call: {upstream: crm, tool: get}, expect: allow, rule: other}",
       "expected allow by `other`, got allow by `get` at policy.yaml:7:9"},
      {"{agent: ann, call: {upstream: crm, tool: get}, expect: deny}",
       "expected deny, got allow by `get` at policy.yaml:7:9"},
      {"{agent: ann, call: {upstream: crm, tool: set}, expect: allow}",
       "expected allow, got deny (default)"},
      {"{agent: ann, call: {upstream: crm, tool: set}, expect: deny, rule: x}",
       "expected deny by `x`, got deny (default)"},
      {"{agent: bob, call: {upstream: crm, tool: get}, expect: unknown-agent}", ""},
      {"{agent: ann, call: {upstream: web, http: \"GET /a/b?c=1\"}, expect: allow}", ""},
      {"{agent: ann, call: {upstream: web, http: \"GET /a/%2e%2e/b\"}, expect: malformed}", ""},
      {"{agent: ann, call: {upstream: web, http: \"GET /%61/\"}, expect: allow}", ""},
      {"{agent: ann, call: {upstream: kb, resource: \"doc:x\", at: 2026-06-30T12:00:00Z}, "
       "expect: allow}",
       ""},
      {"{agent: ann, call: {upstream: kb, resource: \"doc:x\", at: 2026-07-01T12:00:00Z}, "
       "expect: deny}",
       ""},
      {"{agent: ann, call: {upstream: kb, resource: \"doc:/../x\"}, expect: malformed}", ""},
      {"{agent: ann, call: {upstream: crm, tool: get, args: {a: [1, 2.50, x, true, ~]}}, "
       "expect: allow}",
       ""},
      {"{agent: ann, call: {upstream: crm, tool: get, args_json: '{\"a\":1,\"a\":1}'}, "
       "expect: malformed}",
       ""},
      {"{agent: ann, call: {upstream: crm, prompt: get}, expect: deny}", ""},
      {"{agent: ann, call: {upstream: crm, method: ping}, expect: allow}", ""},
      {"{agent: ann, call: {connect: \"h:443\"}, expect: deny}", ""},
      {"{agent: ann, call: {upstream: crm, model: m}, expect: deny}", ""},
      {"{agent: ann, call: {upstream: crm, tool: \"get\\u200B\"}, expect: malformed}", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Diagnostics diagnostics;
    const auto tests = parse_tests(
        {"tests.yaml", std::string("policy: policy.yaml\ncases:\n  - ") + row.test}, diagnostics);
    for (const Diagnostic& diagnostic : diagnostics.all()) UNSCOPED_INFO(to_string(diagnostic));
    REQUIRE(tests);
    REQUIRE(tests->cases.size() == 1);
    CHECK(run_test(*policy, tests->cases[0], *parse_time("2026-11-22T00:00:00Z")) == row.failure);
  }
}

TEST_CASE("cases on asks, tunnels, models and prices") {
  const auto policy = load(R"(
agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}
approvers: {leads: {members: lee}}
roles:
  r:
    allow:
      - {id: refund, upstream: crm, tools: refund}
      - {connect: "*.example:443"}
      - {upstream: llm, models: "gpt*", when: {model: {not: {prefix: gpt-3}}, args.max: {max: 9}}}
      - {upstream: crm, tools: try, mode: report}
    ask:
      - {id: large, upstream: crm, tools: refund, when: {args.amount: {above: 9}}, approvers: leads}
    deny: {connect: "bad.example:*"}
prices:
  - {upstream: llm, models: gpt-4, cost: 1 USD}
  - {upstream: crm, tools: refund, cost: {from: args.amount, max: 99 USD}}
servers: {crm: {dispatch: {invoke: {tool: args.name, args: args.args}}}}
)");
  struct Row {
    const char* test;
    const char* failure;  // empty: passes
  };
  const Row rows[] = {
      {"call: {upstream: crm, tool: refund, args: {amount: 10}}, expect: ask, rule: large", ""},
      {"call: {upstream: crm, tool: refund, args: {amount: 9}}, expect: allow, rule: refund", ""},
      {"call: {upstream: crm, tool: refund, args: {amount: 9}}, expect: ask",
       "expected ask, got allow by `refund` at policy.yaml:7:9"},
      {"call: {upstream: crm, tool: refund, args: {amount: 100}}, expect: ask",
       "expected ask, got deny (price)"},
      {"call: {upstream: crm, tool: refund}, expect: deny", ""},
      {"call: {upstream: crm, tool: refund, args: {Amount: 1}}, expect: malformed", ""},
      {"call: {upstream: crm, tool: try}, expect: deny", ""},
      {"call: {upstream: crm, tool: invoke, args: {name: refund, args: {amount: 10}}}, expect: ask",
       ""},
      {"call: {upstream: crm, tool: invoke, args: {name: invoke}}, expect: malformed", ""},
      {"call: {connect: \"a.example:443\"}, expect: allow", ""},
      {"call: {connect: \"A.Example:443\"}, expect: allow", ""},
      {"call: {connect: \"a.example:80\"}, expect: deny", ""},
      {"call: {connect: \"bad.example:443\"}, expect: deny, rule: \"r.deny[0]\"", ""},
      {"call: {connect: \"a.example\"}, expect: malformed", ""},
      {"call: {connect: \"a.example.:443\"}, expect: malformed", ""},
      {"call: {connect: \"a.example:0443\"}, expect: malformed", ""},
      {"call: {upstream: llm, model: gpt-4, body: {max: 9}}, expect: allow", ""},
      {"call: {upstream: llm, model: gpt-4, body: {max: 10}}, expect: deny", ""},
      {"call: {upstream: llm, model: gpt-4}, expect: deny", ""},
      {"call: {upstream: llm, model: gpt-3.5, body: {max: 9}}, expect: deny", ""},
      {"call: {upstream: llm, model: gpt-5, body: {max: 9}}, expect: allow",
       "expected allow, got deny (price)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Diagnostics diagnostics;
    const auto tests =
        parse_tests({"tests.yaml", std::string("policy: policy.yaml\ncases:\n  - {agent: ann, ") +
                                       row.test + "}"},
                    diagnostics);
    for (const Diagnostic& diagnostic : diagnostics.all()) UNSCOPED_INFO(to_string(diagnostic));
    REQUIRE(tests);
    REQUIRE(tests->cases.size() == 1);
    CHECK(run_test(*policy, tests->cases[0], *parse_time("2026-11-22T00:00:00Z")) == row.failure);
  }
}

TEST_CASE("a test file that is wrong says where") {
  struct Row {
    const char* text;
    const char* error;
  };
  const Row rows[] = {
      {"cases: []", "t:1:1: error: no `policy`; write `policy: policy.yaml`"},
      {"policy: p", "t:1:1: error: `cases` must be a list"},
      {"policy: p\ncase: []", "t:2:1: error: unknown key `case`; did you mean `cases`?"},
      {"policy: p\ncases:\n  - {agent: a, call: {upstream: u, tool: t}}",
       "t:3:5: error: case without `expect`; add it"},
      {"policy: p\ncases:\n  - {agent: a, call: {upstream: u, tool: t}, expect: alow}",
       "t:3:54: error: unknown `expect` `alow`; did you mean `allow`?"},
      {"policy: p\ncases:\n  - {agent: a, call: {upstream: u}, expect: allow}",
       "t:3:22: error: a call takes exactly one of"},
      {"policy: p\ncases:\n  - {agent: a, call: {upstream: u, tool: t, http: GET /}, expect: ask}",
       "t:3:22: error: a call takes exactly one of"},
      {"policy: p\ncases:\n  - {agent: a, call: {upstream: u, http: GET}, expect: ask}",
       "t:3:42: error: `GET` is no `METHOD /path`"},
      {"policy: p\ncases:\n  - {agent: a, call: {tool: t}, expect: ask}",
       "t:3:22: error: call without `upstream`; add it"},
      {"policy: p\ncases:\n  - {agent: a, call: {upstream: u, tool: t, at: noon}, expect: ask}",
       "t:3:49: error: `noon` is no time; write it as `2026-11-22T09:30:00Z`"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Diagnostics diagnostics;
    CHECK_FALSE(parse_tests({"t", row.text}, diagnostics));
    REQUIRE(diagnostics.has_errors());
    CHECK(to_string(diagnostics.all()[0]).find(row.error) == 0);
  }
}

}  // namespace
}  // namespace reeve::policy
