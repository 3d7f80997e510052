// Tools that call tools: how the inner call is read, what is malformed, and how both are decided.
#include "policy/dispatch.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "policy/policy_set.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"
#include "tests/support/reference_decision.h"

namespace reeve::policy {
namespace {

using testing::load;

constexpr const char* kPolicy = R"(
agents:
  ann: {owner: o, purpose: p, team: t, roles: [r]}
  bob: {owner: o, purpose: p, team: t, roles: [denied]}
  cat: {owner: o, purpose: p, team: t, roles: [asked]}
  dan: {owner: o, purpose: p, team: t, roles: [r], status: suspended}
approvers: {leads: {members: lee}}
guards: {pii: {patterns: email}, ids: {patterns: iban}}
roles:
  r:
    allow:
      - {id: read, upstream: crm, tools: [read, "get*"], guards: pii}
      - {id: pay, upstream: crm, tools: pay}
    ask:
      - {id: ask-pay, upstream: crm, tools: pay, when: {args.amount: {above: 10}}, approvers: leads}
      - {id: ask-send, upstream: crm, tools: send, approvers: leads}
      - {id: ask-doubt, upstream: crm, tools: ghost, when: {args.x: 1}, approvers: leads}
    deny:
      - {id: no-drop, upstream: crm, tools: drop}
  denied:
    inherits: r
    deny: {id: no-invoke, upstream: crm, tools: invoke, when: {args.args.force: true}}
  asked:
    inherits: r
    ask:
      - {id: ask-invoke, upstream: crm, tools: invoke, when: {args.args.level: 1}, approvers: leads,
         guards: ids}
servers:
  crm:
    dispatch:
      invoke: {tool: args.name, args: args.args}
      deep: {tool: args.call.0.tool, args: args.call.0.with}
      bare: {tool: args.name}
prices:
  - {upstream: crm, tools: pay, cost: {from: args.amount, max: 100 USD}}
  - {upstream: crm, tools: "*", cost: 1 USD}
budgets:
  pays: {for: everyone, upstream: crm, tools: pay, limit: 100 USD per day}
)";

// A call of a dispatch tool and the one inside, if it can be read.
class Dispatched {
 public:
  Dispatched(const PolicySet& policy, const char* tool, const char* args) {
    outer_ = testing::tool_call("crm", tool);
    if (args) parsed_ = parser_.parse(args);
    REQUIRE((!args || parsed_));
    outer_.args = parsed_ ? &*parsed_ : nullptr;
    const DispatchInfo* dispatch = find_dispatch(*policy.server("crm"), tool);
    REQUIRE(dispatch);
    if (const char* fault = inner_.read(*policy.server("crm"), *dispatch, outer_)) fault_ = fault;
  }

  const std::string& fault() const { return fault_; }
  const Call& outer() const { return outer_; }
  const Call& inner() const { return inner_.call(); }
  std::string args() const {
    return inner_.call().args ? std::string(inner_.call().args->raw()) : "none";
  }

