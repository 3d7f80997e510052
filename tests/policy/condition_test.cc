// `when`: every test in three-valued logic, exact numbers, values and their forms, time, two
// readings. A row's result is found through rules: an allow with the condition (matches when it is
// true) and a deny with it (matches unless it is false).
#include "policy/condition.h"

#include <catch2/catch.hpp>
#include <string>

#include "policy/number.h"
#include "policy/policy_set.h"
#include "policy/query.h"
#include "policy/value_forms.h"
#include "policy/written_call.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::diagnose;
using testing::load;

std::string policy_text(const std::string& selector, const std::string& when) {
  const std::string rule = "{upstream: u, " + selector + ", when: " + when + "}";
  return "agents:\n"
         "  a: {owner: o, purpose: p, team: t, roles: [granted]}\n"
         "  b: {owner: o, purpose: p, team: t, roles: [denied]}\n"
         "roles:\n"
         "  granted: {allow: [" +
         rule +
         "]}\n"
         "  denied: {allow: [{upstream: u}], deny: [" +
         rule + "]}\n";
}

// "T", "F", "D" or "M".
std::string truth(const PolicySet& policy, const CallSpec& spec) {
  const WrittenCall written(spec, policy.reads_body("u"), Time{});
  if (!written.fault().empty()) return written.fault();
  const Decision granted = policy.decide(0, written.call());
  const Decision denied = policy.decide(1, written.call());
  if (granted.verdict == Verdict::kMalformed) return denied.verdict == granted.verdict ? "M" : "?";
  if (granted.allowed()) return denied.denied() ? "T" : "?";
  return denied.denied() ? "D" : "F";
}

struct Row {
  const char* when;
  const char* args;  // null: none
  const char* truth;
};

void check_args(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.when, row.args ? row.args : "(none)");
    CallSpec spec;
    spec.upstream = "u";
    spec.set_target(Kind::kTool, "t");
    if (row.args) spec.args = row.args;
    CHECK(truth(*load(policy_text("tools: t", row.when)), spec) == row.truth);
  }
}

TEST_CASE("when: equality and its types") {
  check_args({
      {"{args.a: 1}", R"({"a":1})", "T"},
      {"{args.a: 1}", R"({"a":1.0})", "T"},
      {"{args.a: 1}", R"({"a":10e-1})", "T"},
      {"{args.a: 1}", R"({"a":2})", "F"},
      {"{args.a: 1}", R"({"a":"1"})", "F"},
      {"{args.a: 1}", R"({"a":true})", "F"},
      {"{args.a: \"1\"}", R"({"a":"1"})", "T"},
      {"{args.a: \"1\"}", R"({"a":1})", "F"},
      {"{args.a: true}", R"({"a":true})", "T"},
      {"{args.a: true}", R"({"a":false})", "F"},
      {"{args.a: \"true\"}", R"({"a":true})", "F"},
      {"{args.a: x}", R"({"a":"\u0078"})", "T"},
      {"{args.a: x}", R"({"a":"X"})", "F"},
      {"{args.a: x}", R"({"a":null})", "D"},
      {"{args.a: x}", R"({"a":{}})", "D"},
      {"{args.a: x}", R"({"a":[]})", "D"},
      {"{args.a: x}", R"({})", "D"},
      {"{args.a: x}", nullptr, "D"},
      {"{args.a: [x, 5]}", R"({"a":5})", "T"},
      {"{args.a: [x, 5]}", R"({"a":"x"})", "T"},
      {"{args.a: [x, 5]}", R"({"a":"5"})", "F"},
      {"{args.a: {is: [x, y]}}", R"({"a":"y"})", "T"},
      {"{args.a: 9007199254740993}", R"({"a":9007199254740992})", "F"},
      {"{args.a: 9007199254740993}", R"({"a":9007199254740993.000})", "T"},
      {"{args.a: {not: x}}", R"({"a":"y"})", "T"},
      {"{args.a: {not: x}}", R"({"a":"x"})", "F"},
      {"{args.a: {not: [x, y]}}", R"({"a":"y"})", "F"},
      {"{args.a: {not: x}}", R"({})", "D"},
      {"{args.a: {not: x}}", R"({"a":{}})", "D"},
      {"{args.a: {not: {max: 5}}}", R"({"a":6})", "T"},
      {"{args.a: {not: {max: 5}}}", R"({"a":"6"})", "D"},
      {"{args.a: {not: {present: true}}}", R"({})", "T"},
      {"{args.a: {default: x, is: x}}", R"({})", "T"},
      {"{args.a: {default: x, is: x}}", nullptr, "T"},
      {"{args.a: {default: x, is: y}}", R"({})", "F"},
      {"{args.a: {default: x, is: x}}", R"({"a":null})", "D"},
      {"{args.a: {default: 5, max: 9}}", R"({})", "T"},
  });
}

