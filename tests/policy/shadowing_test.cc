// Selectors that an earlier one takes in: few and many are told alike, and hostile ones in bounded
// time. What is claimed, and of which rules, is in resolve_test.cc.
#include "policy/shadowing.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::diagnose;

Selector make_random(std::mt19937& random) {
  const auto one_of = [&](const std::vector<std::string>& texts) {
    return texts[random() % texts.size()];
  };
  const auto some_of = [&](const std::vector<std::string>& texts, std::vector<Text>& into) {
    for (size_t i = random() % 8 == 0 ? 2 : 1; i > 0; --i) into.push_back({one_of(texts), {}});
  };
  const std::vector<std::string> upstreams = {"u", "v", "w", "u*", "*", "re:[uv]", "?"};
  const std::vector<std::string> names = {"a",   "b",        "ab", "abc",  "a*",   "ab*",
                                          "*b",  "*",        "a?", "*.c",  "a.c",  "re:a.*",
                                          "a*c", "re:[ab]+", "?b", "a\\*", "re:a*"};
  const std::vector<std::string> lines = {
      "GET /a",      "GET /a/b",   "GET,POST /a", "* /a",         "GET /a/**",
      "* /a/**",     "GET /**",    "GET /a/*",    "GET /a/**/c",  "PURGE /a",
      "POST /a/b/c", "GET /a/*/c", "* re:/a/.*",  "re:GET /a.*",  "GET /",
      "re:GET /a/b", "GET /a/b/",  "* /**/c",     "GET re:/a/b*", "PURGE,GET /a/b"};
  Selector selector;
  some_of(upstreams, selector.upstreams);
  switch (random() % 4) {
    case 0:
      break;
    case 1:
      selector.kind = SelectorKind::kHttp;
      some_of(lines, selector.patterns);
      break;
    default:
      selector.kind = random() % 4 == 0 ? SelectorKind::kPrompts : SelectorKind::kTools;
      some_of(names, selector.patterns);
      if (random() % 8 == 0) selector.except.push_back({"abc", {}});
  }
  return selector;
}

TEST_CASE("shadowing: many selectors are told as each is alone") {
  std::mt19937 random(20261122);
  for (int round = 0; round < 20; ++round) {
    std::vector<Selector> selectors;
    for (int i = 0; i < 100; ++i) selectors.push_back(make_random(random));
    SearchBudget budget;
    Shadowing all(budget);
    std::vector<Shadowing> alone;
    for (const Selector& narrow : selectors) {
      std::optional<uint32_t> first;
      for (uint32_t i = 0; i < alone.size() && !first; ++i) {
        if (alone[i].find(narrow)) first = i;
      }
      CHECK(all.find(narrow) == first);
      // All are added, those that can never decide too, so that many overlap.
      all.add(narrow);
      alone.emplace_back(budget).add(narrow);
    }
    CHECK_FALSE(budget.is_spent());
  }
}

TEST_CASE("shadowing: a selector without upstreams is not among those with some") {
  SearchBudget budget;
  Shadowing shadowing(budget);
  Selector named, nowhere;
  named.upstreams.push_back({"u", {}});
  shadowing.add(named);
  CHECK_FALSE(shadowing.find(nowhere));
  CHECK(shadowing.find(named) == 0u);
}

TEST_CASE("shadowing: a role of 10,000 rules is looked at") {
  std::string text =
      "agents: {a: {owner: o, purpose: p, team: t, roles: r}}\nroles:\n  r:\n    allow:\n";
  for (int i = 0; i < 10'000; ++i) {
    text += i % 2 == 0 ? fmt::format("      - {{upstream: u, tools: s{}.get}}\n", i)
                       : fmt::format("      - {{upstream: u, http: 'GET /s{}/*/notes'}}\n", i);
  }
  text +=
      "      - {upstream: u, tools: s4000.get}\n      - {upstream: u, http: GET /s77/x/notes}\n";
  const std::string all = diagnose(text);
  CHECK(all.find("`r.allow[10000]` can never decide: `r.allow[4000]`") != std::string::npos);
  CHECK(all.find("`r.allow[10001]` can never decide: `r.allow[77]`") != std::string::npos);
  CHECK(all.find("too alike") == std::string::npos);
}

TEST_CASE("shadowing: rules made to be slow are given up, and said to be") {
  // Each pair shares all patterns but one, and each match of them goes back and forth.
  std::string shared;
  for (int i = 0; i < 40; ++i) shared += fmt::format("\"*{}*b\", ", std::string(100, 'a'));
  std::string text =
      "agents: {a: {owner: o, purpose: p, team: t, roles: r}}\nroles:\n  r:\n    allow:\n";
  for (int i = 0; i < 1000; ++i) {
    text += fmt::format("      - {{upstream: u, tools: [{}{}{}]}}\n", shared,
                        std::string(1000, 'a'), i);
  }
  const auto begin = std::chrono::steady_clock::now();
  CHECK(diagnose(text).find("too many and too alike") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

}  // namespace
}  // namespace reeve::policy
