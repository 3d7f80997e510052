// Prices and budgets: which price counts, which accounts a call draws on, and how much.
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "policy/policy_set.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;
using testing::tool_call;

constexpr const char* kPolicy = R"(
agents:
  ann: {owner: o, purpose: p, team: red, roles: [buyer], budget: 2 USD per day}
  bob: {owner: o, purpose: p, team: red, roles: [reader]}
  cat: {owner: o, purpose: p, team: blue, roles: [chief]}
roles:
  reader: {allow: {upstream: shop}}
  buyer: {inherits: reader}
  chief: {inherits: buyer}
prices:
  - {upstream: shop, tools: [buy, "sell.*"], except: sell.free, cost: 0.5 USD}
  - {upstream: shop, tools: "*", cost: 0.000001 USD}
  - {upstream: "m*", http: "GET /**", cost: 3 USD}
  - {upstream: zero, tools: x, cost: 0 USD}
budgets:
  all: {for: everyone, limit: 100 USD per month, zone: Europe/Berlin}
  buyers: {for: {role: buyer}, limit: 50 USD per year}
  red: {for: {team: red}, limit: 10 USD per week}
  bobs: {for: {agent: bob}, upstream: shop, tools: buy, limit: 1 call per day}
  agents: {for: {each: agent}, limit: 7 calls per minute}
  teams: {for: {each: team}, upstream: maps, limit: 1 USD total}
)";

// "cost; budget(scope)=amount, …" in micros.
std::string spend(const PolicySet& policy, const char* agent, const Call& call) {
  const auto spend = policy.spend(*policy.find_agent(agent), call);
  if (!spend) return "refused";
  std::string result = std::to_string(spend->cost) + ";";
  for (uint32_t i = 0; i < spend->count; ++i) {
    const AccountSpec& account = policy.accounts()[spend->draws[i].account];
    result +=
        " " + account.budget + "(" + account.scope + ")=" + std::to_string(spend->draws[i].amount);
  }
  return result;
}

TEST_CASE("spend: the first price, and every budget that covers the call") {
  const auto policy = load(kPolicy);
  Call get = tool_call("maps", "/x");
  get.kind = Kind::kHttp;
  get.action = "GET";
  Call post = get;
  post.action = "POST";
  struct Row {
    const char* agent;
    Call call;
    const char* spend;
  };
  const Row rows[] = {
      {"bob", tool_call("shop", "buy"),
       "500000; all(everyone)=500000 red(team:red)=500000 bobs(agent:bob)=1000000 "
       "agents(agent:bob)=1000000"},
      {"bob", tool_call("shop", "sell.a"),
       "500000; all(everyone)=500000 red(team:red)=500000 agents(agent:bob)=1000000"},
      {"bob", tool_call("shop", "sell.free"),
       "1; all(everyone)=1 red(team:red)=1 agents(agent:bob)=1000000"},
      {"ann", tool_call("shop", "x"),
       "1; all(everyone)=1 buyers(role:buyer)=1 red(team:red)=1 agents(agent:ann)=1000000 "
       "agent:ann(agent:ann)=1"},
      {"cat", tool_call("shop", "x"),
       "1; all(everyone)=1 buyers(role:buyer)=1 agents(agent:cat)=1000000"},
      {"cat", get,
       "3000000; all(everyone)=3000000 buyers(role:buyer)=3000000 agents(agent:cat)=1000000 "
       "teams(team:blue)=3000000"},
      {"cat", post, "0; agents(agent:cat)=1000000"},
      {"cat", tool_call("zero", "x"), "0; agents(agent:cat)=1000000"},
      {"cat", tool_call("unheard", "x"), "0; agents(agent:cat)=1000000"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.agent, row.call.upstream, row.call.target);
    CHECK(spend(*policy, row.agent, row.call) == row.spend);
  }
  Call unnamed = get;  // only a glob names it
  unnamed.upstream = "mine";
  CHECK(spend(*policy, "cat", unnamed).starts_with("3000000;"));
  const auto spent = policy->spend(0, tool_call("shop", "buy"));
  REQUIRE(spent);
  CHECK(spent->price->id == "prices[0]");
  CHECK(spent->price->at.line == 11);
}

