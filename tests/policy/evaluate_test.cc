// Decisions: tables for the language's order of questions. differential_test.cc compares everything
// at once with an oracle, properties_test.cc has what must hold of any policy.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "policy/policy_set.h"
#include "policy/written_call.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;
using testing::tool_call;

constexpr const char* kPolicy = R"(
version: 1
agents:
  jordan: {owner: o, purpose: p, team: t, roles: [service], expires: 2027-03-31}
  idle: {owner: o, purpose: p, team: t, roles: [service], status: suspended}
  gone: {owner: o, purpose: p, team: t, roles: [service], status: retired}
  nobody: {owner: o, purpose: p, team: t}
roles:
  basic:
    allow:
      - {upstream: kb, tools: [search, fetch]}
  service:
    inherits: [basic]
    allow:
      - {id: crm, upstream: crm, tools: ["tickets.*", get], except: "tickets.internal.*"}
      - {upstream: files, resources: "file:///data/*"}
      - {upstream: files, prompts: greet}
      - {upstream: all}
      - {upstream: all2, methods: ["x/custom", "y/*"]}
      - {upstream: later, tools: "*", until: 2026-06-30}
    deny:
      - {id: no-refund, upstream: "*", tools: "*.refund", because: Ask a person}
      - {upstream: finance}
      - {upstream: kb, tools: fetch, until: 2026-06-30}
)";

Time at(const char* text) { return *parse_time(text); }

std::string decide(const PolicySet& policy, const char* agent, const Call& call) {
  const Decision decision = policy.decide(*policy.find_agent(agent), call);
  std::string result(to_string(decision.verdict));
  result += decision.rule ? " " + decision.rule->id : " " + std::string(to_string(decision.reason));
  return result;
}

TEST_CASE("decide: rules, inheritance, denial, default") {
  const auto policy = load(kPolicy);
  struct Row {
    const char* upstream;
    Kind kind;
    const char* target;
    const char* decision;
  };
  const Row rows[] = {
      {"kb", Kind::kTool, "search", "allow basic.allow[0]"},
      {"kb", Kind::kTool, "searc", "deny default"},
      {"kb", Kind::kTool, "fetch", "allow basic.allow[0]"},
      {"kb", Kind::kPrompt, "search", "deny default"},
      {"crm", Kind::kTool, "tickets.get", "allow crm"},
      {"crm", Kind::kTool, "tickets.internal.get", "deny default"},
      {"crm", Kind::kTool, "tickets.refund", "deny no-refund"},
      {"crm", Kind::kTool, "get", "allow crm"},
      {"finance", Kind::kTool, "x", "deny service.deny[1]"},
      {"finance", Kind::kTool, "a.refund", "deny no-refund"},
      {"unheard", Kind::kTool, "a.refund", "deny no-refund"},
      {"unheard", Kind::kTool, "a", "deny default"},
      {"files", Kind::kResource, "file:///data/a/b", "allow service.allow[1]"},
      {"files", Kind::kResource, "file:///data/../b", "malformed malformed"},
      {"files", Kind::kResource, "file:///data/%2e%2E/b", "malformed malformed"},
      {"files", Kind::kResource, "file:///data/a%2Fb", "malformed malformed"},
      {"files", Kind::kResource, "file:///data/a%5cb", "malformed malformed"},
      {"files", Kind::kResource, "file:///data/a%00b", "malformed malformed"},
      {"files", Kind::kResource, "file:///data/..?x", "malformed malformed"},
      {"files", Kind::kResource, "file:///data/a..b", "allow service.allow[1]"},
      {"files", Kind::kPrompt, "greet", "allow service.allow[2]"},
      {"crm", Kind::kTool, "tickets.\xE2\x80\x8Bget", "malformed malformed"},
      {"crm", Kind::kTool, "tickets.\xFF", "malformed malformed"},
      {"all", Kind::kTool, "anything", "allow service.allow[3]"},
      {"all", Kind::kHttp, "/x", "allow service.allow[3]"},
      {"all", Kind::kMethod, "ping", "allow service.allow[3]"},
      {"all", Kind::kMethod, "x/unknown", "deny default"},
      {"all", Kind::kConnect, "h:443", "deny default"},
      {"all2", Kind::kMethod, "x/custom", "allow service.allow[4]"},
      {"all2", Kind::kMethod, "y/unknown", "deny default"},
      {"finance", Kind::kMethod, "x/unknown", "deny service.deny[1]"},
      {"", Kind::kTool, "x", "deny default"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.upstream, row.target);
    Call call = tool_call(row.upstream, row.target);
    call.kind = row.kind;
    if (row.kind == Kind::kMethod) call.action = row.target;
    call.time = at("2026-11-22T00:00:00Z");
    CHECK(decide(*policy, "jordan", call) == row.decision);
  }
}