 private:
  json::Parser parser_;
  std::optional<json::Value> parsed_;
  Call outer_;
  InnerCall inner_;
  std::string fault_;
};

TEST_CASE("the inner call is read out of the arguments of the outer one") {
  const auto policy = load(kPolicy);
  struct Row {
    const char* tool;
    const char* args;
    const char* inner;  // its name and arguments
  };
  const Row rows[] = {
      {"invoke", R"({"name": "read", "args": {"id": 7}})", R"(read {"id": 7})"},
      {"invoke", R"({"args": {}, "other": [1], "name": "read"})", "read {}"},
      {"invoke", R"({"name": "read"})", "read none"},
      {"invoke", R"({"name": "read", "args": "{\"id\": 7}"})", R"(read {"id": 7})"},
      {"invoke", R"({"name": "read", "args": "\u007b\u007d"})", "read {}"},
      {"invoke", R"({"name": "re\u0061d"})", "read none"},
      {"invoke", R"({"name": "", "args": {}})", " {}"},
      {"deep", R"({"call": [{"tool": "read", "with": {"a": 1}}, 2]})", R"(read {"a": 1})"},
      {"deep", R"({"call": {"0": {"tool": "read"}}})", "read none"},
      {"bare", R"({"name": "read", "args": [1]})", "read none"},
      {"bare", R"({"name": "Invoke"})", "Invoke none"},  // another tool than `invoke`
  };
  for (const Row& row : rows) {
    CAPTURE(row.tool, row.args);
    const Dispatched call(*policy, row.tool, row.args);
    REQUIRE(call.fault() == "");
    CHECK(std::string(call.inner().target) + " " + call.args() == row.inner);
    CHECK(call.inner().upstream == "crm");
    CHECK(call.inner().kind == Kind::kTool);
    CHECK(call.inner().action == "tools/call");
  }
  CHECK_FALSE(find_dispatch(*policy->server("crm"), "read"));
  CHECK_FALSE(policy->server("kb"));
}

TEST_CASE("a call whose inner one cannot be told is malformed") {
  const auto policy = load(kPolicy);
  constexpr const char* kNone = "a dispatch tool without arguments";
  constexpr const char* kVariant = "a key that equals, but for case, one that names the inner call";
  constexpr const char* kName = "a dispatch tool whose inner name is absent or no text";
  constexpr const char* kDispatch = "a dispatch tool that names a dispatch tool";
  constexpr const char* kNoObject = "a dispatch tool whose inner arguments are no object";
  constexpr const char* kNoJson = "a dispatch tool whose inner arguments are no strict JSON";
  struct Row {
    const char* tool;
    const char* args;
    const char* fault;
  };
  const Row rows[] = {
      {"invoke", nullptr, kNone},
      {"invoke", "{}", kName},
      {"invoke", R"([{"name": "read"}])", kName},
      {"invoke", R"({"name": null})", kName},
      {"invoke", R"({"name": 7})", kName},
      {"invoke", R"({"name": ["read"]})", kName},
      {"invoke", R"({"name": {"name": "read"}})", kName},
      {"invoke", R"({"name": "read", "args": null})", kNoObject},
      {"invoke", R"({"name": "read", "args": [1]})", kNoObject},
      {"invoke", R"({"name": "read", "args": 1})", kNoObject},
      {"invoke", R"({"name": "read", "args": true})", kNoObject},
      {"invoke", R"({"name": "read", "args": ""})", kNoJson},
      {"invoke", R"({"name": "read", "args": "{"})", kNoJson},
      {"invoke", R"({"name": "read", "args": "{'a': 1}"})", kNoJson},
      {"invoke", R"({"name": "read", "args": "{\"a\": 1, \"a\": 2}"})", kNoJson},
      {"invoke", R"({"name": "read", "args": "{\"a\": NaN}"})", kNoJson},
      {"invoke", R"({"name": "read", "args": "{} {}"})", kNoJson},
      {"invoke", R"({"name": "read", "args": "[1]"})", kNoObject},
      {"invoke", R"({"name": "read", "args": "null"})", kNoObject},
      {"invoke", R"({"name": "read", "args": "\"{}\""})", kNoObject},
      {"invoke", R"({"name": "invoke", "args": {"name": "read"}})", kDispatch},
      {"invoke", R"({"name": "bare"})", kDispatch},
      {"bare", R"({"name": "invoke"})", kDispatch},
      {"invoke", R"({"Name": "read"})", kVariant},
      {"invoke", R"({"name": "read", "NAME": "drop"})", kVariant},
      {"invoke", R"({"name": "read", "Args": {}})", kVariant},
      {"invoke", R"({"name": "read", "args": {}, "ARGS": {}})", kVariant},
      {"deep", R"({"call": [{"tool": "read", "Tool": "drop"}]})", kVariant},
      {"deep", R"({"Call": [], "call": [{"tool": "read"}]})", kVariant},
      {"deep", R"({"call": []})", kName},
      {"deep", R"({"call": [7]})", kName},
      {"deep", R"({"call": [7, {"tool": "read"}]})", kName},
  };
  for (const Row& row : rows) {
    CAPTURE(row.tool, row.args ? row.args : "(none)");
    CHECK(Dispatched(*policy, row.tool, row.args).fault() == row.fault);
  }
}

std::string decide(const PolicySet& policy, const char* agent, const char* args) {
  const Dispatched call(policy, "invoke", args);
  REQUIRE(call.fault() == "");
  const AgentId id = *policy.find_agent(agent);
  const Decision decision = policy.decide_dispatched(id, call.outer(), call.inner());
  return std::string(to_string(decision.verdict)) + " " +
         (decision.rule ? decision.rule->id : std::string(to_string(decision.reason)));
}

TEST_CASE("the inner call is decided as if made itself, the outer must not be denied") {
  const auto policy = load(kPolicy);
  struct Row {
    const char* agent;
    const char* args;
    const char* decision;
  };
  const Row rows[] = {
      // No rule is needed for the outer call.
      {"ann", R"({"name": "read"})", "allow read"},
      {"ann", R"({"name": "other"})", "deny default"},
      {"ann", R"({"name": "drop"})", "deny no-drop"},
      {"ann", R"({"name": "send"})", "ask ask-send"},
      {"ann", R"({"name": "pay", "args": {"amount": 11}})", "ask ask-pay"},
      {"ann", R"({"name": "pay", "args": "{\"amount\": 11}"})", "ask ask-pay"},
      {"ann", R"({"name": "pay", "args": {"amount": 9}})", "allow pay"},
      {"ann", R"({"name": "pay", "amount": 9})", "ask ask-pay"},  // in doubt
      {"ann", R"({"name": "pay", "args": {"Amount": 9}})", "malformed malformed"},
      {"ann", R"({"name": "re\u200bad"})", "malformed malformed"},
      {"ann", R"({"name": "ghost"})", "deny default"},
      {"dan", R"({"name": "read"})", "deny suspended"},
      // A deny around it, true or in doubt.
      {"bob", R"({"name": "read", "args": {"force": false}})", "allow read"},
      {"bob", R"({"name": "read", "args": {"force": true}})", "deny no-invoke"},
      {"bob", R"({"name": "read"})", "deny no-invoke"},
      {"bob", R"({"name": "send", "args": {"force": true}})", "deny no-invoke"},
      {"bob", R"({"name": "other", "args": {"force": true}})", "deny no-invoke"},
      {"bob", R"({"name": "other", "args": {"force": false}})", "deny default"},
      {"bob", R"({"name": "read", "args": {"Force": false}})", "malformed malformed"},
      // An ask around it, true or in doubt, holds what the inner one is granted and grants nothing.
      {"cat", R"({"name": "read", "args": {"level": 0}})", "allow read"},
      {"cat", R"({"name": "read", "args": {"level": 1}})", "ask ask-invoke"},
      {"cat", R"({"name": "read"})", "ask ask-invoke"},
      {"cat", R"({"name": "other", "args": {"level": 1}})", "deny default"},
      {"cat", R"({"name": "ghost", "args": {"level": 1}})", "deny default"},
      {"cat", R"({"name": "drop", "args": {"level": 1}})", "deny no-drop"},
      {"cat", R"({"name": "send", "args": {"level": 1}})", "ask ask-send"},
      {"cat", R"({"name": "send", "args": {"level": 0}})", "ask ask-send"},
      {"cat", R"({"name": "read", "args": {"LEVEL": 0}})", "malformed malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.agent, row.args);
    CHECK(decide(*policy, row.agent, row.args) == row.decision);
  }
}

TEST_CASE("costs and guards of a dispatched call are those of the inner one") {
  const auto policy = load(kPolicy);
  const AgentId cat = *policy->find_agent("cat");
  const Dispatched pay(*policy, "invoke",
                       R"({"name": "pay", "args": {"amount": 2.5, "level": 1}})");
  const auto spend = policy->spend(cat, pay.inner());
  REQUIRE(spend);
  CHECK(spend->cost == 2'500'000);
  CHECK(spend->price->id == "prices[0]");
  CHECK(spend->count == 1);
  CHECK_FALSE(policy->spend(
      cat, Dispatched(*policy, "invoke", R"({"name": "pay", "amount": 2.5})").inner()));
  const Dispatched read(*policy, "invoke", R"({"name": "read", "args": {"level": 1}})");
  const auto guards = policy->guards(cat, read.inner());
  REQUIRE(guards.size() == 1);
  CHECK(guards[0]->name == "pii");
}

TEST_CASE("a dispatch tool may be listed where some inner call could be allowed") {
  struct Row {
    const char* rules;
    bool seen;
  };
  const Row rows[] = {
      {"allow: {upstream: crm, tools: read}", true},
      {"allow: {upstream: crm, tools: read, when: {args.id: 1}}", true},
      {"ask: {upstream: crm, tools: read, approvers: leads}", true},
      {"allow: {upstream: crm, tools: [invoke, read]}", true},
      {"allow: {upstream: \"c*\", tools: \"re:r.*\"}", true},
      {"allow: {upstream: crm}", true},
      {"allow: {upstream: crm}\n    deny: {upstream: crm, tools: \"x*\"}", true},
      {"allow: {upstream: crm}\n    deny: {upstream: crm, tools: \"*\", except: [read, invoke]}",
       true},
      {"allow: {upstream: crm}\n    deny: {upstream: crm, tools: \"*\", except: read}", false},
      {"allow: {upstream: crm}\n    deny: {upstream: crm, tools: \"*\", when: {args.a: 1}}", true},
      {"allow: {upstream: crm, tools: read}\n"
       "    deny: {upstream: crm, tools: invoke, when: {args.a: 1}}",
       true},
      {"allow: {upstream: crm, tools: read}\n"
       "    deny: {upstream: crm, tools: \"*\", mode: report}",
       true},
      {"allow: {upstream: crm, tools: read}\n    deny: {upstream: kb}", true},
      // What is named is a dispatch tool, of another kind, elsewhere, over, or only reported.
      {"allow: {upstream: crm, tools: invoke}", false},
      {"allow: {upstream: crm, resources: \"*\"}", false},
      {"allow: {upstream: kb}", false},
      {"allow: {upstream: crm, tools: read, until: 2020-01-01}", false},
      {"allow: [{upstream: crm, tools: read, mode: report}, {upstream: crm, prompts: p}]", false},
      // What denies it without condition, or all that would be inside.
      {"allow: {upstream: crm, tools: read}\n    deny: {upstream: crm, tools: invoke}", false},
      {"allow: {upstream: crm, tools: read}\n    deny: {upstream: crm, tools: read}", false},
      {"allow: {upstream: crm, tools: \"r*\"}\n    deny: {upstream: crm, tools: \"*\"}", false},
      {"allow: {upstream: crm, tools: \"r*\"}\n    deny: {upstream: crm}", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.rules);
    const auto policy =
        load(std::string("agents:\n  ann: {owner: o, purpose: p, team: t, "
                         "roles: [r]}\napprovers: {leads: {members: lee}}\n"
                         "roles:\n  r:\n    ") +
             row.rules + "\nservers: {crm: {dispatch: {invoke: {tool: args.name}}}}\n");
    Call outer = testing::tool_call("crm", "invoke");
    outer.time = Time(std::chrono::hours(24 * 365 * 56));
    REQUIRE(is_dispatch(*policy, outer));
    CHECK(could_dispatch(*policy, *policy->find_agent("ann"), outer) == row.seen);
  }
  const auto policy = load(kPolicy);
  CHECK_FALSE(is_dispatch(*policy, testing::tool_call("crm", "read")));
  CHECK_FALSE(is_dispatch(*policy, testing::tool_call("kb", "invoke")));
  CHECK_FALSE(could_dispatch(*policy, *policy->find_agent("dan"),
                             testing::tool_call("crm", "invoke")));  // suspended
}

reference::Call tool_call(reference::Generator& generator) {
  reference::Call call = generator.call();
  while (call.kind != "tools") call = generator.call();
  return call;
}

TEST_CASE("generated calls inside one another are decided as the oracle does") {
  const size_t policies = testing::rounds(100, 3'000);
  size_t around = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 8'000'000 + static_cast<unsigned>(round);
    reference::Generator generator(seed);
    const reference::Policy source = generator.policy();
    const std::string text = reference::write_yaml(source);
    CAPTURE(seed, text);
    const auto policy = load(text);
    for (size_t i = 0; i < 60; ++i) {
      const reference::Call outer = tool_call(generator);
      reference::Call inner = tool_call(generator);
      inner.upstream = outer.upstream;
      inner.day = outer.day;
      inner.moment = outer.moment;
      const size_t agent = generator.next(reference::Generator::kAgents);
      reference::Oracle outer_oracle(source, agent, outer);
      reference::Oracle inner_oracle(source, agent, inner);
      const std::string expected = outer_oracle.decide_around(inner_oracle);
      if (outer_oracle.disputed() || inner_oracle.disputed()) continue;
      const testing::RealCall real_outer(outer);
      const testing::RealCall real_inner(inner);
      const Decision decision = policy->decide_dispatched(static_cast<AgentId>(agent),
                                                          real_outer.call(), real_inner.call());
      std::string got(to_string(decision.verdict));
      if (decision.verdict != Verdict::kMalformed) {
        got += " " + (decision.rule ? decision.rule->id : std::string(to_string(decision.reason)));
      }
      around += expected != inner_oracle.decide();
      if (got == expected) continue;
      CAPTURE(testing::shown(outer), testing::shown(inner), agent);
      REQUIRE(got == expected);
    }
  }
  if (policies >= 100) CHECK(around > 20);
}

}  // namespace
}  // namespace reeve::policy
