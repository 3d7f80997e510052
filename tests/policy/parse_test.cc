// What the files of tests/data/policies/bad and bad_tests are refused with, word for word, and how
// amounts, days and limits are read. Each file says on top what it expects, in order.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "policy/policy_test.h"
#include "tests/support/expected_files.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::diagnose;
using testing::load;

TEST_CASE("malformed policies: every error, with its place and remedy") {
  const size_t files = testing::expect_all(
      "bad", Severity::kError, [](const testing::ExpectedFile& file, Diagnostics& diagnostics) {
        return PolicySet::load({&file.source, 1}, file.wiring, diagnostics) != nullptr;
      });
  CHECK(files >= 309);
}

TEST_CASE("malformed tests of a policy") {
  const size_t files =
      testing::expect_all("bad_tests", Severity::kError,
                          [](const testing::ExpectedFile& file, Diagnostics& diagnostics) {
                            return parse_tests(file.source, diagnostics).has_value();
                          });
  CHECK(files >= 25);
}

std::string with_limit(const std::string& limit) {
  return "budgets:\n  b: {for: everyone, limit: " + limit + "}\n";
}

TEST_CASE("limits: amounts, units and periods") {
  struct Row {
    const char* text;
    Unit unit;
    Micros amount;
    Period period;
  };
  const Row rows[] = {
      {"20 USD per day", Unit::kMoney, 20'000'000, Period::kDay},
      {"0.000001 USD per minute", Unit::kMoney, 1, Period::kMinute},
      {"0 USD per year", Unit::kMoney, 0, Period::kYear},
      {"500 USD total", Unit::kMoney, 500'000'000, Period::kTotal},
      {"500 USD per total", Unit::kMoney, 500'000'000, Period::kTotal},
      {"100 calls per hour", Unit::kCalls, 100'000'000, Period::kHour},
      {"1 call per week", Unit::kCalls, 1'000'000, Period::kWeek},
      {"3 calls per quarter", Unit::kCalls, 3'000'000, Period::kQuarter},
      {"3  calls  per  month", Unit::kCalls, 3'000'000, Period::kMonth},
      {"100000 tokens per day", Unit::kTokens, 100'000'000'000, Period::kDay},
      {"1 token total", Unit::kTokens, 1'000'000, Period::kTotal},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto policy = load(with_limit(row.text));
    REQUIRE(policy->accounts().size() == 1);
    const AccountSpec& account = policy->accounts()[0];
    CHECK(account.unit == row.unit);
    CHECK(account.limit == row.amount);
    CHECK(account.period == row.period);
  }
  for (const char* bad : {"20", "20 USD", "USD per day", "20 usd per day", "20 USD a day",
                          "20 USD per", "1e3 USD per day", "1_000 USD per day", "+5 USD per day",
                          ".5 USD per day", "20 dogs per day", "1.5 tokens per day",
                          "20 USD per day per day", "NaN USD per day", "\"\""}) {
    CAPTURE(bad);
    CHECK(diagnose(with_limit(bad)).find("policy.yaml:2:29: error: ") == 0);
  }
}

const std::string kOneAgent = "agents: {a: {owner: o, purpose: p, team: t, roles: r}}\n";

TEST_CASE("limits of roles: what is counted, how many, in which time") {
  using Kind = RateLimit::Kind;
  using std::chrono::seconds;
  struct Row {
    const char* text;
    Kind kind;
    uint32_t count;
    seconds window;
  };
  const Row rows[] = {
      {"60 calls per minute", Kind::kCalls, 60, seconds(60)},
      {"1 call per second", Kind::kCalls, 1, seconds(1)},
      {"0 calls per hour", Kind::kCalls, 0, seconds(3600)},
      {"4294967295  calls  per  day", Kind::kCalls, 4294967295, seconds(86400)},
      {"9 calls per week", Kind::kCalls, 9, seconds(7 * 86400)},
      {"9 calls per 90s", Kind::kCalls, 9, seconds(90)},
      {"4 concurrent", Kind::kConcurrent, 4, seconds(0)},
      {"3 repeats per 10m", Kind::kRepeats, 3, seconds(600)},
      {"1 repeat per 3650d", Kind::kRepeats, 1, seconds(3650LL * 86400)},
      {"50 steps per session", Kind::kSteps, 50, seconds(0)},
      {"1 step per session", Kind::kSteps, 1, seconds(0)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto policy = load(kOneAgent + "roles: {r: {limits: " + row.text + "}}\n");
    REQUIRE(policy->limits(0).size() == 1);
    const RateLimit& limit = policy->limits(0)[0];
    CHECK(limit.kind == row.kind);
    CHECK(limit.count == row.count);
    CHECK(limit.window == row.window);
    CHECK(limit.until == Time::max());
    CHECK(limit.text == row.text);
    CHECK(to_string(limit.at) == "policy.yaml:2:21");
  }
  for (const char* bad : {"60",
                          "calls per minute",
                          "60 calls",
                          "60 calls minute",
                          "60 calls per",
                          "60 calls per month",
                          "60 calls per 0s",
                          "60 calls per 3651d",
                          "60 calls per session",
                          "60 steps per minute",
                          "4 concurrent calls",
                          "4 concurrent per minute",
                          "-1 calls per minute",
                          "+1 calls per minute",
                          "1e3 calls per minute",
                          "4294967296 calls per day",
                          "1.0 calls per minute",
                          "60 Calls per minute",
                          "60 callss per minute",
                          "60 USD per day",
                          "3 tokens per day"}) {
    CAPTURE(bad);
    const std::string all = diagnose(kOneAgent + "roles: {r: {limits: " + bad + "}}\n");
    CHECK(all.find("policy.yaml:2:21: error: `" + std::string(bad)) == 0);
  }
}

TEST_CASE("durations and shares") {
  using std::chrono::seconds;
  const std::string approvers = "approvers: {g: {members: m}}\n";
  const auto ask = [&](const std::string& within) {
    return kOneAgent + approvers +
           "roles: {r: {ask: {upstream: u, approvers: g, within: " + within + "}}}\n";
  };
  const std::pair<const char*, seconds> rows[] = {
      {"1s", seconds(1)},           {"15m", seconds(900)},       {"2h", seconds(7200)},
      {"90d", seconds(90 * 86400)}, {"2w", seconds(14 * 86400)}, {"3650d", seconds(3650LL * 86400)},
  };
  for (const auto& [text, duration] : rows) {
    CAPTURE(text);
    const auto policy = load(ask(text));
    const Decision decision = policy->decide(0, testing::tool_call("u", "t"));
    REQUIRE(decision.rule);
    CHECK(decision.rule->ask.within == duration);
  }
  for (const char* bad : {"15", "m", "0s", "-1s", "+1s", "1.5h", "15 m", "15min", "1h30m", "3651d",
                          "522w", "99999999999999999999s", "15M"}) {
    CAPTURE(bad);
    CHECK(diagnose(ask(bad)).find("policy.yaml:3:54: error: `" + std::string(bad) +
                                  "` is no duration") == 0);
  }
  const auto warn = [](const std::string& share) {
    return "budgets: {b: {for: everyone, limit: 1 USD per day, warn: " + share + "}}\n";
  };
  CHECK(load(warn("1%"))->accounts()[0].warn_percent == 1);
  CHECK(load(warn("80%"))->accounts()[0].warn_percent == 80);
  CHECK(load(warn("100%"))->accounts()[0].warn_percent == 100);
  for (const char* bad : {"80", "0%", "101%", "-5%", "8.5%", "80 %", "\"%\"", "eighty"}) {
    CAPTURE(bad);
    CHECK(diagnose(warn(bad)).find("is no share from 1 to 100") != std::string::npos);
  }
}

TEST_CASE("prices of tokens, as money for a million") {
  const auto price = [](const std::string& input, const std::string& more = {}) {
    return kOneAgent +
           "roles: {r: {allow: {upstream: u}}}\nprices: [{upstream: u, models: m, input: " + input +
           ", output: 0 USD per 1M tokens, context: 1000000, max_output: 1" + more + "}]\n";
  };
  const auto cost = [&](const std::string& text) {
    Call call;
    call.upstream = "u";
    call.kind = Kind::kModel;
    call.action = "POST";
    call.target = call.model = "m";
    const auto policy = load(text);
    const auto spend = policy->spend(0, call);
    REQUIRE(spend);
    CHECK(spend->by_tokens);
    return spend->cost;
  };
  CHECK(cost(price("2.50 USD per 1M tokens")) == 2'500'000);
  CHECK(cost(price("0.000001 USD per 1M tokens")) == 1);
  CHECK(cost(price("0.0025 USD per 1K tokens")) == 2'500'000);
  CHECK(cost(price("1  USD  per  1M  tokens")) == 1'000'000);
  CHECK(cost(price("1 USD per 1M tokens",
                   ", cached_input: 0.5 USD per 1M tokens, cache_write: 1.25 "
                   "USD per 1M tokens")) == 1'250'000);
  for (const char* bad :
       {"2.50", "2.50 USD", "2.50 USD per 1M", "2.50 USD per token", "2.50 USD per 1m tokens",
        "2.50 USD per 1000000 tokens", "2.50 usd per 1M tokens", "-2.50 USD per 1M tokens",
        "0.0000001 USD per 1M tokens", "2.50 USD per day", "9999999999 USD per 1K tokens"}) {
    CAPTURE(bad);
    CHECK(diagnose(price(bad)).find("policy.yaml:3:42: error: ") == 0);
  }
}

TEST_CASE("a policy of several files: sections merge, entries do not") {
  const std::string agents = "agents:\n  a: {owner: o, purpose: p, team: t, roles: [r]}\n";
  const std::string roles = "roles:\n  r:\n    allow:\n      - {upstream: u, tools: x}\n";
  const auto errors = [](std::vector<SourceFile> files) {
    Diagnostics diagnostics;
    const auto policy = PolicySet::load(files, {}, diagnostics);
    std::string result;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (diagnostic.severity == Severity::kError) result += to_string(diagnostic) + "\n";
    }
    return result;
  };
  CHECK(errors({{"a.yaml", agents}, {"b.yaml", roles}}).empty());
  CHECK(errors({{"a.yaml", "version: 1\ncurrency: USD\n" + agents},
                {"b.yaml", "version: 1\ncurrency: USD\n" + roles}})
            .empty());
  CHECK(errors({{"a.yaml", agents + roles}, {"b.yaml", roles}}) ==
        "b.yaml:2:3: error: role `r` is defined twice, first at a.yaml:4:3; keep one\n");
  CHECK(errors({{"a.yaml", agents + roles}, {"b.yaml", agents}}) ==
        "b.yaml:2:3: error: agent `a` is defined twice, first at a.yaml:2:3; keep one\n");
  CHECK(errors({{"a.yaml", "currency: USD\n" + agents + roles}, {"b.yaml", "currency: EUR\n"}}) ==
        "b.yaml:1:11: error: currency `EUR` differs from `USD` in a.yaml:1:11; keep one\n");
  CHECK(errors({{"a.yaml", "mode: report\n" + agents + roles}, {"b.yaml", "mode: enforce\n"}}) ==
        "b.yaml:1:7: error: mode `enforce` differs from `report` in a.yaml:1:7; keep one\n");
  CHECK(errors({{"a.yaml", "unknown_model: deny\n" + agents + roles},
                {"b.yaml", "unknown_model: highest\n"}}) ==
        "b.yaml:1:16: error: `unknown_model` `highest` differs from `deny` in a.yaml:1:16; keep "
        "one\n");
  const std::string entries[][2] = {
      {"budget", "budgets:\n  x: {for: everyone, limit: 1 USD per day}\n"},
      {"approvers", "approvers:\n  x: {members: m}\n"},
      {"guard", "guards:\n  x: {patterns: email}\n"},
      {"server", "servers:\n  x: {pin: x.lock}\n"},
  };
  for (const auto& [what, entry] : entries) {
    CHECK(errors({{"a.yaml", agents + roles + entry}, {"b.yaml", entry}}) ==
          "b.yaml:2:3: error: " + what + " `x` is defined twice, first at a.yaml:8:3; keep one\n");
  }
  CHECK(errors({{"a.yaml", agents}, {"b.yaml", "roles: ["}}).find("b.yaml:") == 0);
}

TEST_CASE("the digest tells files apart, the marker is seen") {
  const std::string text = "agents: {a: {owner: o, purpose: p, team: t}}\n";
  const auto digest = [](std::vector<SourceFile> files) {
    Diagnostics diagnostics;
    return std::string(PolicySet::load(files, {}, diagnostics)->sha256());
  };
  CHECK(digest({{"a", text}}) == digest({{"a", text}}));
  CHECK(digest({{"a", text}}) != digest({{"b", text}}));
  CHECK(digest({{"a", text}}) != digest({{"a", text + "\n"}}));
  CHECK(digest({{"a", text}, {"b", "version: 1"}}) !=
        digest({{"a", text + "#b"}, {"", "version: 1"}}));
  CHECK(load(text + "...\n")->marked_files().size() == 1);
  CHECK(load(text)->marked_files().empty());
}

}  // namespace
}  // namespace reeve::policy
