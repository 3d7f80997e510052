// Explanations name the near rules and say why; access lists. That they agree with decisions is
// shown by properties_test.cc.
#include "policy/explain.h"

#include <catch2/catch.hpp>
#include <string>

#include "policy/access.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;

constexpr const char* kPolicy = R"(
agents:
  ann: {owner: o, purpose: p, team: t, roles: [service]}
  bob: {owner: o, purpose: p, team: t, status: suspended, roles: [service]}
roles:
  service:
    allow:
      - {id: read, upstream: crm, tools: [tickets.get, "notes.*"], except: notes.secret}
      - {id: web, upstream: crm, http: "GET /tickets/**"}
      - {id: old, upstream: crm, tools: tickets.set, until: 2026-01-01}
      - {id: again, upstream: "c*", tools: tickets.get}
    deny:
      - {id: stop, upstream: crm, tools: "*.refund"}
  boss:
    allow:
      - {id: power, upstream: crm, tools: "*"}
)";

CallSpec tool(const char* upstream, const char* name) {
  CallSpec call;
  call.upstream = upstream;
  call.set_target(Kind::kTool, name);
  call.at = parse_time("2026-11-22T00:00:00Z");
  return call;
}

// "allow by read; again: matches too…" with the near rules in order.
std::string text_of(const Explanation& explanation) {
  std::string result(outcome_of(explanation));
  if (explanation.decision.rule) result += " by " + explanation.decision.rule->id;
  if (!explanation.fault.empty()) result += ": " + explanation.fault;
  for (const NearRule& near : explanation.near) result += "\n" + near.rule->id + ": " + near.why;
  if (!explanation.hint.empty()) result += "\nhint: " + explanation.hint;
  return result;
}

TEST_CASE("explain: the decision and why the near rules did not decide") {
  const auto policy = load(kPolicy);
  const auto explained = [&](const char* agent, const CallSpec& call) {
    return text_of(explain(*policy, agent, call, Time{}));
  };
  CHECK(explained("ann", tool("crm", "tickets.get")) ==
        "allow by read\n"
        "again: matches too; the first in file order is named\n"
        "old: `tickets.set` does not match `tickets.get`\n"
        "stop: `*.refund` does not match `tickets.get`\n"
        "web: selects `http`, and this is a tool call");
  CHECK(explained("ann", tool("crm", "notes.secret"))
            .find("read: its `except` takes `notes.secret` out of it\n") != std::string::npos);
  CHECK(explained("ann", tool("crm", "tickets.set"))
            .starts_with("deny\nold: matches, but its `until` is over\n"));
  CHECK(explained("ann", tool("crm", "tickets.set"))
            .ends_with("power: would allow it, but the agent does not have role `boss`"));
  CHECK(explained("bob", tool("crm", "tickets.get"))
            .starts_with("deny\nread: matches, but the agent's state decides before any rule\n"));
  CHECK(explained("ann", tool("crmm", "x"))
            .find("hint: the policy does not name the upstream "
                  "`crmm`; did you mean `crm`?") != std::string::npos);
  CHECK(explained("an", tool("crm", "x")) == "unknown-agent: ann");
  CallSpec http;
  http.upstream = "crm";
  REQUIRE(http.set_http("POST /tickets/7?x=%2e"));
  CHECK(explained("ann", http)
            .starts_with("deny\nweb: its path matches, its methods do not include `POST`"));
  REQUIRE(http.set_http("GET /tickets/../7"));
  CHECK(explained("ann", http).starts_with("malformed: "));
  CallSpec args = tool("crm", "tickets.get");
  for (const char* bad : {R"({"a":1,"a":2})", "{", "[1]", "1", ""}) {
    CAPTURE(bad);
    args.args = bad;
    CHECK(explained("ann", args).starts_with("malformed: the arguments are no "));
  }
}

constexpr const char* kDuties = R"(
agents:
  ann: {owner: o, purpose: p, team: t, roles: [pays, sends],
    probation: {until: 2026-11-21, limits: 5 calls per hour}}
approvers: {leads: {members: lee}, board: {members: [kim, sam], need: 2}}
guards: {pii: {patterns: email}, ids: {patterns: iban}}
roles:
  pays:
    limits: 60 calls per minute
    guards: ids
    allow:
      - {id: pay, upstream: crm, tools: pay}
      - {id: read, upstream: crm, tools: read, guards: pii}
      - {id: try, upstream: crm, tools: new, mode: report}
    ask:
      - {id: large, upstream: crm, tools: pay, when: {args.amount: {above: 10}}, approvers: leads}
      - {id: abroad, upstream: crm, tools: pay, when: {args.to: {not: DE}}, approvers: board,
         within: 2h}
  sends:
    limits: 2 concurrent
    ask:
      - {id: calls, upstream: crm, tools: [invoke, send], approvers: leads}
    deny:
      - {id: stop, upstream: crm, tools: read, when: {args.all: true}, mode: report}
      - {id: halt, upstream: crm, tools: invoke, when: {args.args.halt: true}, mode: report}
