// Guards on values and texts: what is found where, what is written in its place, what is in doubt.
#include "policy/guard.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/json.h"
#include "policy/policy_set.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using Outcome = GuardReport::Outcome;
using Side = GuardExaminer::Side;
using Root = GuardExaminer::Root;

GuardInfo make_guard(std::string name, std::vector<GuardInfo::Finder> finders,
                     std::vector<std::string> fields = {},
                     GuardInfo::Then then = GuardInfo::Then::kRedact,
                     GuardInfo::On on = GuardInfo::On::kBoth) {
  GuardInfo guard;
  guard.name = std::move(name);
  guard.finders = std::move(finders);
  guard.fields = std::move(fields);
  guard.then = then;
  guard.on = on;
  guard.program = compile_guard(guard);
  return guard;
}

const GuardInfo kAll = make_guard(
    "pii", {{"email", ""}, {"phone", ""}, {"us-ssn", ""}, {"credit-card", ""}, {"iban", ""}});

struct Answer {
  GuardReport report;
  std::string text;  // what is to be sent
};

Answer examine(const std::vector<const GuardInfo*>& guards, std::string_view text,
               Root root = Root::kValue, Side side = Side::kResult) {
  GuardExaminer examiner;
  examiner.use(guards, side);
  json::Parser parser;
  const auto value = parser.parse(text);
  REQUIRE(value);
  Answer answer{{}, std::string(text)};
  std::string out;
  answer.report = examiner.examine(*value, root, out);
  if (answer.report.redacted) answer.text.replace(value->offset(), value->raw().size(), out);
  json::Parser again;
  CHECK(again.parse(answer.text));
  return answer;
}

std::string redact(std::string_view text, const GuardInfo& guard = kAll, Root root = Root::kValue) {
  const Answer answer = examine({&guard}, text, root);
  return answer.report.outcome == Outcome::kDoubt ? std::string("doubt: ") + answer.report.doubt
                                                  : answer.text;
}

std::string redact_text(std::string_view text, const GuardInfo& guard = kAll) {
  const GuardInfo* const guards[] = {&guard};
  GuardExaminer examiner;
  examiner.use(guards, Side::kResult);
  std::string out;
  const GuardReport report = examiner.examine_text(text, {}, out);
  if (report.outcome == Outcome::kDoubt) return std::string("doubt: ") + report.doubt;
  return report.redacted ? out : std::string(text);
}

TEST_CASE("strings, keys and numbers are redacted where they stand; every other byte stays") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {R"({"a": 1,  "b": "no"})", R"({"a": 1,  "b": "no"})"},
      {R"( [ "to a@example.com!" , 1.0 ] )", R"( [ "to [redacted: email]!" , 1.0 ] )"},
      {R"({"a@example.com":1,"b@example.com":2})",
       R"({"[redacted: email #1]":1,"[redacted: email #2]":2})"},
      {R"({"n":4111111111111111})", R"({"n":"[redacted: credit-card]"})"},
      {R"({"phone":4155552671,"order":4155552671})",
       R"({"phone":"[redacted: phone]","order":4155552671})"},
      {R"(["\u00e9 \u0061@example.com \u00e9\n"])", R"(["\u00e9 [redacted: email] \u00e9\n"])"},
      {R"(["\u0034111\/","4\u003111111111111111\t"])",
       R"(["\u0034111\/","[redacted: credit-card]\t"])"},
      {R"(["x\ud83d\ude00 a@example.com\ud83d\ude00"])",
       R"(["x\ud83d\ude00 [redacted: email]\ud83d\ude00"])"},
      {R"(["4111\u200b1111\u200b1111\u200b1111"])", R"(["[redacted: credit-card]"])"},
      {"[\"\xEF\xBC\x94\xEF\xBC\x91"
       "11111111111111\"]",
       R"(["[redacted: credit-card]"])"},
      {R"(["see [1] \u00e9 a@example.com"])", R"(["see [1] \u00e9 [redacted: email]"])"},
      {R"("a@example.com")", R"("[redacted: email]")"},
      {R"(["a@example.com,b@example.com"])", R"(["[redacted: email],[redacted: email]"])"},
      {"[true,null,\"\",{},[]]", "[true,null,\"\",{},[]]"},
  };
  for (const auto& [text, expected] : rows) {
    INFO(text);
    CHECK(redact(text) == expected);
  }
}

