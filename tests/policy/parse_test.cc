// What the files of tests/data/policies/bad are refused with, word for word, and how amounts, days
// and limits are read. Each file says on top what it expects, in order.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::diagnose;
using testing::load;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> expectations(const std::string& text) {
  constexpr std::string_view kMark = "# expect: ";
  std::vector<std::string> result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with(kMark);) {
    result.push_back(line.substr(kMark.size()));
  }
  return result;
}

TEST_CASE("malformed policies: every error, with its place and remedy") {
  const std::filesystem::path folder = std::string(REEVE_SOURCE_DIR) + "/tests/data/policies/bad";
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    CAPTURE(name);
    const SourceFile file{name, read(entry.path())};
    const std::vector<std::string> expected = expectations(file.text);
    CHECK_FALSE(expected.empty());
    Diagnostics diagnostics;
    CHECK(PolicySet::load({&file, 1}, {}, diagnostics) == nullptr);
    std::vector<std::string> errors;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (diagnostic.severity != Severity::kError) continue;
      std::string text = to_string(diagnostic).substr(name.size() + 1);
      errors.push_back(text.substr(text.find_first_not_of(' ')));
    }
    CHECK(errors == expected);
    ++files;
  }
  CHECK(files >= 80);
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
  for (const char* bad :
       {"20", "20 USD", "USD per day", "20 usd per day", "20 USD a day", "20 USD per",
        "1e3 USD per day", "1_000 USD per day", "+5 USD per day", ".5 USD per day",
        "20 dogs per day", "20 USD per day per day", "NaN USD per day", "\"\""}) {
    CAPTURE(bad);
    CHECK(diagnose(with_limit(bad)).find("policy.yaml:2:29: error: ") == 0);
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