TEST_CASE("when: several tests and values") {
  check_args({
      {"{args.a: 1, args.b: 2}", R"({"a":1,"b":2})", "T"},
      {"{args.a: 1, args.b: 2}", R"({"a":1,"b":3})", "F"},
      {"{args.a: 1, args.b: 2}", R"({"a":1})", "D"},
      {"{args.a: 1, args.b: 2}", R"({"b":3})", "F"},
      {"{args.a: 1, args.b: 2}", R"({"a":3})", "F"},
      {"{args.a: {min: 1, max: 3}}", R"({"a":3})", "T"},
      {"{args.a: {min: 1, max: 3}}", R"({"a":3.0000000000000000001})", "F"},
      {"{args.a: {above: 1, below: 3}}", R"({"a":3})", "F"},
      {"{args.a: {above: 1, below: 3}}", R"({"a":1})", "F"},
      {"{args.a: {above: 1, below: 3}}", R"({"a":2e0})", "T"},
      {"{args.a: {max: 100}}", R"({"a":1e999999999999999999999})", "F"},
      {"{args.a: {max: 100}}", R"({"a":-1e999999999999999999999})", "T"},
      {"{args.a: {max: 100}}", R"({"a":"5"})", "D"},
      {"{args.a: {max: 100}}", R"({"a":true})", "D"},
      {"{args.a: {max: 100}}", R"({"a":null})", "D"},
      {"{args.a: {min: -5}}", R"({"a":-5.0})", "T"},
      {"{args.a: {min: 0}}", R"({"a":-0})", "T"},
  });
}

