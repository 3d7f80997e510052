// One listing beside a lock.
#include "proxy/mcp/pin_sighting.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve::mcp {
namespace {

PinLock lock_of(const std::string& tools) {
  json::Parser parser;
  PinLock lock;
  const std::string text = "{\"tools\":" + tools + "}";
  PinReader reader;
  std::string cursor;
  REQUIRE(reader.add_page(*parser.parse(text), cursor));
  lock.tools = reader.take();
  return lock;
}

constexpr const char* kTools = R"([
  {"name": "a", "description": "Does a", "inputSchema": {"type": "object"}},
  {"name": "b", "title": "B", "annotations": {"readOnlyHint": true}},
  {"name": "c"}])";

// What a page says: `a=`, `b!` with what is other, `+d` added, or the error.
std::string shown(const std::string& result, std::string* cursor = nullptr) {
  const PinLock lock = lock_of(kTools);
  Sighting sighting(lock);
  json::Parser parser;
  const auto root = parser.parse(result);
  REQUIRE(root);
  std::string next;
  const auto seen = sighting.see_page(*root, next);
  if (cursor) *cursor = next;
  if (!seen) return seen.error().message;
  std::string out;
  for (size_t i = 0; i < lock.tools.size(); ++i) {
    const Sighting::Tool& tool = sighting.tools()[i];
    if (tool.shown == Sighting::Shown::kNot) continue;
    out += (out.empty() ? "" : " ") + lock.tools[i].name;
    out += tool.shown == Sighting::Shown::kSame ? "=" : "!";
    for (const PinPart part : tool.parts) out += std::string(to_string(part)) + ",";
  }
  for (const Sighting::Added& added : sighting.added()) {
    out += (out.empty() ? "+" : " +") + added.name;
  }
  return out;
}

TEST_CASE("entries of a list beside their lock") {
  struct Row {
    const char* result;
    const char* shown;
  };
  const Row rows[] = {
      {R"({"tools": []})", ""},
      {R"({"tools": [{"name": "c"}]})", "c="},
      // Order of members, white space, escapes and what is not pinned make no difference.
      {R"({"tools": [{"inputSchema":{"type":"object"},"description":"Do\u0065s a","name":"\u0061",
           "_meta":{"x":1},"icons":[]}]})",
       "a="},
      {R"({"tools": [{"name": "c", "title": null}]})", "c="},
      {R"({"tools": [{"name": "a", "description": "Does a", "inputSchema": {"type": "array"}}]})",
       "a!inputSchema,"},
      {R"({"tools": [{"name": "a", "description": "Does A"}]})", "a!description,inputSchema,"},
      {R"({"tools": [{"name": "b", "title": "B", "annotations": {"readOnlyHint": false}}]})",
       "b!annotations,"},
      {R"({"tools": [{"name": "c", "outputSchema": {}}]})", "c!outputSchema,"},
      {R"({"tools": [{"name": "A"}, {"name": " a"}, {"name": ""}]})", "+A + a +"},
      // Twice: the worse counts, in either order.
      {R"({"tools": [{"name": "c"}, {"name": "c", "title": "x"}]})", "c!title,"},
      {R"({"tools": [{"name": "c", "title": "x"}, {"name": "c"}]})", "c!title,"},
      // Not to be read in one way.
      {R"({"tools": [{"name": "c", "Title": "x"}]})", "c!"},
      {R"({"tools": [{"name": "c", "Name": "a"}]})", "c!"},
      {R"({"tools": [{"name": "c", "title": 7}]})", "c!"},
      {R"({"tools": [{"name": "c", "inputSchema": "x"}]})", "c!"},
      {R"({"tools": [{"title": "c"}]})", "the server lists a tool without a name"},
      {R"({"tools": [{"name": 7}]})", "the server lists a tool without a name"},
      {R"({"tools": ["c"]})", "the server lists a tool without a name"},
      {R"({"tools": {}})", "the answer to tools/list has no list of tools"},
      {R"({})", "the answer to tools/list has no list of tools"},
      {R"({"tools": [], "TOOLS": []})",
       "the answer to tools/list has keys that differ by case alone"},
      {R"({"tools": [], "NextCursor": "x"})",
       "the answer to tools/list has keys that differ by case alone"},
      {R"({"tools": [], "nextCursor": 7})", "`nextCursor` of tools/list is no text"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.result);
    CHECK(shown(row.result) == row.shown);
  }
  std::string cursor = "x";
  shown(R"({"tools": [], "nextCursor": "p\u0032"})", &cursor);
  CHECK(cursor == "p2");
  shown(R"({"tools": [], "nextCursor": null})", &cursor);
  CHECK(cursor.empty());
}

TEST_CASE("of tools that nobody pinned so many are remembered, and no more") {
  std::string page = "{\"tools\":[{\"name\":\"c\"}";
  for (size_t i = 0; i <= Sighting::kAddedMost; ++i) {
    page += ",{\"name\":\"n" + std::to_string(i) + "\"}";
  }
  page += "]}";
  const PinLock lock = lock_of(kTools);
  Sighting sighting(lock);
  json::Parser parser;
  std::string cursor;
  REQUIRE(sighting.see_page(*parser.parse(page), cursor));
  CHECK(sighting.added().size() == Sighting::kAddedMost);
  CHECK(sighting.tools()[2].shown == Sighting::Shown::kSame);
}

}  // namespace
}  // namespace reeve::mcp
