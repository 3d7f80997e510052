// The canonical form against a plain writer of generated values, however they were spelled, and the
// look-up of known keys against the one by name.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "policy/json.h"
#include "policy/json_keys.h"

namespace reeve::json {
namespace {

std::string canonical(std::string_view text) {
  Parser parser;
  const auto value = parser.parse(text);
  if (!value) return std::string("error: ") + parser.error().what;
  std::string out = "kept";
  append_canonical(out, *value);
  REQUIRE(out.starts_with("kept"));
  return out.substr(4);
}

struct Character {
  std::string utf8;
  std::u16string utf16;
  std::string canonical;  // in a string
  std::string escaped;
};

const std::vector<Character> kCharacters = {
    {"a", u"a", "a", "\\u0061"},
    {"b", u"b", "b", "b"},
    {"Z", u"Z", "Z", "\\u005a"},
    {"0", u"0", "0", "0"},
    {"/", u"/", "/", "\\/"},
    {"\"", u"\"", "\\\"", "\\\""},
    {"\\", u"\\", "\\\\", "\\u005C"},
    {"\n", u"\n", "\\n", "\\u000a"},
    {"\x01", u"\x01", "\\u0001", "\\u0001"},
    {"\x7f", u"\x7f", "\x7f", "\x7f"},
    {"\u00e9", u"\u00e9", "\u00e9", "\\u00E9"},
    {"\u20ac", u"\u20ac", "\u20ac", "\\u20ac"},
    {"\ufb01", u"\ufb01", "\ufb01", "\\ufb01"},
    {"\U0001F600", u"\U0001F600", "\U0001F600", "\\ud83d\\ude00"}};

struct Text {
  std::u16string utf16;
  std::string canonical;
  std::string spelled;
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  // The canonical text of a value, and one of its other spellings.
  std::pair<std::string, std::string> value(int depth) {
    switch (random_() % (depth > 0 ? 6u : 4u)) {
      case 0: {
        static constexpr const char* kWords[] = {"true", "false", "null"};
        const char* word = kWords[random_() % 3];
        return {word, word};
      }
      case 1:
        return number();
      case 4:
        return array(depth);
      case 5:
        return object(depth);
      default: {
        const Text one = text();
        return {one.canonical, one.spelled};
      }
    }
  }

 private:
  std::string space() { return random_() % 4 == 0 ? " \n" : ""; }

  Text text() {
    Text made{u"", "\"", "\""};
    const bool escapes = random_() % 3 == 0;
    const size_t kinds = random_() % 2 == 0 ? 4 : kCharacters.size();
    for (size_t size = random_() % (random_() % 8 == 0 ? 70 : 9); size > 0; --size) {
      const Character& c = kCharacters[random_() % kinds];
      made.utf16 += c.utf16;
      made.canonical += c.canonical;
      const bool must = c.utf8 == "\"" || c.utf8 == "\\" || static_cast<uint8_t>(c.utf8[0]) < 0x20;
      made.spelled += escapes || must ? c.escaped : c.utf8;
    }
    made.canonical += '"';
    made.spelled += '"';
    return made;
  }

  std::pair<std::string, std::string> number() {
    const int64_t whole = static_cast<int64_t>(random_() % 3000) - 1000;
    if (random_() % 2 == 0) {
      const std::string text = std::to_string(whole);
      const std::string spelled[] = {text, text + ".0", text + "e0", text + "00E-2"};
      return {text, spelled[random_() % (whole == 0 ? 3 : 4)]};
    }
    // A fraction that ends in no zero.
    const std::string fraction = std::to_string(random_() % 1000) + "5";
    const std::string text =
        (random_() % 2 == 0 ? "-" : "") + std::to_string(random_() % 100) + "." + fraction;
    const std::string spelled[] = {text, text + "0", text + "e+00"};
    return {text, spelled[random_() % 3]};
  }

  std::pair<std::string, std::string> array(int depth) {
    std::string canonical_text = "[", spelled = "[" + space();
    for (unsigned i = 0, size = random_() % 4; i < size; ++i) {
      const auto item = value(depth - 1);
      canonical_text += (i > 0 ? "," : "") + item.first;
      spelled += (i > 0 ? "," : "") + space() + item.second + space();
    }
    return {canonical_text + "]", spelled + "]"};
  }

  std::pair<std::string, std::string> object(int depth) {
    struct Member {
      Text key;
      std::pair<std::string, std::string> value;
    };
    std::vector<Member> members;
    for (unsigned size = random_() % (random_() % 10 == 0 ? 40 : 6); size > 0; --size) {
      Member member{text(), value(depth - 1)};
      const bool known = std::any_of(members.begin(), members.end(), [&member](const Member& one) {
        return one.key.utf16 == member.key.utf16;
      });
      if (!known) members.push_back(std::move(member));
    }
    const auto less = [](const Member& a, const Member& b) { return a.key.utf16 < b.key.utf16; };
    std::string spelled = "{" + space();
    if (random_() % 2 == 0) std::sort(members.begin(), members.end(), less);
    for (size_t i = 0; i < members.size(); ++i) {
      spelled += (i > 0 ? "," : "") + space() + members[i].key.spelled + space() + ":" + space() +
                 members[i].value.second + space();
    }
    std::sort(members.begin(), members.end(), less);
    std::string canonical_text = "{";
    for (size_t i = 0; i < members.size(); ++i) {
      canonical_text +=
          (i > 0 ? "," : "") + members[i].key.canonical + ":" + members[i].value.first;
    }
    return {canonical_text + "}", spelled + "}"};
  }

