// Patterns and the tables over them: tables of what matches, and the index against a plain walk.
#include "policy/matcher.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "policy/pattern.h"
#include "policy/text.h"

namespace reeve::policy {
namespace {

struct MatchRow {
  const char* pattern;
  const char* text;
  bool matches;
};

void check_rows(const std::vector<MatchRow>& rows, Pattern::Syntax syntax) {
  for (const MatchRow& row : rows) {
    CAPTURE(row.pattern, row.text);
    const Result<Pattern> pattern = Pattern::compile(row.pattern, syntax);
    REQUIRE(pattern);
    CHECK(pattern->matches(row.text) == row.matches);
    if (row.matches) {  // the index relies on both
      CHECK(std::string_view(row.text).starts_with(pattern->prefix()));
      CHECK(std::string_view(row.text).ends_with(pattern->suffix()));
    }
  }
}

TEST_CASE("text globs") {
  check_rows(
      {
          {"a", "a", true},
          {"a", "A", false},
          {"a", "ab", false},
          {"*", "", true},
          {"*", "a/b\nc", true},
          {"**", "x", true},
          {"a*", "a", true},
          {"a*", "ab/c", true},
          {"a*", "ba", false},
          {"*a", "bba", true},
          {"*a", "ab", false},
          {"a*b", "ab", true},
          {"a*b", "aXb", true},
          {"a*b", "a", false},
          {"ab*ba", "aba", false},
          {"ab*ba", "abba", true},
          {"*a*b*", "xxaxxbxx", true},
          {"*a*b*", "xxbxxaxx", false},
          {"*aab", "aaab", true},
          {"?", "a", true},
          {"?", "", false},
          {"?", "ab", false},
          {"?", "\xC3\xA4", true},          // one code point of two bytes
          {"?", "\xF0\x9F\x98\x80", true},  // of four
          {"??", "\xC3\xA4", false},
          {"a?c*", "abcd", true},
          {"?*", "", false},
          {"?*", "x", true},
          {"*?", "x", true},
          {"*?b",
           "\xC3\xA4"
           "b",
           true},
          {"\\*", "*", true},
          {"\\*", "a", false},
          {"\\?\\\\", "?\\", true},
          {"\\[a\\]", "[a]", true},
          {"tickets.*", "tickets.refund", true},
          {"tickets.*", "ticketsXrefund", false},
      },
      Pattern::Syntax::kText);
}

TEST_CASE("expressions are anchored and see every character") {
  check_rows(
      {
          {"re:a|b", "a", true},
          {"re:a|b", "ab", false},
          {"re:a.c", "a\nc", true},
          {"re:abc$", "abc\n", false},
          {"re:^a$", "a", true},
          {"re:[a-z]+\\.get", "users.get", true},
          {"re:[a-z]+\\.get", "users.gets", false},
          {"re:(?i)abc", "ABC", true},
          {"re:abc?", "ab", true},
          {"re:abc*", "ab", true},
          {"re:abc{0,1}", "ab", true},
          {"re:ab\xC3\xA4?", "ab", true},
          {"re:ab+c", "abbc", true},
          {"re:a\\.b", "a.b", true},
          {"re:", "", true},
      },
      Pattern::Syntax::kText);
}

TEST_CASE("path globs") {
  check_rows(
      {
          {"/", "/", true},
          {"/", "/a", false},
          {"/a", "/a", true},
          {"/a/", "/a", true},
          {"/a", "/a/b", false},
          {"/*", "/a", true},
          {"/*", "/", false},
          {"/*", "/a/b", false},
          {"/**", "/", true},
          {"/**", "/a/b", true},
          {"/a/**", "/a", true},
          {"/a/**", "/a/b/c", true},
          {"/a/**", "/ab", false},
          {"/a/**/**", "/a", true},
          {"/a/**/b", "/a/b", true},
          {"/a/**/b", "/a/x/y/b", true},
          {"/a/**/b", "/a/xb", false},
          {"/**/b", "/b", true},
          {"/**/b", "/x/b", true},
          {"/**/b", "/x/b/c", false},
          {"/**/a/**/b", "/x/a/y/b", true},
          {"/**/a/**/b", "/x/b/y/a", false},
          {"/a*/b", "/axx/b", true},
          {"/a*/b", "/a/x/b", false},
          {"/a?c", "/abc", true},
          {"/a?c", "/a/c", false},
          {"/*b*/x", "/abc/x", true},
          {"/a?*b/x", "/azzb/x", true},
          {"/customers/*/balance", "/customers/7/balance", true},
          {"/customers/*/balance", "/customers/7/8/balance", false},
          {"/a/\\*", "/a/*", true},
          {"/a/\\*", "/a/b", false},
          {"re:/x/[0-9]+", "/x/12", true},
          {"re:/x/[0-9]+", "/x/12/", false},
          {"/caf\xC3\xA9/?", "/caf\xC3\xA9/\xC3\xA9", true},
      },
      Pattern::Syntax::kPath);
}

TEST_CASE("patterns that are refused") {
  const std::pair<const char*, Pattern::Syntax> rows[] = {
      {"", Pattern::Syntax::kText},       {"a[", Pattern::Syntax::kText},
      {"]", Pattern::Syntax::kText},      {"{", Pattern::Syntax::kText},
      {"a}", Pattern::Syntax::kText},     {"a\\", Pattern::Syntax::kText},
      {"\\n", Pattern::Syntax::kText},    {"re:(", Pattern::Syntax::kText},
      {"re:a**", Pattern::Syntax::kText}, {"re:\\1", Pattern::Syntax::kText},
      {"a", Pattern::Syntax::kPath},      {"//", Pattern::Syntax::kPath},
      {"/a//b", Pattern::Syntax::kPath},  {"/a/./b", Pattern::Syntax::kPath},
      {"/..", Pattern::Syntax::kPath},    {"/a**", Pattern::Syntax::kPath},
  };
  for (const auto& [text, syntax] : rows) {
    CAPTURE(text);
    CHECK_FALSE(Pattern::compile(text, syntax));
  }
  CHECK(Pattern::compile(std::string(4096, 'a')));
  CHECK_FALSE(Pattern::compile(std::string(4097, 'a')));
}

TEST_CASE("a glob of many stars against a long text ends soon") {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  pattern += "*b";
  const Result<Pattern> compiled = Pattern::compile(pattern);
  REQUIRE(compiled);
  CHECK_FALSE(compiled->matches(std::string(100'000, 'a')));
}

Call http_call(std::string_view method, std::string_view path) {
  Call call;
  call.upstream = "u";
  call.kind = Kind::kHttp;
  call.action = method;
  call.target = path;
  return call;
}

TEST_CASE("http patterns: methods and whole lines") {
  struct Row {
    const char* pattern;
    const char* method;
    const char* path;
    bool matches;
  };
  const Row rows[] = {
      {"GET /a", "GET", "/a", true},
      {"GET /a", "HEAD", "/a", false},
      {"GET,HEAD /a", "HEAD", "/a", true},
      {"* /a", "PURGE", "/a", true},
      {"PURGE /a", "PURGE", "/a", true},
      {"PURGE /a", "BREW", "/a", false},
      {"GET,PURGE /a", "BREW", "/a", false},
      {"GET /a", "get", "/a", false},
      {"GET re:/[a-z]", "GET", "/a", true},
      {"GET re:/[a-z]", "POST", "/a", false},
      {"re:(GET|PUT) /[a-z]", "PUT", "/a", true},
      {"re:(GET|PUT) /[a-z]", "POST", "/a", false},
      {"GET /with space", "GET", "/with space", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern, row.method, row.path);
    const auto pattern = TargetPattern::compile(SelectorKind::kHttp, row.pattern);
    REQUIRE(pattern);
    CHECK(pattern->matches(http_call(row.method, row.path)) == row.matches);
  }
  const std::string long_path = "/" + std::string(10'000, 'a');
  const auto line = TargetPattern::compile(SelectorKind::kHttp, "re:GET /a+");
  REQUIRE(line);
  CHECK(line->matches(http_call("GET", long_path)));
  for (const char* bad :
       {"GET", "GET ", " /a", "GET,, /a", ",GET /a", "GET, /a", "get /a", "G@T /a", "/a"}) {
    CAPTURE(bad);
    CHECK_FALSE(TargetPattern::compile(SelectorKind::kHttp, bad));
  }
}

std::string pick(std::mt19937& random, const std::vector<std::string>& of) {
  return of[random() % of.size()];
}

TEST_CASE("the table finds what a walk over all selectors finds") {
  const auto seed = Catch::rngSeed() != 0 ? Catch::rngSeed() : std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::vector<std::string> parts = {"a", "b", "ab", "*", "?", "x1", "x2", "**", "a*", "*b"};
  const std::vector<std::string> words = {"a", "b", "ab", "ba", "x1", "x2", "aab"};
  const std::vector<std::string> methods = {"GET", "HEAD", "PURGE", "*", "GET,PURGE"};
  for (int round = 0; round < 300; ++round) {
    std::vector<CompiledSelector> selectors;
    const size_t count = 1 + random() % 40;
    for (size_t i = 0; i < count; ++i) {
      Selector source;
      source.upstreams = {{"u", {}}};
      const bool http = random() % 2 == 0;
      source.kind = http ? SelectorKind::kHttp : SelectorKind::kTools;
      const auto pattern = [&] {
        std::string text = http ? pick(random, methods) + " " : "";
        const size_t length = 1 + random() % 4;
        for (size_t p = 0; p < length; ++p) {
          text += (http ? "/" : p > 0 ? "." : "") + pick(random, parts);
        }
        return Text{random() % 20 == 0 ? (http ? "re:GET /a.*" : "re:a.*b") : text, {}};
      };
      for (size_t p = 0; p < 1 + random() % 3; ++p) source.patterns.push_back(pattern());
      if (random() % 4 == 0) source.except.push_back(pattern());
      if (random() % 12 == 0) source = {{}, {{"u", {}}}, SelectorKind::kAll, {}, {}, {}};
      selectors.emplace_back(source, random() % 2 == 0);
    }
    std::vector<const CompiledSelector*> pointers;
    for (const CompiledSelector& selector : selectors) pointers.push_back(&selector);
    std::vector<bool> inspected;
    for (size_t i = 0; i < count; ++i) inspected.push_back(random() % 3 == 0);
    const Table table(pointers, inspected);
    for (int i = 0; i < 50; ++i) {
      std::string target;
      const bool http = random() % 2 == 0;
      const size_t length = random() % 5;
      for (size_t p = 0; p < length; ++p) {
        target += (http ? "/" : p > 0 ? "." : "") + pick(random, words);
      }
      if (http && target.empty()) target = "/";
      const std::string method = pick(random, {"GET", "HEAD", "PURGE", "BREW"});
      Call call = http_call(method, target);
      if (!http) call.kind = Kind::kTool;
      const uint32_t skipped = random() % 3 == 0 ? random() % count : Table::kNone;
      uint32_t expected = Table::kNone;
      for (uint32_t s = 0; s < count && expected == Table::kNone; ++s) {
        if (s != skipped && selectors[s].matches(call)) expected = s;
      }
      CAPTURE(target, call.action);
      const auto accept = [&](uint32_t p) { return p != skipped; };
      REQUIRE(table.find_first(call, accept) == expected);
      std::vector<bool> shown(count), selected;
      const auto show = [&](uint32_t p) { shown[p] = true; };
      REQUIRE(table.find_first(call, accept, true, show) == expected);
      for (uint32_t s = 0; s < count; ++s) {
        selected.push_back(inspected[s] && selectors[s].matches(call));
      }
      REQUIRE(shown == selected);
    }
  }
}

TEST_CASE("ten thousand patterns that begin alike stay cheap to ask") {
  std::vector<CompiledSelector> selectors;
  Selector source;
  source.upstreams = {{"u", {}}};
  source.kind = SelectorKind::kHttp;
  for (int i = 1; i <= 10'000; ++i) {
    source.patterns = {{"GET /*/*/*/x" + std::to_string(i), {}}};
    selectors.emplace_back(source, true);
  }
  std::vector<const CompiledSelector*> pointers;
  for (const CompiledSelector& selector : selectors) pointers.push_back(&selector);
  const Table table(pointers);
  size_t asked = 0;
  const auto accept = [&](uint32_t) {
    ++asked;
    return true;
  };
  CHECK(table.find_first(http_call("GET", "/a/b/c/x7777"), accept) == 7776);
  CHECK(asked == 1);
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "/s";
  CHECK(table.find_first(http_call("GET", deep), accept) == Table::kNone);
  CHECK(asked == 1);
}

TEST_CASE("patterns that begin alike are told apart by ends of any length") {
  std::vector<CompiledSelector> selectors;
  for (size_t i = 0; i < 200; ++i) {
    Selector source;
    source.upstreams = {{"u", {}}};
    source.kind = SelectorKind::kTools;
    // Ends that agree in all that is looked up, too.
    source.patterns = {{"*" + std::string(i, 'y') + std::string(i % 50, 'x'), {}}};
    selectors.emplace_back(source, true);
  }
  std::vector<const CompiledSelector*> pointers;
  for (const CompiledSelector& selector : selectors) pointers.push_back(&selector);
  const Table table(pointers);
  for (size_t i = 0; i < 200; ++i) {
    const std::string target = "a" + std::string(i, 'y') + std::string(i % 50, 'x');
    Call call = http_call("", target);
    call.kind = Kind::kTool;
    std::vector<bool> found(200);
    table.find_first(call, [&](uint32_t position) {
      found[position] = true;
      return false;
    });
    for (size_t s = 0; s < 200; ++s) {
      CAPTURE(i, s);
      REQUIRE(found[s] == selectors[s].matches(call));
    }
  }
}

TEST_CASE("characters that do not show") {
  for (const char* good : {"a", "\xC3\xA4", "\xF0\x9F\x98\x80", "a b"}) {
    CAPTURE(good);
    CHECK(hidden_character(good) == nullptr);
  }
  for (const char* bad : {"a\n", "\x7F", "\xC2\x85", "a\xE2\x80\x8B", "\xE2\x80\xAE", "\xFF",
                          "\xED\xA0\x80", "\xEF\xBB\xBF", "\xF3\xA0\x81\x81"}) {
    CAPTURE(bad);
    CHECK(hidden_character(bad) != nullptr);
  }
  CHECK(shown("a\nb") == "a?b");
  CHECK(shown(std::string(100, 'x')) == std::string(80, 'x') + "...");
}

}  // namespace
}  // namespace reeve::policy