TEST_CASE("decide: the agent's state and days come before rules, and end at midnight in UTC") {
  const auto policy = load(kPolicy);
  const auto decided = [&](const char* agent, const char* upstream, const char* tool,
                           const char* time) {
    Call call = tool_call(upstream, tool);
    call.time = at(time);
    return decide(*policy, agent, call);
  };
  CHECK(decided("jordan", "kb", "search", "2027-03-31T23:59:59.999999Z") == "allow basic.allow[0]");
  CHECK(decided("jordan", "kb", "search", "2027-04-01T00:00:00Z") == "deny expired");
  CHECK(decided("jordan", "kb", "search", "2027-04-01T00:30:00+02:00") == "allow basic.allow[0]");
  CHECK(decided("idle", "kb", "search", "2026-01-01T00:00:00Z") == "deny suspended");
  CHECK(decided("gone", "finance", "x", "2026-01-01T00:00:00Z") == "deny retired");
  CHECK(decided("nobody", "kb", "search", "2026-01-01T00:00:00Z") == "deny default");
  CHECK(decided("jordan", "later", "x", "2026-06-30T23:59:59Z") == "allow service.allow[5]");
  CHECK(decided("jordan", "later", "x", "2026-07-01T00:00:00Z") == "deny default");
  CHECK(decided("jordan", "kb", "fetch", "2026-06-30T23:59:59Z") == "deny service.deny[2]");
}

TEST_CASE("an upstream with rules in report mode alone has none that decides") {
  const auto policy = load(R"(
agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}
roles:
  r:
    allow: {id: try, upstream: crm, mode: report}
    deny: {id: no, upstream: kb, tools: x, mode: report}
)");
  for (const auto& [upstream, reported] : {std::pair{"crm", "try"}, {"kb", ""}}) {
    CAPTURE(upstream);
    const Call call = tool_call(upstream, "x");
    const Decision decision = policy->decide(0, call);
    CHECK(decide(*policy, "ann", call) == "deny default");
    CHECK_FALSE(policy->could_allow(0, call));
    CHECK(policy->asks(0, call).empty());
    CHECK_FALSE(policy->may_use(0, upstream, Time{}).allowed());
    const RuleInfo* rule = policy->reported(0, call, decision);
    CHECK((rule ? rule->id : "") == reported);
  }
}

TEST_CASE("reported: the first rule in report mode that would change the verdict") {
  const auto policy = load(R"(
agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}
approvers: {leads: {members: lee}}
roles:
  r:
    allow:
      - {id: try-allow, upstream: u, tools: [b, c], mode: report}
      - {id: allow, upstream: u, tools: [d, e, f, g]}
    ask:
      - {id: try-ask, upstream: u, tools: [a, d, h], approvers: leads, mode: report}
      - {id: try-doubt, upstream: u, tools: [b, e], when: {args.x: 1}, approvers: leads,
         mode: report}
      - {id: ask, upstream: u, tools: [g, h], approvers: leads}
    deny:
      - {id: try-deny, upstream: u, tools: [f, g, i], mode: report}
      - {id: deny, upstream: u, tools: i}
)");
  struct Row {
    const char* tool;
    const char* decision;
    const char* reported;
  };
  const Row rows[] = {
      {"a", "deny default", "try-ask"},    // an ask grants
      {"b", "deny default", "try-allow"},  // in doubt it does not
      {"c", "deny default", "try-allow"},
      {"d", "allow allow", "try-ask"},
      {"e", "allow allow", "try-doubt"},  // in doubt it holds what is granted
      {"f", "allow allow", "try-deny"},
      {"g", "ask ask", "try-deny"},
      {"h", "ask ask", ""},
      {"i", "deny deny", ""},
      {"j", "deny default", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.tool);
    const Call call = tool_call("u", row.tool);
    CHECK(decide(*policy, "ann", call) == row.decision);
    const RuleInfo* rule = policy->reported(0, call, policy->decide(0, call));
    CHECK((rule ? rule->id : "") == row.reported);
  }
}