TEST_CASE("JSON within strings is read as JSON, whatever its own escapes") {
  CHECK(redact(R"({"text":"{\"to\": \"a@example.com\", \"n\": 1}"})") ==
        R"({"text":"{\"to\": \"[redacted: email]\", \"n\": 1}"})");
  // The address is escaped inside: only who reads twice sees it.
  CHECK(redact(R"({"text":"{\"to\":\"\\u0061@example.com\"}"})") ==
        R"({"text":"{\"to\":\"[redacted: email]\"}"})");
  std::string nested = R"(["a@example.com"])";
  for (int level = 0; level < 4; ++level) {
    std::string quoted;
    json::append_string(quoted, nested);
    nested = "[" + quoted + "]";
  }
  CHECK(redact(nested).find("example.com") == std::string::npos);
  std::string quoted;
  json::append_string(quoted, nested);
  CHECK(redact("[" + quoted + "]").starts_with("doubt: "));
}

TEST_CASE("places: keys, items, any, tables; from the root, structuredContent and JSON in text") {
  const GuardInfo guard = make_guard("g", {}, {"*.birth_date", "customer.name", "rows.0"});
  const std::vector<std::pair<std::string, std::string>> rows = {
      {R"([{"birth_date":"1990-01-01","x":1}])", R"([{"birth_date":"[redacted: field]","x":1}])"},
      {R"({"a":{"birth_date":{"y":1990}}})", R"({"a":{"birth_date":"[redacted: field]"}})"},
      {R"({"a":{"birth_date":null}})", R"({"a":{"birth_date":null}})"},
      {R"({"birth_date":"1990"})", R"({"birth_date":"1990"})"},
      {R"({"customer":{"name":"Bo","id":7},"rows":["x","y"]})",
       R"({"customer":{"name":"[redacted: field]","id":7},"rows":["[redacted: field]","y"]})"},
      {R"({"columns":["id","birth_date"],"data":[[1,"1990"],[2,"1991"]]})",
       R"({"columns":["id","birth_date"],"data":[[1,"[redacted: field]"],[2,"[redacted: field]"]]})"},
      {R"({"columns":["id","birth_date"],"rows":[[1,"1990"],[2,"1991"]]})",
       R"({"columns":["id","birth_date"],"rows":["[redacted: field]",[2,"[redacted: field]"]]})"},
      {R"({"fields":[{"name":"id"},{"name":"birth_date"}],"data":[[1,"1990"],[2,null]]})",
       R"({"fields":[{"name":"id"},{"name":"birth_date"}],"data":[[1,"[redacted: field]"],[2,null]]})"},
      {R"([["id","birth_date"],[1,"1990"]])", R"([["id","birth_date"],[1,"[redacted: field]"]])"},
      {R"({"text":"id,birth_date\n1,1990-01-01\n2,\"1991\"\n3,\n"})",
       R"({"text":"id,birth_date\n1,[redacted: field]\n2,[redacted: field]\n3,\n"})"},
      {R"({"text":"| id | birth_date |\n|----|----|\n| 1 | 1990 |"})",
       R"({"text":"| id | birth_date |\n|----|----|\n| 1 | [redacted: field] |"})"},
      {R"({"text":"[{\"birth_date\":\"1990\"}]"})",
       R"({"text":"[{\"birth_date\":\"[redacted: field]\"}]"})"},
  };
  for (const auto& [text, expected] : rows) {
    INFO(text);
    CHECK(redact(text, guard) == expected);
  }
  const std::string result = R"({"structuredContent":{"customer":{"name":"Bo"}}})";
  CHECK(redact(result, guard) == result);
  CHECK(redact(result, guard, Root::kMcpResult) ==
        R"({"structuredContent":{"customer":{"name":"[redacted: field]"}}})");
}