  std::mt19937 random_;
};

TEST_CASE("json: the canonical form of generated values, however they are spelled") {
  Generator generator(8785);
  for (int round = 0; round < 20'000; ++round) {
    const auto [expected, spelled] = generator.value(4);
    const std::string got = canonical(spelled);
    if (got == expected) continue;
    CAPTURE(spelled, expected, got);
    FAIL("another canonical form");
  }
}

TEST_CASE("json: plain numbers are canonical as they stand, others are not") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.0", "0"},
      {"0.5", "0.5"},
      {"-0.50", "-0.5"},
      {"0.0000001", "1e-7"},
      {"10", "10"},
      {"10.10", "10.1"},
      {"-12.5", "-12.5"},
      {"1.0", "1"},
      {"1e2", "100"},
      {"100000000000000000000", "100000000000000000000"},
      {"1000000000000000000000", "1e+21"},
      {"-1000000000000000000000", "-1e+21"},
      {"-100000000000000000000", "-100000000000000000000"},
      {"9007199254740993", "9007199254740993"},
      {"123456789012345678901", "123456789012345678901"},
      {"1234567890123456789012", "1.234567890123456789012e+21"},
      {"1234567890123456789.5", "1234567890123456789.5"}};
  for (const auto& [spelled, expected] : rows) {
    CAPTURE(spelled);
    CHECK(canonical(spelled) == expected);
  }
}

TEST_CASE("json: deep and wide values in canonical form") {
  const std::string deep = std::string(90, '[') + "{\"b\":1,\"a\":2}" + std::string(90, ']');
  CHECK(canonical(deep) == std::string(90, '[') + "{\"a\":2,\"b\":1}" + std::string(90, ']'));
  CHECK(canonical("{\"b\":{\"d\":[{\"z\":1,\"y\":{}},2],\"c\":[]},\"a\":0}") ==
        "{\"a\":0,\"b\":{\"c\":[],\"d\":[{\"y\":{},\"z\":1},2]}}");
  CHECK(canonical("[]") == "[]");
  CHECK(canonical("{}") == "{}");
}

TEST_CASE("json: known keys are found, and those that differ from them in case") {
  const KeySet keys{"name", "arguments", "taskId", "_meta", "cursor", "task", "skip"};
  const std::string_view names[] = {"name",   "arguments", "taskId", "_meta",
                                    "cursor", "task",      "skip"};
  const std::string pieces[] = {"name",   "Name",        "n\\u0061me", "N\\u0041ME",   "arguments",
                                "taskId", "taskid",      "task",       "_meta",        "_META",
                                "cursor", "curs\u00f6r", "ta\u017fk",  "tas\\u212aId", "other",
                                "",       "@meta",       "nam",        "names",        "\u017fkip"};
  std::mt19937 random(7);
  KeySet::Found found;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "{";
    for (unsigned n = random() % (round % 10 == 0 ? 40 : 5); n > 0; --n) {
      text += (text.size() > 1 ? "," : "");
      text += "\"" + pieces[random() % std::size(pieces)] + "\":" + std::to_string(n);
    }
    text += "}";
    Parser parser;
    const auto value = parser.parse(text);
    if (!value) continue;  // a key twice
    keys.read(*value, found);
    std::string_view variant;
    for (const Member member : value->members()) {
      std::string scratch;
      const std::string key(member.key.text(scratch));
      for (std::string_view name : names) {
        if (variant.empty() && key != name && equals_folded(key, name)) variant = name;
      }
    }
    CAPTURE(text);
    if (found.variant != variant) FAIL("another variant: " << found.variant << ", " << variant);
    for (size_t i = 0; i < std::size(names); ++i) {
      const auto expected = value->find(names[i]);
      const auto& got = found.values[i];
      if (expected.has_value() != got.has_value()) FAIL("another member: " << names[i]);
      if (got && got->offset() != expected->offset()) FAIL("another value: " << names[i]);
    }
  }
  Parser parser;
  keys.read(*parser.parse("[\"name\"]"), found);
  CHECK_FALSE(found.values[0].has_value());
}

TEST_CASE("json: strings of every length with one odd byte at every place") {
  for (size_t size = 0; size < 40; ++size) {
    const std::string plain(size, 'x');
    std::string out = "kept";
    append_string(out, plain);
    CHECK(out == "kept\"" + plain + "\"");
    for (size_t at = 0; at < size; ++at) {
      for (const auto& [odd, escaped] : {std::pair{'"', "\\\""},
                                         {'\\', "\\\\"},
                                         {'\n', "\\n"},
                                         {'\x1f', "\\u001f"},
                                         {'\x7f', "\x7f"},
                                         {'\x80', "\uFFFD"},
                                         {'\xff', "\uFFFD"}}) {
        std::string text = plain;
        text[at] = odd;
        std::string got;
        append_string(got, text);
        const std::string expected =
            "\"" + plain.substr(0, at) + escaped + plain.substr(at + 1) + "\"";
        if (got != expected) FAIL(size << " " << at << ": " << got);
      }
    }
  }
}

}  // namespace
}  // namespace reeve::json
