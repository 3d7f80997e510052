// Arguments as the record keeps them: what is masked, what is bounded, and that nothing hides.
#include "proxy/arguments_text.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace reeve {
namespace {

ArgumentsText text_of(const std::string& json, KeptArguments how,
                      const std::vector<std::string_view>& secrets = {}) {
  json::Parser parser;
  const auto value = parser.parse(json);
  REQUIRE(value);
  return arguments_text(*value, how, secrets);
}

bool is_json(const std::string& text) {
  json::Parser parser;
  return parser.parse(text).has_value();
}

std::string list_of(size_t count, const std::string& item) {
  std::string text = "[";
  for (size_t i = 0; i < count; ++i) text += (i > 0 ? "," : "") + item;
  return text + "]";
}

std::string nested(size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); }

TEST_CASE("redacted keeps names and shape, full keeps values; neither keeps credentials") {
  struct Row {
    const char* sent;
    const char* redacted;
    const char* full;
  };
  static constexpr Row kRows[] = {
      {R"({"a":1.50,"b":"Grüße","c":null,"d":true,"e":[{"f":"x"},false]})",
       R"({"a":"number","b":"string:5","c":null,"d":"boolean","e":[{"f":"string:1"},"boolean"]})",
       R"({"a":1.50,"b":"Grüße","c":null,"d":true,"e":[{"f":"x"},false]})"},
      {R"({"password":"hunter2","X-Api-Key":7,"refreshToken":{"a":1},"max_tokens":5,"secret":null})",
       R"({"password":"[credential]","X-Api-Key":"[credential]","refreshToken":"[credential]",)"
       R"("max_tokens":"number","secret":null})",
       R"({"password":"[credential]","X-Api-Key":"[credential]","refreshToken":"[credential]",)"
       R"("max_tokens":5,"secret":null})"},
      {R"({"q":"Bearer tok-123456789 and tok-123456789","tok-123456789":1})",
       R"({"q":"string:38","[credential]":"number"})",
       R"({"q":"Bearer [credential] and [credential]","[credential]":1})"},
      {R"({"a\n":"\u001b[2Jx\u007f\u202ey\u0085z\"\\\ud800\udc00\udb40\udc41"})",
       R"({"a\u000a":"string:14"})",
       "{\"a\\u000a\":\"\\u001b["
       "2Jx\\u007f\\u202ey\\u0085z\\\"\\\\\xF0\x90\x80\x80\\udb40\\udc41\"}"},
      {"[]", "[]", "[]"},
      {"\"text\"", "\"string:4\"", "\"text\""},
  };
  for (const Row& row : kRows) {
    INFO(row.sent);
    const ArgumentsText redacted = text_of(row.sent, KeptArguments::kRedacted, {"tok-123456789"});
    const ArgumentsText full = text_of(row.sent, KeptArguments::kFull, {"tok-123456789"});
    CHECK(redacted.json == row.redacted);
    CHECK(full.json == row.full);
    CHECK_FALSE(redacted.cut);
    CHECK_FALSE(full.cut);
    CHECK(is_json(full.json));
  }
  CHECK(text_of(R"({"a":"short"})", KeptArguments::kFull, {"short"}).json == R"({"a":"short"})");
}

TEST_CASE("a bound is kept at it, and one past it is marked") {
  struct Row {
    KeptArguments how;
    std::string whole, cut;
    const char* mark;
  };
  const std::string long_text(4096, 'x');
  const Row rows[] = {
      {KeptArguments::kRedacted, list_of(16, "1"), list_of(17, "1"), R"("[cut: 1 more]"])"},
      {KeptArguments::kFull, list_of(1024, "1"), list_of(1026, "1"), R"("[cut: 2 more]"])"},
      {KeptArguments::kFull, "\"" + long_text + "\"", "\"" + long_text + "y\"",
       "xx[cut: 4097 bytes]\""},
      {KeptArguments::kRedacted, nested(16), nested(17), R"("[cut: 1 more]")"},
      {KeptArguments::kFull, nested(32), nested(33), R"("[cut: 1 more]")"},
      {KeptArguments::kFull, "{\"" + std::string(128, 'k') + "\":1}",
       "{\"" + std::string(129, 'k') + "\":1}", R"(k[cut: 129 bytes]":1})"},
  };
  for (const Row& row : rows) {
    const ArgumentsText whole = text_of(row.whole, row.how);
    CHECK_FALSE(whole.cut);
    CHECK(whole.json.find("[cut") == std::string::npos);
    const ArgumentsText cut = text_of(row.cut, row.how);
    INFO(row.cut.substr(0, 60));
    CHECK(cut.cut);
    CHECK(cut.json.find(row.mark) != std::string::npos);
    CHECK(is_json(cut.json));
  }
}

TEST_CASE("whatever is sent, what is kept is bounded, and cut between characters") {
  std::string members = "{";
  for (int i = 0; i < 5000; ++i) members += "\"key-" + std::to_string(i) + "\":\"v\",";
  members.back() = '}';
  const std::string euros = [] {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += "€";
    return text;
  }();
  for (const std::string& sent :
       {members, list_of(5000, "\"" + std::string(200, 'y') + "\""), nested(90),
        "[\"" + euros + "\"]", list_of(40, "{\"a\":" + list_of(40, "{\"b\":[1,2,3]}") + "}")}) {
    for (const KeptArguments how : {KeptArguments::kRedacted, KeptArguments::kFull}) {
      const ArgumentsText text = text_of(sent, how);
      CHECK(text.json.size() <= (how == KeptArguments::kFull ? 22 * 1024u : 6 * 1024u));
      CHECK(is_json(text.json));
    }
  }
}

}  // namespace
}  // namespace reeve