TEST_CASE("when: text") {
  check_args({
      {"{args.a: {matches: \"[a-z]+\"}}", R"({"a":"abc"})", "T"},
      {"{args.a: {matches: \"[a-z]+\"}}", R"({"a":"abc\n"})", "F"},
      {"{args.a: {matches: \"a.c\"}}", R"({"a":"a\nc"})", "T"},
      {"{args.a: {matches: \"1\"}}", R"({"a":1})", "D"},
      {"{args.a: {glob: \"a*c\"}}", R"({"a":"a/b/c"})", "T"},
      {"{args.a: {glob: \"a*c\"}}", R"({"a":"ab"})", "F"},
      {"{args.a: {prefix: ab}}", R"({"a":"abc"})", "T"},
      {"{args.a: {prefix: ab}}", R"({"a":"aab"})", "F"},
      {"{args.a: {prefix: ab}}", R"({"a":1})", "D"},
      {"{args.a: {length: {max: 2}}}", R"({"a":"ab"})", "T"},
      {"{args.a: {length: {max: 2}}}", R"({"a":"\u00e4\ud83d\ude00"})", "T"},
      {"{args.a: {length: {max: 2}}}", R"({"a":"abc"})", "F"},
      {"{args.a: {length: {is: 0}}}", R"({"a":""})", "T"},
      {"{args.a: {length: {max: 2}}}", R"({"a":7})", "D"},
      {"{args.a: {length: {max: 2}}}", R"({"a":{}})", "D"},
      {"{args.a: {under: /data}}", R"({"a":"/data/x"})", "T"},
      {"{args.a: {under: /data}}", R"({"a":"/data"})", "T"},
      {"{args.a: {under: /data}}", R"({"a":"/data/"})", "T"},
      {"{args.a: {under: /data}}", R"({"a":"/database"})", "F"},
      {"{args.a: {under: /data}}", R"({"a":"/etc"})", "F"},
      {"{args.a: {under: /data}}", R"({"a":"/data/../etc"})", "D"},
      {"{args.a: {under: /data}}", R"({"a":"/data//x"})", "D"},
      {"{args.a: {under: /data}}", R"({"a":"/data/.\\x"})", "D"},
      {"{args.a: {under: /data}}", R"({"a":"/data/x\u0000"})", "D"},
      {"{args.a: {under: /data}}", R"({"a":"data/x"})", "D"},
      {"{args.a: {under: /}}", R"({"a":"/x"})", "T"},
      {"{args.a: {host: [\"*.acme.example\", b.test]}}", R"({"a":"https://X.Acme.example/p"})",
       "T"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"https://x.acme.example.:443"})", "T"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"https://evil.test/x.acme.example"})", "F"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"https://x.acme.example@evil.test/"})", "D"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"//x.acme.example/"})", "D"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"https://evil.test\\.acme.example"})", "D"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"https://a%2eb.acme.example"})", "D"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":" https://x.acme.example"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://169.254.169.254/x"})", "T"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://2852039166/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://0xa9fea9fe/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://0251.0376.0251.0376/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://169.254.43518/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://169.254.169.254./"})", "T"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://[::ffff:169.254.169.254]/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://[::ffff:a9fe:a9fe]/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://[0:0:0:0:0:0:0:01]/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://[2001:db8:0:1::5]/"})", "F"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://a..b/"})", "D"},
      {"{args.a: {host: \"169.254.169.254\"}}", R"({"a":"http://169.254.169.254.example/"})", "F"},
      {"{args.a: {host: \"*.acme.example\"}}", R"({"a":"https://x.acme.example:80a"})", "D"},
  });
}

TEST_CASE("when: presence, lists, paths") {
  check_args({
      {"{args.a: {present: true}}", R"({"a":null})", "T"},
      {"{args.a: {present: true}}", R"({})", "F"},
      {"{args.a: {present: false}}", R"({})", "T"},
      {"{args.a: {present: false}}", nullptr, "T"},
      {"{args.a: {present: true}}", R"({"a":[]})", "T"},
      {"{args.a: 1}", R"({"a":[1,1.0]})", "T"},
      {"{args.a: 1}", R"({"a":[2,3]})", "F"},
      {"{args.a: 1}", R"({"a":[1,2]})", "D"},
      {"{args.a: {not: 1}}", R"({"a":[1,2]})", "D"},
      {"{args.a: {not: 1}}", R"({"a":[3,2]})", "T"},
      {"{args.a: {length: {max: 2}}}", R"({"a":[1,2]})", "T"},
      {"{args.a: {length: {max: 2}}}", R"({"a":[]})", "T"},
      {"{args.a: {length: {max: 2}}}", R"({"a":[1,2,3]})", "F"},
      {"{args.a: {any: 1}}", R"({"a":[1,2]})", "T"},
      {"{args.a: {any: 1}}", R"({"a":[3,2]})", "F"},
      {"{args.a: {any: {max: 1}}}", R"({"a":[3,"x"]})", "D"},
      {"{args.a: {any: {max: 1}}}", R"({"a":[1,"x"]})", "T"},
      {"{args.a: {any: 1}}", R"({"a":[]})", "D"},
      {"{args.a: {any: 1}}", R"({"a":1})", "D"},
      {"{args.a: {all: {max: 3}}}", R"({"a":[1,3]})", "T"},
      {"{args.a: {all: {max: 3}}}", R"({"a":[1,4]})", "F"},
      {"{args.a: {all: {max: 3}}}", R"({"a":[1,"x"]})", "D"},
      {"{args.a: {all: {max: 3}}}", R"({"a":["x",4]})", "F"},
      {"{args.a.b.1: 7}", R"({"a":{"b":[5,7]}})", "T"},
      {"{args.a.b.2: 7}", R"({"a":{"b":[5,7]}})", "D"},
      {"{args.a.1: 7}", R"({"a":{"1":7}})", "T"},
      {"{'args.\"a.b\".c': 7}", R"({"a.b":{"c":7}})", "T"},
      {"{'args.a.\"*\"': 7}", R"({"a":{"*":7}})", "T"},
      {"{args.l.*.s: x}", R"({"l":[{"s":"x"},{"s":"x"}]})", "T"},
      {"{args.l.*.s: x}", R"({"l":[{"s":"y"},{"s":"z"}]})", "F"},
      {"{args.l.*.s: x}", R"({"l":[{"s":"x"},{"s":"z"}]})", "D"},
      {"{args.l.*.s: x}", R"({"l":[{"s":"x"},{}]})", "D"},
      {"{args.l.*.s: x}", R"({"l":[]})", "D"},
      {"{args.l.*.s: {default: x, is: x}}", R"({"l":[]})", "D"},  // empty is not absent
      {"{args.l.*.s: {length: {max: 0}}}", R"({"l":[]})", "T"},
      {"{args.l.*.s: x}", R"({"l":{"0":{"s":"x"}}})", "D"},
      {"{args.l.*.s: {any: x}}", R"({"l":[{"s":"x"},{"s":"z"}]})", "T"},
      {"{args.l.*.s: {all: [x, z]}}", R"({"l":[{"s":"x"},{"s":"z"}]})", "T"},
      {"{args.l.*.s: {length: {max: 1}}}", R"({"l":[{"s":"x"},{"s":"z"}]})", "F"},
      {"{args.l.*.s: {default: x, is: x}}", R"({"l":[{"s":"x"},{}]})", "T"},
      {"{args.l.*.m.*: {max: 5}}", R"({"l":[{"m":[1,2]},{"m":[3]}]})", "T"},
  });
}

TEST_CASE("when: a key that differs in case from one that a rule reads is malformed") {
  check_args({
      {"{args.amount: {max: 5}}", R"({"amount":1,"Amount":900})", "M"},
      {"{args.amount: {max: 5}}", R"({"AMOUNT":900})", "M"},
      {"{args.a.amount: {max: 5}}", R"({"a":{"amounT":1}})", "M"},
      {"{args.a.amount: {max: 5}}", R"({"A":{"amount":1}})", "M"},
      {"{args.l.*.k: x}", R"({"l":[{"k":"x"},{"K":"y"}]})", "M"},
      {"{args.l.1.k: x}", R"({"l":[{"K":"x"},{"k":"x"}]})", "T"},
      {"{args.task: {max: 5}}", "{\"tas\u212A\":1}", "M"},
      {"{args.amount: {max: 5}}", R"({"amount":1,"Other":2,"OTHER":3})", "T"},
  });
  // It concerns the rules that select the call, whichever of them decides.
  const auto policy = load(
      "agents: {a: {owner: o, purpose: p, team: t, roles: r}}\nroles:\n  r:\n    allow:\n"
      "      - {upstream: u}\n      - {upstream: u, tools: pay, when: {args.amount: {max: 5}}}\n"
      "    deny:\n      - {upstream: u, tools: stop}\n"
      "      - {upstream: u, tools: stop, when: {args.amount: 5}}\n");
  for (const auto& [tool, verdict] : {std::pair{"pay", Verdict::kMalformed},
                                      {"other", Verdict::kAllow},
                                      {"stop", Verdict::kMalformed}}) {
    CAPTURE(tool);
    CallSpec spec;
    spec.upstream = "u";
    spec.set_target(Kind::kTool, tool);
    spec.args = R"({"Amount":1})";
    CHECK(policy->decide(0, WrittenCall(spec, false, Time{}).call()).verdict == verdict);
  }
}

TEST_CASE("when: query, header and body of HTTP calls") {
  struct HttpRow {
    const char* when;
    const char* target;
    const char* header;  // value of X-Env, or null
    const char* body;    // JSON, or null
    const char* truth;
  };
  const HttpRow rows[] = {
      {"{query.n: 5}", "/x?n=5", nullptr, nullptr, "T"},
      {"{query.n: 5}", "/x?n=5.0", nullptr, nullptr, "T"},
      {"{query.n: \"5\"}", "/x?n=5", nullptr, nullptr, "T"},
      {"{query.n: \"5\"}", "/x?n=5.0", nullptr, nullptr, "F"},
      {"{query.n: {max: 5}}", "/x?n=7", nullptr, nullptr, "F"},
      {"{query.n: {max: 5}}", "/x?n=abc", nullptr, nullptr, "D"},
      {"{query.n: {max: 5}}", "/x?n=05", nullptr, nullptr, "D"},
      {"{query.n: 5}", "/x", nullptr, nullptr, "D"},
      {"{query.n: {present: false}}", "/x?m=1", nullptr, nullptr, "T"},
      {"{query.n: a}", "/x?n=a&n=a", nullptr, nullptr, "T"},
      {"{query.n: a}", "/x?n=a&n=b", nullptr, nullptr, "D"},
      {"{query.n: a}", "/x?n=c&n=b", nullptr, nullptr, "F"},
      {"{query.n: {any: a}}", "/x?n=c&n=a", nullptr, nullptr, "T"},
      {"{query.n: {any: a}}", "/x?n=a", nullptr, nullptr, "T"},
      {"{query.n: {length: {max: 1}}}", "/x?n=a&n=b", nullptr, nullptr, "F"},
      {"{query.n: {length: {max: 1}}}", "/x?n=a", nullptr, nullptr, "T"},
      {"{query.n: \"a b\"}", "/x?n=a+b", nullptr, nullptr, "T"},
      {"{query.n: \"a b\"}", "/x?%6e=a%20b", nullptr, nullptr, "T"},
      {"{query.n: a}", "/x?n=%61%", nullptr, nullptr, "D"},
      {"{query.n: a}", "/x?n=a&m=%ff", nullptr, nullptr, "D"},
      {"{query.n: a}", "/x?n=a;n=b", nullptr, nullptr, "D"},
      {"{query.n: a}", "/x?n=a&N=b", nullptr, nullptr, "M"},
      {"{query.n: a}", "/x?n", nullptr, nullptr, "F"},
      {"{query.n: {length: {is: 0}}}", "/x?n=", nullptr, nullptr, "T"},
      {"{header.x-env: prod}", "/x", "prod", nullptr, "T"},
      {"{header.X-ENV: prod}", "/x", "test", nullptr, "F"},
      {"{header.x-env: prod}", "/x", nullptr, nullptr, "D"},
      {"{header.x-env: {min: 3}}", "/x", "4", nullptr, "T"},
      {"{args.a: 1}", "/x", nullptr, R"({"a":1})", "T"},
      {"{args.a: 1}", "/x", nullptr, R"({"a":2})", "F"},
      {"{args.0: 1}", "/x", nullptr, "[1]", "T"},
      {"{args.a: 1}", "/x", nullptr, nullptr, "D"},
      {"{args.a: 1}", "/x", nullptr, R"({"a":1,"a":1})",
       "the body is no strict JSON: duplicate key"},
  };
  for (const HttpRow& row : rows) {
    CAPTURE(row.when, row.target, row.header ? row.header : "", row.body ? row.body : "");
    CallSpec spec;
    spec.upstream = "u";
    REQUIRE(spec.set_http(std::string("POST ") + row.target));
    if (row.header) spec.headers.emplace_back("X-Env", row.header);
    if (row.body) {
      spec.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
      spec.body = row.body;
    }
    CHECK(truth(*load(policy_text("http: POST /x", row.when)), spec) == row.truth);
  }
}

TEST_CASE("when: bodies are read only where a rule reads them") {
  const auto reads = [](const std::string& selector, const std::string& when) {
    return load(policy_text(selector, when))->reads_body("u");
  };
  CHECK(reads("http: POST /x", "{args.a: 1}"));
  CHECK_FALSE(reads("http: POST /x", "{query.a: 1}"));
  CHECK_FALSE(reads("tools: x", "{args.a: 1}"));
  const auto globs = load(
      "agents: {a: {owner: o, purpose: p, team: t, roles: r}}\n"
      "roles: {r: {deny: {upstream: \"x*\", when: {args.a: 1}}, allow: {upstream: y}}}");
  CHECK(globs->reads_body("x1"));
  CHECK_FALSE(globs->reads_body("y"));
  CHECK_FALSE(globs->reads_body("z"));
}

TEST_CASE("when: time") {
  struct TimeRow {
    const char* when;
    const char* at;
    const char* truth;
  };
  const TimeRow rows[] = {
      {"{time: {days: mon-fri}}", "2026-11-20T12:00:00Z", "T"},  // a Friday
      {"{time: {days: mon-fri}}", "2026-11-21T12:00:00Z", "F"},
      {"{time: {days: [sat, sun]}}", "2026-11-22T12:00:00Z", "T"},
      {"{time: {days: fri-mon}}", "2026-11-22T12:00:00Z", "T"},
      {"{time: {days: fri-mon}}", "2026-11-24T12:00:00Z", "F"},
      {"{time: {hours: 09:00-18:00}}", "2026-11-20T09:00:00Z", "T"},
      {"{time: {hours: 09:00-18:00}}", "2026-11-20T08:59:59.999999Z", "F"},
      {"{time: {hours: 09:00-18:00}}", "2026-11-20T17:59:59.999999Z", "T"},
      {"{time: {hours: 09:00-18:00}}", "2026-11-20T18:00:00Z", "F"},
      {"{time: {hours: 22:00-06:00}}", "2026-11-20T23:00:00Z", "T"},
      {"{time: {hours: 22:00-06:00}}", "2026-11-20T05:59:00Z", "T"},
      {"{time: {hours: 22:00-06:00}}", "2026-11-20T06:00:00Z", "F"},
      {"{time: {hours: 00:00-24:00}}", "2026-11-20T23:59:59Z", "T"},
      {"{time: {hours: 09:00-18:00, zone: Europe/Berlin}}", "2026-11-20T08:00:00Z", "T"},
      {"{time: {hours: 09:00-18:00, zone: Europe/Berlin}}", "2026-07-20T07:00:00Z", "T"},
      {"{time: {hours: 09:00-18:00, zone: Europe/Berlin}}", "2026-11-20T07:30:00Z", "F"},
      {"{time: {days: sat, zone: Pacific/Auckland}}", "2026-11-20T12:00:00Z", "T"},
      {"{time: {days: sat, zone: America/New_York}}", "2026-11-22T04:00:00Z", "T"},
      {"{time: {days: wed}}", "1969-12-31T23:59:59Z", "T"},
  };
  for (const TimeRow& row : rows) {
    CAPTURE(row.when, row.at);
    CallSpec spec;
    spec.upstream = "u";
    spec.set_target(Kind::kTool, "t");
    spec.at = parse_time(row.at);
    REQUIRE(spec.at);
    CHECK(truth(*load(policy_text("tools: t", row.when)), spec) == row.truth);
  }
}

TEST_CASE("when: what it may not say") {
  struct BadRow {
    const char* selector;
    const char* when;
    const char* error;
  };
  const BadRow rows[] = {
      {"tools: t", "{}", "`when` must map values"},
      {"tools: t", "[a]", "`when` must map values"},
      {"tools: t", "{amount: 1}", "unknown value `amount`; it is one of args.NAME"},
      {"tools: t", "{args: 1}", "`args` names no value"},
      {"tools: t", "{args.: 1}", "`args.` names no value"},
      {"tools: t", "{args.a..b: 1}", "`args.a..b` is no path"},
      {"tools: t", "{args.a.: 1}", "`args.a.` is no path"},
      {"tools: t", "{'args.\"a': 1}", "is no path"},
      {"tools: t", "{query.a: 1}",
       "`query.a` is nothing that a call that `tools` selects can have"},
      {"resources: t", "{args.a: 1}", "`args.a` is nothing that a call that `resources` selects"},
      {"tools: t", "{model: m}", "`model` is nothing that a call that `tools` selects can have"},
      {"tools: t", "{args.a: []}", "an empty list matches nothing"},
      {"tools: t", "{args.a: ~}", "for its absence use `present: false`"},
      {"tools: t", "{args.a: {maxx: 1}}", "unknown key `maxx`; did you mean `max`?"},
      {"tools: t", "{args.a: {}}", "a test without anything to test"},
      {"tools: t", "{args.a: {default: 1}}", "a test without anything to test"},
      {"tools: t", "{args.a: {max: x}}", "`max` must be a number"},
      {"tools: t", "{args.a: {max: \"5\"}}", "`max` must be a number"},
      {"tools: t", "{args.a: {max: 0x10}}", "`max` must be a number"},
      {"tools: t", "{args.a: {matches: \"(\"}}", "is not a valid RE2 expression"},
      {"tools: t", "{args.a: {glob: \"[\"}}", "has no meaning"},
      {"tools: t", "{args.a: {present: 1}}", "`present` must be `true` or `false`"},
      {"tools: t", "{args.a: {under: data}}", "is no absolute path"},
      {"tools: t", "{args.a: {under: /a/../b}}", "is no absolute path"},
      {"tools: t", "{args.a: {length: 5}}", "`length` must be a map"},
      {"tools: t", "{args.a: {any: {default: 1, is: 1}}}", "`default` stands beside"},
      {"http: POST /x", "{query.a: true}", "write it in quotes"},
      {"tools: t", "{time: {}}", "`time` takes"},
      {"tools: t", "{time: {days: someday}}", "unknown days `someday`"},
      {"tools: t", "{time: {hours: 9-18}}", "are no hours"},
      {"tools: t", "{time: {hours: 09:00-09:00}}", "are no hours"},
      {"tools: t", "{time: {hours: 09:00-25:00}}", "are no hours"},
      {"tools: t", "{time: {days: mon, zone: Mars}}", "unknown time zone `Mars`"},
  };
  for (const BadRow& row : rows) {
    CAPTURE(row.when);
    const std::string all = diagnose(policy_text(row.selector, row.when));
    CAPTURE(all);
    CHECK(all.find("policy.yaml:5:") == 0);
    CHECK(all.find(row.error) != std::string::npos);
  }
}

TEST_CASE("when: equal conditions are one, but for their errors") {
  const auto messages = [](const std::vector<std::string>& rules) {
    std::string text =
        "agents:\n  a: {owner: o, purpose: p, team: t, roles: [r], expires: 2030-01-01, identity: "
        "[{listener: l}]}\nroles:\n  r:\n    allow:\n";
    for (const std::string& rule : rules) text += "      - {upstream: u, " + rule + "}\n";
    return diagnose(text);
  };
  const std::string bad = "tools: t, when: {args.x: many, args.y: {max: 1, min: no}}";
  const std::string good = "tools: t, when: {args.x: {max: 1}}";
  CHECK(messages({bad, good, bad, good}) ==
        "policy.yaml:6:76: error: `min` must be a number such as 100 or 0.5\n"
        "policy.yaml:8:76: error: `min` must be a number such as 100 or 0.5\n");
  // What a value may be depends on the selector beside it.
  CHECK(messages({"http: GET /, when: {query.x: y}", "tools: t, when: {query.x: y}"}) ==
        "policy.yaml:7:40: error: `query.x` is nothing that a call that `tools` selects can have; "
        "remove it\n");
}

TEST_CASE("a condition never hides a target, and may_use looks past it") {
  const auto policy = load(policy_text("tools: t", "{args.a: 1}"));
  CHECK(policy->could_allow(0, testing::tool_call("u", "t")));
  CHECK(policy->could_allow(1, testing::tool_call("u", "t")));
  CHECK(policy->may_use(0, "u", Time{}).allowed());
  CHECK_FALSE(policy->could_allow(0, testing::tool_call("u", "s")));
  const auto all = load(
      "agents: {a: {owner: o, purpose: p, team: t, roles: r}}\n"
      "roles: {r: {allow: {upstream: u}, deny: {upstream: u, when: {time: {days: sun}}}}}");
  CHECK(all->may_use(0, "u", Time{}).allowed());
}

TEST_CASE("numbers are compared exactly") {
  struct NumberRow {
    const char* a;
    const char* b;
    int order;
  };
  const NumberRow rows[] = {
      {"0", "-0", 0},
      {"0", "0e99", 0},
      {"1", "1.0", 0},
      {"1", "10e-1", 0},
      {"100", "1E2", 0},
      {"0.001", "1e-3", 0},
      {"12", "1.2e1", 0},
      {"1", "2", -1},
      {"-1", "-2", 1},
      {"-1", "1", -1},
      {"0", "-1", 1},
      {"10", "9", 1},
      {"0.1", "0.09", 1},
      {"1.10", "1.1", 0},
      {"1.01", "1.1", -1},
      {"999", "1000", -1},
      {"1e400", "1e401", -1},
      {"-1e401", "1e400", -1},
      {"1e99999999999999999999", "2", 1},
      {"0.1000000000000000055511151231257827", "0.1", 1},
      {"9007199254740993", "9007199254740992", 1},
  };
  for (const NumberRow& row : rows) {
    CAPTURE(row.a, row.b);
    CHECK(compare_numbers(row.a, row.b) == row.order);
    CHECK(compare_numbers(row.b, row.a) == -row.order);
  }
  for (const char* good : {"0", "-0", "1", "1.5", "1e5", "1E+5", "-1.5e-5"}) CHECK(is_number(good));
  for (const char* bad :
       {"", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1 ", "0x1", "NaN", "1_0"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_number(bad));
  }
}

}  // namespace
}  // namespace reeve::policy