TEST_CASE("a price or budget that reads a key has one reading of it, on every upstream") {
  const auto policy = load(R"(
agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}
roles: {r: {allow: {upstream: "*"}}}
prices:
  - {upstream: "a*", tools: pay, cost: {from: args.amount, max: 5 USD}}
  - {upstream: "a*", tools: fee, when: {args.kind: x}, cost: 1 USD}
  - {upstream: "a*", tools: late, when: {args.kind: x}, since: 2027-01-01, cost: 1 USD}
  - {upstream: ads, tools: other, cost: 1 USD}
budgets:
  b: {for: everyone, upstream: "a*", tools: cap, when: {args.kind: x}, limit: 1 USD per day}
)");
  json::Parser parser;
  const auto args = parser.parse(R"({"amount": 1, "Amount": 2, "Kind": "x"})");
  for (const char* upstream : {"ads", "any"}) {  // `any` is named nowhere
    for (const auto& [tool, decision] : {std::pair{"pay", "malformed malformed"},
                                         {"fee", "malformed malformed"},
                                         {"cap", "malformed malformed"},
                                         {"late", "allow r.allow[0]"},
                                         {"other", "allow r.allow[0]"}}) {
      CAPTURE(upstream, tool);
      Call call = tool_call(upstream, tool);
      call.args = &*args;
      call.time = at("2026-11-22T00:00:00Z");
      CHECK(decide(*policy, "ann", call) == decision);
    }
  }
}

TEST_CASE("a rule about tunnels lets nobody use an upstream") {
  const auto policy = load(R"(
agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}
roles: {r: {allow: {connect: "*.example:443"}}}
)");
  CHECK_FALSE(policy->may_use(0, "named-nowhere", Time{}).allowed());
  Call tunnel;
  tunnel.kind = Kind::kConnect;
  tunnel.target = "a.example:443";
  CHECK(decide(*policy, "ann", tunnel) == "allow r.allow[0]");
}

TEST_CASE("may_use and could_allow") {
  const auto policy = load(kPolicy);
  const AgentId jordan = *policy->find_agent("jordan");
  const Time now = at("2026-11-22T00:00:00Z");
  for (const auto& [upstream, usable] : {std::pair{"kb", true},
                                         {"crm", true},
                                         {"files", true},
                                         {"finance", false},
                                         {"unheard", false},
                                         {"later", false},
                                         {"all", true}}) {
    CAPTURE(upstream);
    const Decision decision = policy->may_use(jordan, upstream, now);
    CHECK(decision.allowed() == usable);
    CHECK((decision.rule != nullptr) == (usable || std::string(upstream) == "finance"));
  }
  CHECK(policy->may_use(jordan, "later", at("2026-01-01T00:00:00Z")).allowed());
  CHECK(policy->may_use(*policy->find_agent("idle"), "kb", now).reason == Reason::kSuspended);
  for (const auto& [tool, shown] : {std::pair{"tickets.get", true},
                                    {"tickets.refund", false},
                                    {"other", false},
                                    {"tickets.\n", false}}) {
    CAPTURE(tool);
    Call call = tool_call("crm", tool);
    call.time = now;
    CHECK(policy->could_allow(jordan, call) == shown);
  }
}

TEST_CASE("agents are found by token and listener") {
  std::string text = "agents:\n";
  for (int i = 0; i < 300; ++i) {
    char hash[65];
    snprintf(hash, sizeof hash, "%064x", i * 77773);
    std::string reversed(hash, 64);  // spread over the leading bits
    std::reverse(reversed.begin(), reversed.end());
    text += "  a" + std::to_string(i) + ": {owner: o, purpose: p, team: t, identity: [{" +
            "token_sha256: \"" + reversed + "\"}" + (i == 7 ? ", {listener: local}" : "") + "]}\n";
  }
  const auto policy = load(text);
  for (int i = 0; i < 300; ++i) {
    char hash[65];
    snprintf(hash, sizeof hash, "%064x", i * 77773);
    std::string reversed(hash, 64);
    std::reverse(reversed.begin(), reversed.end());
    Sha256 bytes{};
    for (size_t b = 0; b < 32; ++b) {
      bytes[b] = static_cast<uint8_t>(std::stoi(reversed.substr(2 * b, 2), nullptr, 16));
    }
    const auto agent = policy->agent_by_token(bytes);
    REQUIRE(agent);
    CHECK(policy->agents()[*agent].name == "a" + std::to_string(i));
    bytes[31] ^= 1;
    CHECK_FALSE(policy->agent_by_token(bytes));
  }
  CHECK(policy->agents()[*policy->agent_by_listener("local")].name == "a7");
  CHECK_FALSE(policy->agent_by_listener("other"));
  CHECK_FALSE(load("agents: {a: {owner: o, purpose: p, team: t}}")->agent_by_token({}));
}

}  // namespace
}  // namespace reeve::policy