TEST_CASE("a budget covers what its condition does not exclude") {
  const auto policy = load(R"(
agents:
  ann: {owner: o, purpose: p, team: red, roles: [r], budget: 9 USD per day}
  bob: {owner: o, purpose: p, team: red, roles: [r]}
roles: {r: {allow: {upstream: shop}}}
prices: [{upstream: shop, tools: buy, cost: {from: args.amount, max: 50 USD}}]
budgets:
  large: {for: everyone, upstream: shop, tools: buy, when: {args.amount: {above: 10}},
    limit: 100 USD per day}
  euros: {for: {each: agent}, when: {args.currency: EUR}, limit: 5 calls per day}
  tokens: {for: everyone, limit: 5 tokens per day}
)");
  json::Parser parser;
  const auto spent = [&](const char* agent, const char* args) {
    const auto parsed = parser.parse(args);
    REQUIRE(parsed);
    Call call = tool_call("shop", "buy");
    call.args = &*parsed;
    return spend(*policy, agent, call);
  };
  CHECK(spent("bob", R"({"amount": 11, "currency": "USD"})") ==
        "11000000; large(everyone)=11000000");
  CHECK(spent("bob", R"({"amount": 10, "currency": "USD"})") == "10000000;");
  CHECK(spent("ann", R"({"amount": 10, "currency": "EUR"})") ==
        "10000000; euros(agent:ann)=1000000 agent:ann(agent:ann)=10000000");
  // A cap is a cap: in doubt it covers.
  CHECK(spent("ann", R"({"amount": 10})") ==
        "10000000; euros(agent:ann)=1000000 agent:ann(agent:ann)=10000000");
  CHECK(spent("ann", R"({"amount": 10, "currency": null})") ==
        "10000000; euros(agent:ann)=1000000 agent:ann(agent:ann)=10000000");
  CHECK(spent("ann", R"({"amount": 51, "currency": "USD"})") == "refused");
}

TEST_CASE("what is priced by tokens is held by its budgets, known amount or not") {
  const auto policy = load(R"(
agents: {ann: {owner: o, purpose: p, team: red, roles: [r]}}
roles: {r: {allow: {upstream: llm}}}
prices:
  - {upstream: llm, models: open, input: 1 USD per 1M tokens, output: 1 USD per 1M tokens}
  - {upstream: llm, models: flat, cost: 1 USD}
budgets:
  money: {for: everyone, limit: 100 USD per day}
  tokens: {for: everyone, upstream: llm, models: "*", limit: 1000 tokens per day}
  calls: {for: everyone, upstream: llm, models: flat, limit: 10 calls per day}
)");
  Call call = tool_call("llm", "open");
  call.kind = Kind::kModel;
  CHECK(spend(*policy, "ann", call) == "0; money(everyone)=0 tokens(everyone)=0");
  call.target = "flat";
  CHECK(spend(*policy, "ann", call) ==
        "1000000; money(everyone)=1000000 tokens(everyone)=0 calls(everyone)=1000000");
}

TEST_CASE("accounts: one for each budget and scope, with what the ledger needs") {
  const auto policy = load(kPolicy);
  std::map<std::string, const AccountSpec*> accounts;
  for (const AccountSpec& account : policy->accounts()) {
    const bool is_new = accounts.emplace(account.budget + "/" + account.scope, &account).second;
    CHECK(is_new);
  }
  CHECK(accounts.size() == 10);
  const AccountSpec& all = *accounts.at("all/everyone");
  CHECK(all.unit == Unit::kMoney);
  CHECK(all.currency == "USD");
  CHECK(all.limit == 100'000'000);
  CHECK(all.period == Period::kMonth);
  CHECK(all.zone == "Europe/Berlin");
  CHECK(all.at.line == 16);
  const AccountSpec& bobs = *accounts.at("bobs/agent:bob");
  CHECK(bobs.unit == Unit::kCalls);
  CHECK(bobs.currency.empty());
  CHECK(bobs.zone == "UTC");
  CHECK(accounts.contains("agent:ann/agent:ann"));
  CHECK(accounts.contains("teams/team:blue"));
  CHECK(policy->currency() == "USD");
}

}  // namespace
}  // namespace reeve::policy
