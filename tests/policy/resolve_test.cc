// Names across a policy, the wiring, inheritance, and the warnings.
#include <catch2/catch.hpp>
#include <string>

#include "policy/policy_set.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::diagnose;
using testing::load;
using testing::tool_call;

const std::string kAgent =
    "agents:\n  a: {owner: o, purpose: p, team: t, roles: [r], expires: 2030-01-01, identity: "
    "[{listener: l}]}\n";

TEST_CASE("wiring: upstreams and listeners are checked where they are known") {
  const std::string text = kAgent +
                           "roles:\n  r:\n    allow:\n      - {upstream: crn, tools: x}\n"
                           "      - {upstream: \"zz*\", tools: x}\n"
                           "    deny:\n      - {upstream: \"fin*\"}\n";
  CHECK(diagnose(text).find("error") == std::string::npos);
  Wiring wiring;
  wiring.upstreams = {"crm", "kb"};
  wiring.listeners = {"local"};
  const std::string all = diagnose(text, wiring);
  CHECK(all.find("error: unknown listener `l`") != std::string::npos);
  CHECK(all.find("policy.yaml:6:20: error: unknown upstream `crn`; did you mean `crm`?") !=
        std::string::npos);
  CHECK(all.find("policy.yaml:9:20: error: unknown upstream `fin*`") != std::string::npos);
  CHECK(all.find("zz*") == std::string::npos);  // a glob in an allow may match none
  // What the policy lists exists elsewhere, and counts.
  CHECK(diagnose("upstreams: [crn, finance]\n" + text, wiring).find("upstream") ==
        std::string::npos);
}

TEST_CASE("models are selected where calls have one") {
  const auto text = [](const std::string& selector, const char* more = "") {
    return kAgent + "roles: {r: {allow: [{upstream: \"*\"}], deny: [{" + selector +
           ", models: \"x*\"}]}}\n" + more;
  };
  const std::string error =
      "error: `models` on upstream `crm`, where no call has a model; write `meter: openai` or "
      "`meter: anthropic` there in reeve.yaml";
  Wiring wiring;
  wiring.upstreams = {"crm", "llm"};
  wiring.metered = {"llm"};
  const auto refuses = [&](const std::string& policy) {
    return diagnose(policy, wiring).find(error) != std::string::npos;
  };
  CHECK(refuses(text("upstream: crm")));
  CHECK(refuses(text("upstream: \"c*\"")));
  CHECK(refuses(text("upstream: llm",
                     "budgets: {b: {for: everyone, upstream: crm, models: \"*\", "
                     "limit: 1 calls per day}}\n")));
  CHECK(refuses(text("upstream: llm", "prices: [{upstream: crm, models: \"*\", cost: 1 USD}]\n")));
  CHECK_FALSE(refuses(text("upstream: llm")));
  CHECK_FALSE(refuses(text("upstream: [crm, llm]")));
  CHECK_FALSE(refuses(text("upstream: \"*\"")));
  CHECK_FALSE(refuses("upstreams: [elsewhere]\n" + text("upstream: elsewhere")));
  wiring.metered.reset();
  CHECK_FALSE(refuses(text("upstream: crm")));
}

TEST_CASE("inheritance: through several roles, diamonds, long chains") {
  std::string text = "agents:\n  a: {owner: o, purpose: p, team: t, roles: [r0]}\nroles:\n";
  constexpr int kRoles = 20'000;
  for (int i = 0; i < kRoles; ++i) {
    const std::string next = std::to_string(i + 1);
    text += "  r" + std::to_string(i) + ": {inherits: [r" + next + "]}\n";
  }
  text += "  r" + std::to_string(kRoles) + ": {allow: [{upstream: u, tools: deep}]}\n";
  CHECK(load(text)->decide(0, tool_call("u", "deep")).allowed());
  const std::string diamond =
      "agents:\n  a: {owner: o, purpose: p, team: t, roles: [top]}\nroles:\n"
      "  top: {inherits: [left, right]}\n  left: {inherits: [bottom]}\n"
      "  right: {inherits: [bottom]}\n  bottom: {allow: {upstream: u, tools: x}}\n";
  CHECK(load(diamond)->decide(0, tool_call("u", "x")).allowed());
}