servers: {crm: {dispatch: {invoke: {tool: args.name, args: args.args}}}}
prices:
  - {upstream: crm, tools: pay, cost: {from: args.amount, max: 100 USD}}
)";

// "ask by large; asks …; guards …; limits …; reported …; in …; for …", what there is of it.
std::string duties_of(const Explanation& explanation) {
  std::string result(outcome_of(explanation));
  if (explanation.decision.rule) result += " by " + explanation.decision.rule->id;
  if (explanation.decision.reason == Reason::kPrice) result += " price";
  const auto list = [&](const char* what, const auto& of, auto&& name) {
    if (!of.empty()) result += std::string("; ") + what;
    for (const auto* one : of) result += " " + name(*one);
  };
  list("asks", explanation.asks, [](const RuleInfo& ask) { return ask.id; });
  list("guards", explanation.guards, [](const GuardInfo& guard) { return guard.name; });
  list("limits", explanation.limits, [](const RateLimit& limit) { return "`" + limit.text + "`"; });
  if (explanation.reported) result += "; reported " + explanation.reported->id;
  if (!explanation.dispatched.empty()) result += "; inside " + explanation.dispatched;
  if (explanation.spend && explanation.spend->cost > 0) {
    result += "; costs " + std::to_string(explanation.spend->cost);
  }
  return result;
}

TEST_CASE("explain: what must happen before the call may go out") {
  const auto policy = load(kDuties);
  struct Row {
    const char* tool;
    const char* args;
    const char* duties;
  };
  constexpr const char* kDenied = "deny";
  const Row rows[] = {
      {"read", "{}",
       "allow by read; guards pii ids; limits `60 calls per minute` `2 concurrent`; "
       "reported stop"},
      {"read", R"({"all": false})",
       "allow by read; guards pii ids; limits `60 calls per minute` `2 concurrent`"},
      {"pay", R"({"amount": 7, "to": "DE"})",
       "allow by pay; guards ids; limits `60 calls per minute` `2 concurrent`; costs 7000000"},
      {"pay", R"({"amount": 11, "to": "FR"})",
       "ask by large; asks large abroad; guards ids; limits `60 calls per minute` `2 concurrent`; "
       "costs 11000000"},
      {"pay", R"({"amount": 7})",  // `abroad` is in doubt
       "ask by abroad; asks abroad; guards ids; limits `60 calls per minute` `2 concurrent`; "
       "costs 7000000"},
      {"pay", R"({"amount": 101, "to": "DE"})", "deny price"},
      {"pay", R"({"amount": "7", "to": "DE"})", "deny price"},
      {"new", "{}", "deny; reported try"},
      {"old", "{}", kDenied},
      {"invoke", R"({"name": "read", "args": {"halt": false}})",
       "ask by calls; asks calls; guards pii ids; limits `60 calls per minute` `2 concurrent`; "
       "reported stop; inside read"},
      {"invoke", R"({"name": "pay", "args": {"amount": 11, "to": "DE", "halt": false}})",
       "ask by large; asks large calls; guards ids; limits `60 calls per minute` `2 concurrent`; "
       "inside pay; costs 11000000"},
      {"invoke", R"({"name": "pay", "args": {"amount": 7, "to": "DE", "halt": true}})",
       "ask by calls; asks calls; guards ids; limits `60 calls per minute` `2 concurrent`; "
       "reported halt; inside pay; costs 7000000"},
      {"invoke", R"({"name": "send", "args": {"halt": false}})",  // one rule asks for both, once
       "ask by calls; asks calls; guards ids; limits `60 calls per minute` `2 concurrent`; "
       "inside send"},
      {"invoke", R"({"name": "old"})", "deny; inside old"},
      {"invoke", R"({"name": 1})", "malformed"},
      {"invoke", R"({"name": "pay", "args": {"Amount": 1}})", "malformed; inside pay"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.tool, row.args);
    CallSpec call = tool("crm", row.tool);
    call.args = row.args;
    CHECK(duties_of(explain(*policy, "ann", call, Time{})) == row.duties);
  }
  CallSpec large = tool("crm", "pay");
  large.args = R"({"amount": 11, "to": "FR"})";
  const Explanation explanation = explain(*policy, "ann", large, Time{});
  REQUIRE(explanation.asks.size() == 2);
  CHECK(policy->approver_groups()[explanation.asks[0]->ask.group].name == "leads");
  CHECK(explanation.asks[0]->ask.within == std::chrono::minutes(15));
  CHECK(policy->approver_groups()[explanation.asks[1]->ask.group].name == "board");
  CHECK(policy->approver_groups()[explanation.asks[1]->ask.group].need == 2);
  CHECK(explanation.asks[1]->ask.within == std::chrono::hours(2));
  CHECK(std::string(explain(*policy, "ann", tool("crm", "pay"), Time{}).decision.detail)
            .starts_with("what it costs is absent"));
}

