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
      {"{agent: ann, call: {upstream: crm, method: ping}, expect: deny}", ""},
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