TEST_CASE("what cannot be examined by place is in doubt") {
  const GuardInfo guard = make_guard("g", {}, {"*.birth_date"});
  for (const char* text : {
           R"([{"Birth_Date":"1990"}])",                         // another reader takes it for it
           R"([{"birth_date":"1990","BIRTH_DATE":"1991"}])",     //
           R"({"columns":["id","Birth_Date"],"rows":[[1,2]]})",  //
           R"({"text":"{'birth_date': '1990'}"})",               // Python's, not JSON
           R"({"text":"{\"birth_date\":1,\"birth_date\":2}"})",  // two readings
           R"({"text":"Here: {\"birth_date\":\"1990\"}"})",      //
           R"({"text":"birth_date = 1990"})",                    //
       }) {
    INFO(text);
    CHECK(redact(text, guard).starts_with("doubt: "));
  }
  CHECK(redact(R"({"text":"the birth_date of a person"})", guard) ==
        R"({"text":"the birth_date of a person"})");
  CHECK(redact_text("\xFF a@example.com").starts_with("doubt: "));
  // One key is left of two.
  CHECK(redact(R"({"[redacted: email #1]":1,"a@example.com":2})").starts_with("doubt: "));
}

TEST_CASE(
    "a guard's own expressions are found anywhere, also across escapes and the syntax of JSON") {
  const GuardInfo guard = make_guard("ids", {{"employee", "E\\d{6}"}, {"pair", "\"k\":\"v\""}});
  CHECK(redact(R"(["x E123456y","\u0045123456",1])", guard) ==
        R"(["x [redacted: employee]y","[redacted: employee]",1])");
  CHECK(redact(R"(["E12\u200b3456"])", guard) == R"(["[redacted: employee]"])");
  CHECK(redact(R"(["{\"k\":\"v\"}"])", guard) == R"(["{[redacted: pair]}"])");
  const GuardInfo empty = make_guard("e", {{"maybe", "x*"}});
  CHECK(redact(R"(["axxb"])", empty) == R"(["a[redacted: maybe]b"])");
}

TEST_CASE("the strongest of several guards decides; redaction is there for what asks, too") {
  const GuardInfo redacts = make_guard("r", {{"email", ""}});
  const GuardInfo asks = make_guard("a", {{"iban", ""}}, {}, GuardInfo::Then::kAsk);
  const GuardInfo denies = make_guard("d", {}, {"secret"}, GuardInfo::Then::kDeny);
  const std::vector<const GuardInfo*> all = {&redacts, &asks, &denies};
  Answer answer = examine(all, R"({"a":"x"})");
  CHECK(answer.report.outcome == Outcome::kClean);
  answer = examine(all, R"({"a":"a@example.com b@example.com"})");
  CHECK(answer.report.outcome == Outcome::kRedact);
  REQUIRE(answer.report.hits.size() == 1);
  CHECK(answer.report.hits[0].what == "email");
  CHECK(answer.report.hits[0].count == 2);
  answer = examine(all, R"({"a":"a@example.com DE89370400440532013000"})");
  CHECK(answer.report.outcome == Outcome::kAsk);
  CHECK(answer.report.asks == std::vector<const GuardInfo*>{&asks});
  CHECK(answer.text == R"({"a":"[redacted: email] DE89370400440532013000"})");
  answer = examine(all, R"({"secret":1,"a":"DE89370400440532013000"})");
  CHECK(answer.report.outcome == Outcome::kDeny);
  CHECK(answer.report.guard == &denies);
  // A place that is redacted is looked into all the same.
  const GuardInfo place = make_guard("p", {}, {"box"});
  answer = examine({&place, &asks}, R"({"box":{"x":["DE89370400440532013000"]}})");
  CHECK(answer.report.outcome == Outcome::kAsk);
  CHECK(answer.text == R"({"box":"[redacted: field]"})");
}

TEST_CASE("a guard of the other side does not work") {
  const GuardInfo result =
      make_guard("r", {{"email", ""}}, {}, GuardInfo::Then::kDeny, GuardInfo::On::kResult);
  const GuardInfo arguments =
      make_guard("a", {{"iban", ""}}, {}, GuardInfo::Then::kDeny, GuardInfo::On::kArguments);
  const std::string text = R"(["a@example.com"])";
  CHECK(examine({&result, &arguments}, text, Root::kValue, Side::kResult).report.outcome ==
        Outcome::kDeny);
  CHECK(examine({&result, &arguments}, text, Root::kValue, Side::kArguments).report.outcome ==
        Outcome::kClean);
}

TEST_CASE("texts that stand alone") {
  CHECK(redact_text("mail a@example.com\n") == "mail [redacted: email]\n");
  CHECK(redact_text(" {\"a\":\"\\u0061@example.com\"}\n") == " {\"a\":\"[redacted: email]\"}\n");
  CHECK(redact_text("") == "");
}

constexpr const char* kPolicy = R"(
agents:
  ann: {owner: o, purpose: p, team: t, roles: [r]}
  bob: {owner: o, purpose: p, team: t, roles: [s]}
guards:
  places: {fields: ["lines.*.sku", iban], on: arguments, then: deny}
  results: {fields: [iban]}
  words: {patterns: email, on: both, then: deny}
roles:
  r:
    allow:
      - {upstream: crm, tools: pay, guards: places}
      - {upstream: crm, tools: read, guards: results}
      - {upstream: web, http: "POST /a", guards: words}
      - {upstream: "g*", http: "POST /a", guards: words}
      - {upstream: plain, http: "POST /a", guards: results}
  s:
    allow: {upstream: box, http: "POST /**"}
    guards: words
)";

TEST_CASE("a key that is nearly on the way of a guard's place is malformed") {
  const auto policy = testing::load(kPolicy);
  const auto decide = [&](std::string_view tool, std::string_view text) {
    json::Parser parser;
    const auto args = parser.parse(text);
    Call call = testing::tool_call("crm", tool);
    call.args = &*args;
    return policy->decide(0, call).verdict;
  };
  CHECK(decide("pay", R"({"iban":"x","lines":[{"sku":1}]})") == Verdict::kAllow);
  CHECK(decide("pay", R"({"IBAN":"x"})") == Verdict::kMalformed);
  CHECK(decide("pay", R"({"lines":[{"sku":1},{"SKU":1}]})") == Verdict::kMalformed);
  CHECK(decide("pay", R"({"Lines":[]})") == Verdict::kMalformed);
  CHECK(decide("pay", R"({"other":{"IBAN":"x"}})") == Verdict::kAllow);
  CHECK(decide("read", R"({"IBAN":"x"})") == Verdict::kAllow);  // of the result alone
}

TEST_CASE("bodies are read where a guard looks at arguments") {
  const auto policy = testing::load(kPolicy);
  CHECK(policy->reads_body("web"));
  CHECK(policy->reads_body("box"));     // by its role
  CHECK(policy->reads_body("gadget"));  // by a glob
  CHECK_FALSE(policy->reads_body("plain"));
  CHECK_FALSE(policy->reads_body("crm"));  // tools have no other body
  CHECK_FALSE(policy->reads_body("elsewhere"));
}

TEST_CASE("the guards that any call on an upstream may have") {
  const auto policy = testing::load(kPolicy);
  const auto names = [&](AgentId agent, std::string_view upstream) {
    std::string all;
    for (const GuardInfo* guard : policy->guards_on(agent, upstream)) all += guard->name + " ";
    return all;
  };
  CHECK(policy->has_guards());
  CHECK(names(0, "crm") == "places results ");
  CHECK(names(0, "gadget") == "words ");
  CHECK(names(0, "elsewhere").empty());
  CHECK(names(1, "crm") == "words ");  // of its role, whatever the rules
}

TEST_CASE("tokens of the protocol stay as they are, in an MCP result's own members alone") {
  const std::string_view text =
      R"({"nextCursor":"a@example.com","a":{"nextCursor":"a@example.com"},"taskId":{"b":"a@example.com"}})";
  CHECK(
      redact(text, kAll, Root::kMcpResult) ==
      R"({"nextCursor":"a@example.com","a":{"nextCursor":"[redacted: email]"},"taskId":{"b":"[redacted: email]"}})");
  CHECK(redact(R"({"nextCursor":"a@example.com"})") == R"({"nextCursor":"[redacted: email]"})");
}

}  // namespace
}  // namespace reeve::policy
