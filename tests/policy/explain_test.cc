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