TEST_CASE("warnings") {
  struct Row {
    const char* roles;
    const char* warning;  // of the roles, or null
  };
  const Row rows[] = {
      {"[{upstream: u, tools: a}, {upstream: u, tools: a}]",
       "policy.yaml:5:38: warning: rule `r.allow[1]` can never decide: `r.allow[0]` at "
       "policy.yaml:5:13 always decides before it; remove one"},
      {"[{upstream: u, tools: \"a*\"}, {upstream: u, tools: [ab, \"ac*\"]}]", "`r.allow[1]` can"},
      {"[{upstream: \"*\", http: \"* /**\"}, {upstream: u, http: \"GET /a/**\"}]", "`r.allow[1]`"},
      {"[{upstream: u}, {upstream: u, tools: a}]", "`r.allow[1]` can never decide"},
      {"[{upstream: u, tools: \"a*\", except: ab}, {upstream: u, tools: ab}]", nullptr},
      {"[{upstream: u, tools: a, until: 2026-01-01}, {upstream: u, tools: a}]", nullptr},
      {"[{upstream: u, tools: a}, {upstream: v, tools: a}]", nullptr},
      {"[{upstream: u, tools: a}, {upstream: \"*\", tools: a}]", nullptr},
      {"[{upstream: u, http: \"GET /a\"}, {upstream: u, http: \"POST /a\"}]", nullptr},
      {"[{upstream: u, http: \"GET /a/**\"}, {upstream: u, http: \"GET /ab/*\"}]", nullptr},
  };
  for (const Row& row : rows) {
    const std::string text = kAgent + "roles:\n  r:\n    allow: " + row.roles + "\n";
    CAPTURE(text);
    const std::string all = diagnose(text);
    CHECK(all.find(row.warning ? row.warning : "can never decide") ==
          (row.warning ? all.find("can never decide") == std::string::npos ? std::string::npos - 1
                                                                           : all.find(row.warning)
                       : std::string::npos));
    if (row.warning) CHECK(all.find(row.warning) != std::string::npos);
  }
  const std::string denied = kAgent +
                             "roles:\n  r:\n    allow: [{upstream: u, tools: a}]\n"
                             "    deny: [{upstream: \"*\"}]\n";
  CHECK(diagnose(denied).find("`r.allow[0]` can never decide: `r.deny[0]`") != std::string::npos);
}

TEST_CASE("warnings about roles, agents, prices, upstreams") {
  const auto has = [](const std::string& text, const char* what, const Wiring& wiring = {}) {
    const std::string all = diagnose(text, wiring);
    CAPTURE(all);
    return all.find(what) != std::string::npos;
  };
  CHECK(has("roles: {r: {allow: {upstream: u}}}", "1:9: warning: no agent has role `r`"));
  CHECK(has("agents: {a: {owner: o, purpose: p, team: t}}", "agent `a` never expires"));
  CHECK(has("agents: {a: {owner: o, purpose: p, team: t}}", "agent `a` has no identity"));
  CHECK_FALSE(has("agents: {a: {owner: o, purpose: p, team: t, status: retired}}", "warning"));
  const std::string high = "agents: {a: {owner: o, purpose: p, team: t, risk: high, roles: r";
  const std::string writes = "}}\nroles: {r: {allow: {upstream: u, http: POST /x}}}";
  const std::string reads = "}}\nroles: {r: {allow: {upstream: u, http: GET /x}}}";
  CHECK(has(high + writes, "of high risk and has no budget"));
  CHECK(has(high + writes, "may write by the rule at policy.yaml:2:20"));
  CHECK_FALSE(has(high + reads, "may write"));
  CHECK_FALSE(has(high + ", budget: 1 USD per day" + writes, "no budget"));
  CHECK(
      has("prices: [{upstream: u, tools: \"*\", cost: 1 USD}, {upstream: u, tools: x, cost: 2 "
          "USD}]",
          "1:50: warning: this price never applies: the one at policy.yaml:1:10"));
  Wiring wiring;
  wiring.upstreams = {"u", "v"};
  CHECK(has("roles: {r: {allow: {upstream: u}}}", "no rule names the upstream `v`", wiring));
}

TEST_CASE("too many budgets on one call are refused at load") {
  const auto text = [](int budgets, bool apart) {
    std::string result = kAgent + "roles: {r: {allow: {upstream: u}}}\nbudgets:\n";
    for (int i = 0; i < budgets; ++i) {
      const std::string number = std::to_string(i);
      result += "  b" + number + ": {for: everyone, limit: 1 call per day, upstream: u, tools: " +
                (apart ? "x" + number : "x") + "}\n";
    }
    return result;
  };
  CHECK(diagnose(text(32, false)).find("error") == std::string::npos);
  CHECK(diagnose(text(33, false)).find("policy.yaml:2:3: error: too many budgets cover one call") ==
        0);
  CHECK(diagnose(text(100, true)).find("error") == std::string::npos);
}

}  // namespace
}  // namespace reeve::policy
