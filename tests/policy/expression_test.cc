// Expressions that are compiled to a table of states, against RE2, which defines them. REEVE_SEED
// and REEVE_ROUNDS as in differential_test.
#include "policy/expression.h"

#include <re2/re2.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace reeve::policy {
namespace {

bool is_valid(const std::string& expression) { return RE2(expression, RE2::Quiet).ok(); }

class Definition {
 public:
  explicit Definition(const std::string& expression) : regex_(expression, options()) {}
  bool ok() const { return regex_.ok(); }
  bool matches(const std::string& text) const { return RE2::FullMatch(text, regex_); }

 private:
  static RE2::Options options() {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    return options;
  }
  RE2 regex_;
};

bool matches(const Expression& expression, const std::string& text) {
  return text.starts_with(expression.prefix()) && expression.matches_rest(text);
}

using Strings = std::vector<std::string>;

const std::string& pick(std::mt19937& random, const Strings& strings) {
  return strings[random() % strings.size()];
}

// Mostly of the plain kind, sometimes just beyond it or not valid at all.
std::string generate(std::mt19937& random, int depth) {
  static const Strings atoms = {
      "a",       "b",        "c",      "ab",     "-",     "_",           "/",         "é",
      "😀",      ".",        "\\.",    "\\d",    "\\w",   "\\s",         "\\D",       "\\W",
      "\\S",     "[ab]",     "[^ab]",  "[a-c]",  "[0-9]", "[^/]",        "[a-c0-9_]", "[-a]",
      "[a-]",    "[\\d_]",   "[^\\w]", "[\\]a]", "[.]",   "\\*",         "[^\\s-]",   "[\\--a]",
      "()",      "\\/",      "\\-",    "\n",     "[$^]",  "[a^]",        "[^\\^]",    "\\\\",
      "\\Q.",    "\\b",      "^",      "$",      "[é]",   "[[:alpha:]]", "\\pL",      "(?i)a",
      "[b-a]",   "[]a]",     "{",      "]",      "\\x41", "\\_",         "[a-\\d]",   "[--a]",
      "[a-c-e]", "(?P<n>a)", "\\z",    "\\C",    "}",     "[\\x41]",     "[^\\D]"};
  static const Strings quantifiers = {"*",    "+",    "?",     "*?",     "+?",   "??",    "{2}",
                                      "{0}",  "{1,}", "{0,2}", "{2,3}",  "{1}?", "{3,2}", "{,2}",
                                      "{01}", "**",   "*+",    "{2}{2}", "{2}*", "{0,0}", "{0,}"};
  std::string out;
  for (size_t i = random() % 4; i > 0; --i) {
    std::string atom = pick(random, atoms);
    if (random() % 3 > 0) atom = atoms[random() % 16];  // the usual ones
    if (depth > 0 && random() % 3 == 0) {
      atom = (random() % 2 ? "(" : "(?:") + generate(random, depth - 1) + ")";
    }
    out += atom;
    if (random() % 3 == 0) {
      out += random() % 4 > 0 ? quantifiers[random() % 3] : pick(random, quantifiers);
    }
  }
  if (random() % 4 == 0) out += "|" + generate(random, depth - 1 > 0 ? depth - 1 : 0);
  return out;
}

std::string generate_text(std::mt19937& random) {
  static const Strings parts = {"a",
                                "b",
                                "c",
                                "d",
                                "ab",
                                "0",
                                "9",
                                "_",
                                "-",
                                "/",
                                "é",
                                "😀",
                                "\n",
                                ".",
                                " ",
                                "\t",
                                "\\",
                                "*",
                                "]",
                                "^",
                                "A",
                                "x",
                                "ſ",
                                "\xff",
                                "\xc3",
                                "\x80",
                                "\xed\xa0\x80",
                                "\xf4\xbf\xbf\xbf",
                                "\xe0\x80\x80",
                                "\xc0\x80",
                                std::string(1, '\0')};
  std::string text;
  for (size_t i = random() % 7; i > 0; --i) {
    text += random() % 3 > 0 ? parts[random() % 10] : pick(random, parts);
  }
  return text;
}

TEST_CASE("tables answer as RE2 does, and nothing that it refuses becomes one") {
  const char* const asked = std::getenv("REEVE_ROUNDS");
  const size_t rounds = asked ? 100 * std::strtoul(asked, nullptr, 10) : 20'000;
  const char* const seed = std::getenv("REEVE_SEED");
  std::mt19937 random(seed ? static_cast<unsigned>(std::strtoul(seed, nullptr, 10)) : 20261122);
  size_t tables = 0, matching = 0, refused = 0, prefixes = 0;
  for (size_t round = 0; round < rounds; ++round) {
    const std::string text = generate(random, 3);
    CAPTURE(text);
    const Definition definition(text);
    const Result<Expression> expression = Expression::compile(text);
    REQUIRE(expression.ok() == definition.ok());
    if (!expression) {
      ++refused;
      continue;
    }
    tables += expression->is_table();
    prefixes += !expression->prefix().empty();
    for (int i = 0; i < 30; ++i) {
      // Behind what every match begins with, random texts have a chance to match.
      std::string subject = generate_text(random);
      if (i % 2 == 0) subject = expression->prefix() + subject;
      CAPTURE(subject);
      const bool expected = definition.matches(subject);
      REQUIRE(matches(*expression, subject) == expected);
      matching += expected && expression->is_table();
    }
  }
  CHECK(tables > rounds / 4);
  CHECK(prefixes > rounds / 20);
  CHECK(refused > rounds / 100);
  CHECK(matching > rounds);
}

TEST_CASE("every byte and every code point, one at a time") {
  for (const char* text : {".", "[^a]", "[^/]", "\\w", "\\W", "\\d", "\\D", "\\s", "\\S", "[a-z]",
                           "[ -~]", "[!-/:-@]", "a|é|😀", "[^\\d]", "[\\w-]"}) {
    CAPTURE(text);
    const Definition definition(text);
    const Result<Expression> expression = Expression::compile(text);
    REQUIRE(expression);
    REQUIRE(expression->is_table());
    for (unsigned byte = 0; byte < 256; ++byte) {
      const std::string one(1, static_cast<char>(byte));
      CHECK(matches(*expression, one) == definition.matches(one));
    }
    size_t different = 0;
    for (unsigned lead = 0xC0; lead < 256; ++lead) {  // also what is no UTF-8
      for (unsigned second = 0x70; second < 0xD0; second += 1) {
        std::string sequence = {static_cast<char>(lead), static_cast<char>(second)};
        for (int more = 0; more < 4; ++more) {
          different += matches(*expression, sequence) != definition.matches(sequence);
          sequence += '\x80';
        }
      }
    }
    CHECK(different == 0);
  }
}

TEST_CASE("every ASCII character escaped, and in a class, means what it means to RE2") {
  for (int c = 0; c < 128; ++c) {
    const std::string one(1, static_cast<char>(c));
    for (const std::string& text :
         {one, "\\" + one, "[" + one + "]", "[\\" + one + "]", "[^" + one + "]", "[" + one + "-z]",
          "[!-" + one + "]", "(?" + one + "a)", "a" + one, "[a" + one + "]"}) {
      CAPTURE(text);
      const Definition definition(text);
      const Result<Expression> expression = Expression::compile(text);
      REQUIRE(expression.ok() == definition.ok());
      if (!expression) continue;
      for (int other = 0; other < 128; ++other) {
        for (const std::string& subject : {std::string(1, static_cast<char>(other)),
                                           "a" + std::string(1, static_cast<char>(other))}) {
          if (matches(*expression, subject) != definition.matches(subject)) {
            CAPTURE(other);
            REQUIRE(matches(*expression, subject) == definition.matches(subject));
          }
        }
      }
    }
  }
}

TEST_CASE("what policies write is a table with a literal beginning") {
  struct Row {
    const char* text;
    const char* prefix;
  };
  for (const Row& row :
       {Row{"/invoices/[0-9]+/(lines|notes)", "/invoices/"},
        Row{"crm\\.(get|list)(_[a-z]+)?", "crm."}, Row{"a.*b", "a"}, Row{"get|list", ""},
        Row{"getter|getting", "gett"}, Row{"E[0-9]{6}(-[a-z]+)*", "E"}, Row{"GET /a/.*", "GET /a/"},
        Row{"exact", "exact"}, Row{"a+", "a"}, Row{"é.*", ""}}) {
    CAPTURE(row.text);
    const Result<Expression> expression = Expression::compile(row.text);
    REQUIRE(expression);
    CHECK(expression->is_table());
    CHECK(expression->prefix() == row.prefix);
  }
  for (const char* text : {"(?i)a", "^a$", "\\bx", "\\pL+", "[[:alpha:]]", "[äö]", "(a{2}){3}"}) {
    CAPTURE(text);
    const Result<Expression> expression = Expression::compile(text);
    REQUIRE(expression);
    CHECK_FALSE(expression->is_table());
  }
}

TEST_CASE("expressions that would need many states are left to RE2, soon") {
  std::string many;
  for (int i = 0; i < 40; ++i) many += (i ? "|word" : "word") + std::to_string(i * 7919) + ".*";
  for (const std::string& text :
       {std::string(".*a.{14}"), std::string("(.*a){60}"), std::string("[^a]{100}"), many,
        std::string(100, '(') + std::string(100, ')'), std::string(600, 'x')}) {
    CAPTURE(text);
    const Result<Expression> expression = Expression::compile(text);
    REQUIRE(expression.ok() == is_valid(text));
    CHECK_FALSE(expression->is_table());
  }
}

}  // namespace
}  // namespace reeve::policy
