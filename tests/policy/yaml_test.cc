// The strict YAML reader: what it refuses, where, and that hostile files stay cheap.
#include "policy/yaml.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>

namespace reeve {
namespace {

std::string repeat(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

// The first diagnostic, or "" when the text is good.
std::string first_error(std::string_view text) {
  Diagnostics diagnostics;
  const auto document = yaml::parse(text, "f", diagnostics);
  REQUIRE((document == nullptr) == diagnostics.has_errors());
  return diagnostics.all().empty() ? "" : to_string(diagnostics.all().front());
}

TEST_CASE("yaml: what is refused, with its place") {
  struct Row {
    std::string text;
    std::string error;
  };
  const Row rows[] = {
      {"a: 1\nb: 2\na: 3\n", "f:3:1: error: duplicate key `a`, first in line 1; keep one of them"},
      {"{a: 1, \"a\": 2}", "f:1:8: error: duplicate key `a`, first in line 1; keep one of them"},
      {"a: 1\n---\nb: 2\n",
       "f:2:1: error: text after the end of the document; a file holds one document, split it"},
      {"a: 1\n...\nb: 2\n",
       "f:3:1: error: text after the end of the document; a file holds one document, split it"},
      {"a: &a [*a]\n", "f:1:8: error: alias to a node that contains it; write the value out"},
      {"a: &a {b: *a}\n", "f:1:11: error: alias to a node that contains it; write the value out"},
      {"a:\n\tb: 1\n", "f:2:1: error: tab in the indentation; use spaces"},
      {std::string("a: b\0c", 6), "f:1:5: error: control character U+0000; remove it"},
      {"a: 1\rb: 2\n", "f:1:5: error: control character U+000D; remove it"},
      {"a: \"\\0\"\n", "f:1:4: error: NUL character in text; remove it"},
      {"\xEF\xBB\xBF"
       "a: 1",
       "f:1:1: error: byte order mark; save the file as UTF-8 without one"},
      {"a: \xFF", "f:1:4: error: bytes that are not UTF-8; save the file as UTF-8"},
      {"a: \xC0\x80", "f:1:4: error: bytes that are not UTF-8; save the file as UTF-8"},
      {"# \xE2\x80\xAE\na: 1", "f:1:3: error: invisible character U+202E; remove it"},
      {"a: !!str 1\n",
       "f:1:4: error: tag `tag:yaml.org,2002:str`; tags have no meaning here, remove it"},
      {"%YAML 1.2\n---\na: 1\n", "f:1:1: error: a directive; remove the line"},
      {"[a]: b\n", "f:1:1: error: a key that is not text; keys are plain names"},
      {"~: b\n", "f:1:1: error: a key that is not text; keys are plain names"},
      {"a: \"x\n", "f:1:4: error: a quote that is never closed; close it"},
      {"a: 'it''s\n", "f:1:4: error: a quote that is never closed; close it"},
      {repeat("[", 65) + repeat("]", 65), "f:1:65: error: nesting past 64 levels; flatten it"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(first_error(row.text) == row.error);
  }
}

TEST_CASE("yaml: syntax errors are located and not exceptions") {
  for (const char* text : {"a: [1,\n", "a: 1\n]\n", "a: [1]]\n", "a: b: c\n", "a: *b\n", "}",
                           "a: \"x", "foo\nbar: x\n", "\"\\q\""}) {
    CAPTURE(text);
    CHECK(first_error(text).find("error: not valid YAML: ") != std::string::npos);
  }
}

TEST_CASE("yaml: all duplicate keys are reported in one run") {
  Diagnostics diagnostics;
  CHECK(yaml::parse("a: 1\na: 2\nb: {c: 1, c: 2}\n", "f", diagnostics) == nullptr);
  CHECK(diagnostics.error_count() == 2);
}

TEST_CASE("yaml: many keys are compared too, in bounded time") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  CHECK(first_error(text).empty());
  CHECK(first_error(text + "k77: 2\n") ==
        "f:100001:1: error: duplicate key `k77`, first in line 78; keep one of them");
  // Around the size from which keys are sorted.
  for (int keys = 2; keys < 30; ++keys) {
    CAPTURE(keys);
    std::string few;
    for (int i = 1; i < keys; ++i) few += "k" + std::to_string(i) + ": 1\n";
    CHECK(first_error(few).empty());
    CHECK(
        first_error(few + "k1: 2\n") ==
        fmt::format("f:{}:1: error: duplicate key `k1`, first in line 1; keep one of them", keys));
  }
}

TEST_CASE("yaml: a bad byte is found wherever it stands in a line") {
  for (size_t at = 0; at < 70; ++at) {
    CAPTURE(at);
    const std::string line = "# " + std::string(at, 'x');
    const std::string place = fmt::format("f:2:{}: error: ", at + 3);
    CHECK(first_error("a: 1\n" + line + "\x7F" + "xx\nb: \x01\n") ==
          place + "control character U+007F; remove it");
    CHECK(first_error("a: 1\n" + line + "\x1F") == place + "control character U+001F; remove it");
    CHECK(first_error("a: 1\n" + line + "\xC2\x80\n") ==
          place + "control character U+0080; remove it");
    CHECK(first_error("a: 1\n" + line + "\xFF\n") ==
          place + "bytes that are not UTF-8; save the file as UTF-8");
    CHECK(first_error("a: 1\n" + line + "\r\n").empty());
    CHECK(first_error("a: 1\n" + line + "\t~\n").empty());
    CHECK(first_error("a: 1\n" + line + "\xC3\xA4\n").empty());
  }
}

TEST_CASE("yaml: an alias is the anchor's value at a place of its own") {
  Diagnostics diagnostics;
  const auto document =
      yaml::parse("a: &x {k: [v, w]}\nb: [*x, &y text]\n*y : *x\n", "f", diagnostics);
  REQUIRE(document);
  const yaml::Node& first = document->root.find("b")->items[0];
  const yaml::Node& second = *document->root.find("text");
  CHECK((first.mark.line == 2 && first.mark.column == 5));
  CHECK((second.mark.line == 3 && second.mark.column == 6));
  CHECK((document->root.members[2].key_mark.line == 3));
  for (const yaml::Node* node : {&first, &second}) {
    const yaml::Node& list = *node->find("k");
    CHECK((list.mark.line == 1 && list.mark.column == 11));
    REQUIRE(list.items.size() == 2);
    CHECK(list.items[1].text == "w");
  }
}

TEST_CASE("yaml: forms are equal for equal values alone") {
  Diagnostics diagnostics;
  const auto document = yaml::parse(
      "[x, \"x\", [x], [[x]], [x, x], [xx], {x: x}, {x: [x]}, [{x: x}], {x: x, y: y}, {y: y, x: "
      "x}, "
      "~, \"\", [], {}, [~], [1:x], {1: x}, [[], []], [[[]]], {\"x1:s1:x1:y\": y}, x1:s1:x]",
      "f", diagnostics);
  REQUIRE(document);
  const auto& items = document->root.items;
  for (size_t a = 0; a < items.size(); ++a) {
    for (size_t b = 0; b < items.size(); ++b) {
      CAPTURE(a, b);
      CHECK((yaml::form_of(items[a]) == yaml::form_of(items[b])) == (a == b));
    }
  }
  const auto other =
      yaml::parse("a: {k: [v, 'w']}\nb:\n  k:\n    - v\n    - \"w\"\nc: &x {k: [v, w]}\nd: *x\n",
                  "f", diagnostics);
  REQUIRE(other);
  CHECK(yaml::form_of(*other->root.find("a")) == yaml::form_of(*other->root.find("b")));
  CHECK(yaml::form_of(*other->root.find("c")) == yaml::form_of(*other->root.find("d")));
  CHECK(yaml::form_of(*other->root.find("a")) != yaml::form_of(*other->root.find("c")));
}

TEST_CASE("yaml: at the limits and one past them") {
  CHECK(first_error(repeat("[", 64) + repeat("]", 64)).empty());
  yaml::Limits limits;
  limits.file_bytes = 8;
  limits.nodes = 4;
  for (const auto& [text, good] : {std::pair{"a: 12345", true},
                                   {"a: 1234567", false},
                                   {"[1,2,3]", true},
                                   {"[1,2,3,]", true}}) {
    CAPTURE(text);
    Diagnostics diagnostics;
    CHECK((yaml::parse(text, "f", diagnostics, limits) != nullptr) == good);
  }
  limits.file_bytes = 100;
  Diagnostics diagnostics;
  CHECK(yaml::parse("[1,2,3,4]", "f", diagnostics, limits) == nullptr);
}

TEST_CASE("yaml: aliases count by what they expand to") {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) {
    const std::string anchor = "a" + std::to_string(i);
    const std::string alias = "*a" + std::to_string(i - 1);
    if (i < 10) bomb += anchor + ": &" + anchor + " [" + repeat(alias + ",", 10) + "]\n";
    chain += anchor + ": &" + anchor + " [" + alias + "]\n";
  }
  CHECK(first_error(bomb).find("anchors and aliases expand past 10 MB") != std::string::npos);
  CHECK(first_error(chain).find("nesting past 64 levels") != std::string::npos);
  Diagnostics diagnostics;
  const auto good = yaml::parse("a: &x {k: v}\nb: [*x, *x]\n", "f", diagnostics);
  REQUIRE(good);
  CHECK(good->root.find("b")->items[1].find("k")->text == "v");
}

TEST_CASE("yaml: deep nesting never reaches the stack's end") {
  for (const char* unit : {"[", "{", "- ", "? ", "{a: ", "[? ", "[\n", "!a [", "&a ["}) {
    CAPTURE(unit);
    CHECK_FALSE(first_error(repeat(unit, 100'000)).empty());
  }
}

TEST_CASE("yaml: the tree, quotes, nulls and places") {
  Diagnostics diagnostics;
  const auto document =
      yaml::parse("a: \"1\"\nb: 1\nc: ~\nd:\ne: [x, {y: 'it''s'}]\r\n...\n", "f", diagnostics);
  REQUIRE(document);
  const yaml::Node& root = document->root;
  CHECK(document->ends_with_marker);
  CHECK(root.find("a")->quoted);
  CHECK_FALSE(root.find("b")->quoted);
  CHECK(root.find("c")->is_null());
  CHECK(root.find("d")->is_null());
  CHECK(root.find("z") == nullptr);
  const yaml::Node& y = *root.find("e")->items[1].find("y");
  CHECK(y.text == "it's");
  CHECK((y.mark.line == 5 && y.mark.column == 12));
  CHECK((root.members[1].key_mark.line == 2 && root.members[1].key_mark.column == 1));
}

TEST_CASE("yaml: the end marker is the last line or it is not there") {
  for (const auto& [text, ends] : {std::pair{"a: 1\n...\n", true},
                                   {"a: 1\n...", true},
                                   {"a: 1\n...\n\n", true},
                                   {"a: 1\n", false},
                                   {"a: ...\n", false},
                                   {"a: |\n  ...\n", false},
                                   {"", false}}) {
    CAPTURE(text);
    Diagnostics diagnostics;
    const auto document = yaml::parse(text, "f", diagnostics);
    REQUIRE(document);
    CHECK(document->ends_with_marker == ends);
  }
}

}  // namespace
}  // namespace reeve
