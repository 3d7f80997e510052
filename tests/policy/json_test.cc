// What the strict reader takes, what it refuses and where, what look-ups find, and the canonical
// form against the examples of RFC 8785.
#include "policy/json.h"

#include <catch2/catch.hpp>

namespace reeve::json {
namespace {

std::string times(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string canonical(std::string_view text) {
  Parser parser;
  const auto value = parser.parse(text);
  INFO(text);
  REQUIRE(value);
  std::string out;
  append_canonical(out, *value);
  return out;
}

TEST_CASE("valid texts are read to their last byte") {
  const std::string_view valid[] = {
      "null",
      "true",
      "false",
      "0",
      "-0",
      "10",
      "1.5",
      "1e5",
      "1E+5",
      "-1.25e-07",
      "12345678901234567890",
      "1e999999999999999999999",
      "\"\"",
      "{}",
      "[]",
      " \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ 1 , 2 ] } \t\r\n",
      R"(["\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00\uDBFF\uDFFF"])",
      "\"\x7f\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
      R"({"":{"":{"":[[],{},""]}}})",
      R"({"a":{"b":1},"b":{"a":1},"A":2})",
      "\"\xEF\xBB\xBF\"",
  };
  Parser parser;
  for (const std::string_view text : valid) {
    INFO(text);
    const auto value = parser.parse(text);
    CHECK(value);
  }
}

struct Bad {
  std::string text;
  std::string what;
  size_t offset;
};

TEST_CASE("what is not strict JSON is refused, with the place and the reason") {
  const Bad bad[] = {
      {"", "unexpected end", 0},
      {"  ", "unexpected end", 2},
      {"\xEF\xBB\xBF{}", "byte order mark", 0},
      {"\"\xff\"", "not UTF-8", 0},
      {"\"\xc0\xaf\"", "not UTF-8", 0},
      {"\"\xed\xa0\x80\"", "not UTF-8", 0},
      {"\"\xf4\x90\x80\x80\"", "not UTF-8", 0},
      {"\"\xe2\x82\"", "not UTF-8", 0},
      {"{}{}", "something follows the value", 2},
      {"1 2", "something follows the value", 2},
      {std::string("1\0", 2), "something follows the value", 1},
      {"{} // x", "something follows the value", 3},
      {"/**/{}", "expected a value", 0},
      {"tru", "expected a value", 0},
      {"True", "expected a value", 0},
      {"nulll", "something follows the value", 4},
      {"NaN", "expected a value", 0},
      {"Infinity", "expected a value", 0},
      {"-Infinity", "expected a digit", 1},
      {"'a'", "expected a value", 0},
      {"+1", "expected a value", 0},
      {".5", "expected a value", 0},
      {"01", "number with a leading zero", 1},
      {"-", "expected a digit", 1},
      {"-01", "number with a leading zero", 2},
      {"1.", "expected a digit", 2},
      {"1.e5", "expected a digit", 2},
      {"1e", "expected a digit", 2},
      {"1e+", "expected a digit", 3},
      {"0x10", "something follows the value", 1},
      {"1_000", "something follows the value", 1},
      {"[", "unexpected end", 1},
      {"[1", "unexpected end", 2},
      {"[1,", "unexpected end", 3},
      {"[1,]", "expected a value", 3},
      {"[,1]", "expected a value", 1},
      {"[1 2]", "expected `,` or `]`", 3},
      {"[1}", "expected `,` or `]`", 2},
      {"]", "expected a value", 0},
      {"{", "unexpected end", 1},
      {"{\"a\"", "unexpected end", 4},
      {"{\"a\":", "unexpected end", 5},
      {"{\"a\":1", "unexpected end", 6},
      {"{\"a\":1,", "unexpected end", 7},
      {"{\"a\":1,}", "expected a key", 7},
      {"{\"a\" 1}", "expected `:`", 5},
      {"{\"a\"=1}", "expected `:`", 4},
      {"{a:1}", "expected a key", 1},
      {"{1:1}", "expected a key", 1},
      {"{\"a\":1;\"b\":2}", "expected `,` or `}`", 6},
      {"{\"a\":1]", "expected `,` or `}`", 6},
      {"\"a", "unexpected end in a string", 2},
      {"\"a\\", "unexpected end in a string", 2},
      {"\"\\u12", "unexpected end in a string", 1},
      {"\"a\nb\"", "control character in a string", 2},
      {std::string("\"\0\"", 3), "control character in a string", 1},
      {"\"abcdefgh\x1f\"", "control character in a string", 9},
      {"\"\\x41\"", "unknown escape in a string", 1},
      {"\"\\'\"", "unknown escape in a string", 1},
      {"\"\\U0041\"", "unknown escape in a string", 1},
      {std::string("\"\\\0\"", 4), "unknown escape in a string", 1},
      {"\"\\u00g0\"", "bad \\u escape in a string", 1},
      {"\"\\u+123\"", "bad \\u escape in a string", 1},
      {"\"\\ud800\"", "unpaired surrogate in a string", 1},
      {"\"\\ud800 aaaaaaaa\"", "unpaired surrogate in a string", 1},
      {"\"\\ud800\\u0041\"", "unpaired surrogate in a string", 1},
      {"\"\\ud800\\ud800\"", "unpaired surrogate in a string", 1},
      {"\"\\udc00\\ud800\"", "unpaired surrogate in a string", 1},
      {"\xC2\xA0{}", "expected a value", 0},
      {"\f1", "expected a value", 0},
  };
  Parser parser;
  for (const Bad& row : bad) {
    INFO(row.text);
    CHECK_FALSE(parser.parse(row.text));
    CHECK(parser.error().what == row.what);
    CHECK(parser.error().offset == row.offset);
  }
}

TEST_CASE("duplicate keys are found after unescaping, at any depth, in small and large objects") {
  const std::pair<std::string, size_t> duplicates[] = {
      {R"({"a":1,"a":1})", 7},
      {R"({"a":1,"b":2,"a":3})", 13},
      {R"({"a":1,"\u0061":2})", 7},
      {R"({"\u0061":1,"a":2})", 12},
      {R"({"\/":1,"/":2})", 8},
      {R"({"":1,"":2})", 6},
      {R"({"\ud83d\ude00":1,"😀":2})", 18},
      {R"([[[{"x":{"y":[{"k":1,"z":{},"k":2}]}}]]])", 28},
      {R"({"a":{"b":{"c":1}},"b":2,"a":3})", 25},
      {R"({"params":{"name":"ok","n\u0061me":"evil"}})", 23},
      {std::string(R"({"a)") + '\x7f' + R"(":1,"a\u007f":2})", 8},
  };
  Parser parser;
  for (const auto& [text, offset] : duplicates) {
    INFO(text);
    CHECK_FALSE(parser.parse(text));
    CHECK(parser.error().what == std::string("duplicate key"));
    CHECK(parser.error().offset == offset);
  }
  for (const size_t keys : {2, 15, 16, 17, 18, 100, 5000}) {
    std::string text = "{";
    for (size_t i = 0; i < keys; ++i) text += "\"key-" + std::to_string(i) + "\":{\"key-0\":[]},";
    INFO(keys);
    CHECK(parser.parse(text + "\"last\":0}"));
    for (const std::string& again : {"key-0", "key-1", "\\u006bey-0"}) {
      CHECK_FALSE(parser.parse(text + '"' + again + "\":0}"));
      CHECK(parser.error().what == std::string("duplicate key"));
    }
    CHECK_FALSE(parser.parse(text + "\"key-" + std::to_string(keys - 1) + "\":0}"));
  }
}

TEST_CASE("depth and node limits hold at the limit and one past it") {
  Parser parser({.depth = 3, .nodes = 5});
  CHECK(parser.parse("[[[]]]"));
  CHECK_FALSE(parser.parse("[[[[]]]]"));
  CHECK(parser.error().what == std::string("nested too deeply"));
  CHECK(parser.error().offset == 3);
  CHECK(parser.parse("{\"a\":1,\"b\":2}"));
  CHECK(parser.parse("[1,2,3,4]"));
  CHECK_FALSE(parser.parse("[1,2,3,4,5]"));
  CHECK(parser.error().what == std::string("too many values"));
  CHECK_FALSE(parser.parse("{\"a\":1,\"b\":2,\"c\":3}"));

  Parser usual;
  CHECK(usual.parse(times("[", 96) + times("]", 96)));
  CHECK_FALSE(usual.parse(times("[", 97) + times("]", 97)));
  CHECK_FALSE(usual.parse(times("[", 10'000)));
  CHECK_FALSE(usual.parse(times("{\"a\":", 10'000)));
}

TEST_CASE("large texts: 10,000 levels, 100,000 keys, 8 MB, and keys that share all they can") {
  Parser deep({.depth = 10'000, .nodes = 1'000'000});
  const auto nested = deep.parse(times("[", 10'000) + times("]", 10'000));
  REQUIRE(nested);
  std::string out;
  append_canonical(out, *nested);
  CHECK(out.size() == 20'000);

  Parser parser;
  std::string keys = "{";
  for (int i = 0; i < 100'000; ++i)
    keys += '"' + std::to_string(i) + "\":" + std::to_string(i) + ',';
  CHECK(parser.parse(keys + "\"x\":0}"));
  CHECK_FALSE(parser.parse(keys + "\"4711\":0}"));
  CHECK(parser.parse('"' + times("x", 8 << 20) + '"'));
  CHECK_FALSE(parser.parse('[' + times("0,", 1'000'000) + "0]"));
  parser.trim(4096);
  CHECK(parser.parse("{\"a\":1}"));
}

TEST_CASE("values give their place, text, members and items") {
  Parser parser;
  const std::string_view text =
      R"( {"id": 12345678901234567890, "s\u0061y":"\u00e9\n\"x\"", "list":[1, [2,3], {"k":{}}, true],"e":{}, "z":null} )";
  const auto root = parser.parse(text);
  REQUIRE(root);
  CHECK(root->is_object());
  CHECK(root->size() == 5);
  CHECK(root->offset() == 1);
  CHECK(root->raw() == text.substr(1, text.size() - 2));
  CHECK(root->find("id")->raw() == "12345678901234567890");
  std::string scratch;
  const auto say = root->find("say");
  REQUIRE(say);
  CHECK(say->text(scratch) == "é\n\"x\"");
  CHECK(say->raw() == R"("\u00e9\n\"x\"")");
  CHECK(say->equals("é\n\"x\""));
  CHECK_FALSE(say->equals("é\n\"x"));
  CHECK_FALSE(say->equals("é\n\"x\"!"));
  CHECK_FALSE(root->find("id")->equals("12345678901234567890"));
  CHECK_FALSE(root->find("SAY"));
  CHECK_FALSE(root->find("s\\u0061y"));
  CHECK(root->find("e")->size() == 0);
  CHECK_FALSE(root->find("z")->find("x"));

  std::string seen;
  for (const Value item : root->find("list")->items()) (seen += item.raw()) += '|';
  CHECK(seen == R"(1|[2,3]|{"k":{}}|true|)");
  seen.clear();
  for (const Member member : root->members()) {
    (seen += member.key.text(scratch)) += '=';
    seen += std::to_string(static_cast<int>(member.value.type())) + ' ';
  }
  CHECK(seen == "id=3 say=4 list=5 e=6 z=0 ");
  for (const Member member : root->find("list")->members()) FAIL(member.key.raw());
  for (const Value item : root->items()) FAIL(item.raw());
  CHECK(root->find("list")->size() == 4);
}

TEST_CASE("no case variant that a reader finds is missed") {
  struct Row {
    std::string_view text, key;
    bool variant;
  };
  const Row rows[] = {
      {R"({"name":1})", "name", false},
      {R"({"Name":1})", "name", true},
      {R"({"name":1,"NAME":2})", "name", true},
      {R"({"n\u0041me":1})", "name", true},
      {R"({"name ":1})", "name", false},
      {R"({"nаme":1})", "name", false},
      {R"({"param\u017f":1})", "params", true},
      {R"({"paramſ":1})", "params", true},
      {R"({"task\u0049d":1})", "taskId", false},
      {R"({"tas\u212aId":1})", "taskId", true},
      {R"({"tasKid":1})", "taskId", true},
      {R"({"İd":1})", "id", false},
      {R"({"names":1,"nam":1,"":1})", "name", false},
      {R"(["Name"])", "name", false},
      {R"({"s":1})", "ſ", true},
      {R"({"É":1})", "é", true},
      {R"({"GRÖßE":1})", "größe", true},
      {R"({"grúße":1})", "größe", true},  // not said to be none
      {R"({"größer":1})", "größe", false},
      {R"({"grosse":1})", "größe", false},
  };
  Parser parser;
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(parser.parse(row.text)->has_case_variant(row.key) == row.variant);
  }
}

TEST_CASE("canonical form: RFC 8785") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      // 3.2.2 and 3.2.4
      {R"({"numbers":[333333333.3333333,1E30,4.50,2e-3,0.000000000000000000000000001],
           "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
           "literals":[null,true,false]})",
       R"({"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"})"},
      // 3.2.3: keys by UTF-16 code units, so U+1F600 stands before U+FB33
      {R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
           "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
           "\u00f6":"Latin Small Letter O With Diaeresis"})",
       "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small "
       "Letter "
       "O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew "
       "Letter Dalet With Dagesh\"}"},
      {R"( [ ] )", "[]"},
      {R"({ "b" : { } , "a" : [ { "d" : 1 , "c" : [ ] } ] , "aa":0, "":1 })",
       R"({"":1,"a":[{"c":[],"d":1}],"aa":0,"b":{}})"},
      {R"("\u0000\u0008\u0009\u000a\u000b\u000c\u000d\u001f\u007f\u2028")",
       "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\u2028\""},
      // Appendix B, as far as decimal text gives it
      {"0", "0"},
      {"-0", "0"},
      {"0.0e7", "0"},
      {"5e-324", "5e-324"},
      {"-5e-324", "-5e-324"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"9007199254740992", "9007199254740992"},
      {"-9007199254740992", "-9007199254740992"},
      {"295147905179352830000", "295147905179352830000"},
      {"9.999999999999997e22", "9.999999999999997e+22"},
      {"1e23", "1e+23"},
      {"1.0000000000000001e23", "1.0000000000000001e+23"},
      {"999999999999999700000", "999999999999999700000"},
      {"1e21", "1e+21"},
      {"1e20", "100000000000000000000"},
      {"9.999999999999997e-7", "9.999999999999997e-7"},
      {"0.000001", "0.000001"},
      {"0.0000001", "1e-7"},
      {"333333333.3333332", "333333333.3333332"},
      {"-0.0000033333333333333333", "-0.0000033333333333333333"},
      {"1424953923781206.2", "1424953923781206.2"},
  };
  for (const auto& [text, expected] : rows) CHECK(canonical(text) == expected);
}

TEST_CASE("canonical numbers: equal values have one text, different values never share one") {
  const std::vector<std::string_view> classes[] = {
      {"1", "1.0", "10e-1", "0.1e1", "1E0", "1e+00", "100e-02"},
      {"0", "-0", "0.000", "0e999999999999999999999", "-0.0E-5"},
      {"1250.75", "1.25075e3", "125075e-2", "1250.750"},
      {"9007199254740992", "9007199254740992.0", "9.007199254740992e15"},
      {"9007199254740993", "9007199254740993.000"},
      {"333333333.33333329"},
      {"333333333.3333333"},
      {"0.1"},
      {"0.1000000000000000055511151231257827"},
      {"12345678901234567890"},
      {"12345678901234567891"},
      {"1e400", "10e399"},
      {"1e-400", "0.1e-399"},
      {"-1"},
      {"1e99999999999999999999"},
      {"1e-99999999999999999999"},
  };
  std::vector<std::string> seen;
  for (const auto& equal : classes) {
    const std::string text = canonical(equal.front());
    for (const std::string_view other : equal) CHECK(canonical(other) == text);
    CHECK(std::find(seen.begin(), seen.end(), text) == seen.end());
    CHECK(canonical(text) == text);
    seen.push_back(text);
  }
  CHECK(canonical("9007199254740993") == "9007199254740993");
  CHECK(canonical("12345678901234567890") == "12345678901234567890");
  CHECK(canonical("123456789012345678901234567890") == "1.2345678901234567890123456789e+29");
}

TEST_CASE("strings are escaped, and bytes that are not UTF-8 replaced") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", R"("")"},
      {"a\"b\\c/", R"("a\"b\\c/")"},
      {std::string_view("\0\x1f\n", 3), R"("\u0000\u001f\n")"},
      {"é😀", R"("é😀")"},
      {"a\xff"
       "b",
       "\"a\uFFFDb\""},
      {"\xe2\x82", "\"\uFFFD\uFFFD\""},
      {"\xed\xa0\x80x", "\"\uFFFD\uFFFD\uFFFDx\""},
      {"ok é\xc3", "\"ok é\uFFFD\""},
  };
  Parser parser;
  for (const auto& [text, expected] : rows) {
    std::string out;
    append_string(out, text);
    CHECK(out == expected);
    CHECK(parser.parse(out));
  }
}

}  // namespace
}  // namespace reeve::json