TEST_CASE("explain: limits of a probation hold to the end of its last day") {
  const auto policy = load(kDuties);
  CallSpec call = tool("crm", "read");
  call.args = R"({"all": false})";
  call.at = parse_time("2026-11-21T23:59:59.999999Z");
  CHECK(duties_of(explain(*policy, "ann", call, Time{}))
            .ends_with("limits `60 calls per minute` `2 concurrent` `5 calls per hour`"));
  call.at = parse_time("2026-11-22T00:00:00Z");
  CHECK(duties_of(explain(*policy, "ann", call, Time{}))
            .ends_with("limits `60 calls per minute` `2 concurrent`"));
}

TEST_CASE("explain: near rules that ask, that are reported, or that only doubt keeps back") {
  const auto policy = load(kDuties);
  const auto explained = [&](const char* name, const char* args) {
    CallSpec call = tool("crm", name);
    call.args = args;
    return text_of(explain(*policy, "ann", call, Time{}));
  };
  const std::string both = explained("pay", R"({"amount": 11, "to": "FR"})");
  CHECK(both.find("abroad: matches too and must be satisfied too; the first in file order is "
                  "named") != std::string::npos);
  CHECK(both.find("pay: matches, but `ask` goes before `allow`") != std::string::npos);
  CHECK(explained("pay", R"({"amount": 7, "to": "DE"})")
            .find("large: its `when` fails at `args.amount`") != std::string::npos);
  CHECK(explained("read", R"({"all": true})").find("stop: matches, but is only reported") !=
        std::string::npos);
  const auto doubtful = load(R"(
agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}
approvers: {leads: {members: lee}}
roles:
  r: {ask: {id: maybe, upstream: crm, tools: pay, when: {args.x: 1}, approvers: leads}}
  other: {ask: {id: also, upstream: crm, tools: pay, when: {args.x: 1}, approvers: leads}}
)");
  const std::string text = text_of(explain(*doubtful, "ann", tool("crm", "pay"), Time{}));
  CHECK(text ==
        "deny\nmaybe: its `when` is in doubt at `args.x`, which is absent or of a type that the "
        "test cannot judge, and nothing grants the call");
}

TEST_CASE("explain: a policy that only reports says what it would refuse, and what holds") {
  const auto policy = load(std::string("mode: report") + kDuties);
  CHECK(duties_of(explain(*policy, "ann", tool("crm", "old"), Time{})) ==
        "deny; guards ids; limits `60 calls per minute` `2 concurrent`");
  CallSpec call = tool("crm", "pay");
  call.args = R"({"amount": 101, "to": "DE"})";
  CHECK(duties_of(explain(*policy, "ann", call, Time{})) ==
        "deny price; guards ids; limits `60 calls per minute` `2 concurrent`");
}

TEST_CASE("access: rules by agent, and who may call a tool") {
  const auto policy = load(kPolicy);
  AccessFilter filter;
  filter.now = *parse_time("2026-11-22T00:00:00Z");
  std::vector<AccessRow> rows = list_access(*policy, filter);
  REQUIRE(rows.size() == 5);
  CHECK(rows[0].rule->id == "stop");
  CHECK(rows[1].what == "tools tickets.get, notes.* except notes.secret");
  CHECK(rows[4].agent == "bob");
  CHECK(rows[4].effect == "suspended");
  filter.tool = "x.refund";
  filter.agent = "ann";
  rows = list_access(*policy, filter);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].effect == "deny");
  CHECK(rows[0].rule->id == "stop");
  filter.upstream = "other";
  rows = list_access(*policy, filter);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].rule == nullptr);
}

TEST_CASE("times") {
  const auto micros = [](const char* text) -> int64_t {
    const auto time = parse_time(text);
    return time ? time->time_since_epoch().count() : -1;
  };
  CHECK(micros("1970-01-01T00:00:01Z") == 1'000'000);
  CHECK(micros("1970-01-01 00:00:01.5z") == 1'500'000);
  CHECK(micros("1970-01-01T02:00:00+01:30") == 1'800'000'000);
  CHECK(micros("1970-01-01T00:00:00.0000019Z") == 1);
  CHECK(micros("2024-02-29T00:00:00Z") > 0);
  for (const char* bad : {"", "2026-02-29T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00",
                          "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00.Z",
                          "2026-01-01T00:00:00+25:00", "2026-01-01T00:00:00Zx", "now"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad));
  }
}

}  // namespace
}  // namespace reeve::policy
