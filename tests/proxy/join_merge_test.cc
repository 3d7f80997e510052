// Lists, capabilities and instructions of several servers as one.
#include <catch2/catch.hpp>

#include "proxy/join/merge.h"

namespace reeve::join {
namespace {

std::string page(std::string_view member, std::string_view entries, std::string_view more = "") {
  return std::string(R"({"jsonrpc":"2.0","id":1,"result":{")")
      .append(member)
      .append("\":[")
      .append(entries)
      .append("]")
      .append(more)
      .append("}}");
}

TEST_CASE("entries keep their bytes but for the name, and their order") {
  const Said parts[] = {{"crm", page("tools", R"({"name" : "a","x":1.50},{"name":"\u0062"})",
                                     R"(,"nextCursor":"n1")")},
                        {"away", ""},
                        {"kb", page("tools", R"({"inputSchema":{"name":"z"}, "name":"c"})")}};
  Cursors cursors;
  CHECK(merge_lists(mcp::List::kTools, parts, cursors) ==
        R"("tools":[{"name" : "crm__a","x":1.50},{"name":"crm__b"},)"
        R"({"inputSchema":{"name":"z"}, "name":"kb__c"}])");
  CHECK(cursors == Cursors{{"crm", "n1"}});
}

TEST_CASE("what cannot be called is in no list") {
  const std::string longest(1024 - 5, 'x');
  const Said parts[] = {
      {"crm", page("tools", R"({"name":"a","n":1},{"name":"a","n":2},{"name":""},{"name":7},{},[],)"
                            R"({"name":")" +
                                longest + R"("},{"name":"y)" + longest + R"("})")}};
  Cursors cursors;
  CHECK(merge_lists(mcp::List::kTools, parts, cursors) ==
        R"("tools":[{"name":"crm__a","n":1},{"name":"crm__)" + longest + R"("}])");
}

TEST_CASE("resources and templates are named by their upstream's URI") {
  const Said resources[] = {{"crm", page("resources", R"({"uri":"file:///a","name":"n"})")}};
  const Said templates[] = {{"crm", page("resourceTemplates", R"({"uriTemplate":"file:///{p}"})")}};
  Cursors cursors;
  CHECK(merge_lists(mcp::List::kResources, resources, cursors) ==
        R"("resources":[{"uri":"reeve:crm/file:///a","name":"n"}])");
  CHECK(merge_lists(mcp::List::kResourceTemplates, templates, cursors) ==
        R"("resourceTemplates":[{"uriTemplate":"reeve:crm/file:///{p}"}])");
}

TEST_CASE("answers that are no list count as empty ones") {
  Cursors cursors;
  for (const char* text : {"", "[]", "{}", "no", R"({"result":[]})", R"({"result":{"tools":{}}})",
                           R"({"error":{"code":1}})"}) {
    const Said parts[] = {{"crm", text}};
    CHECK(merge_lists(mcp::List::kTools, parts, cursors) == R"("tools":[])");
  }
  CHECK(cursors.empty());
}

TEST_CASE("cursors are read back as they were written, and nothing else is") {
  const Cursors cursors{{"crm", "a\"\n"}, {"kb", ""}};
  CHECK(read_cursors(write_cursors(cursors)) == cursors);
  for (const char* text : {"", "[]", "{}", R"(["crm"])", R"(["crm",1])", R"(["a","b","c"])"}) {
    CHECK_FALSE(read_cursors(text));
  }
}

TEST_CASE("capabilities are what any server has; lists change with the servers") {
  const Introduction parts[] = {{"crm", R"({"tools":{},"logging":{},"tasks":{"x":1}})", ""},
                                {"kb", R"({"resources":{"subscribe":true},"prompts":{}})", ""}};
  CHECK(merge_capabilities(parts, mcp::Era::kLegacy) ==
        R"({"tools":{"listChanged":true},"prompts":{"listChanged":true},)"
        R"("resources":{"listChanged":true,"subscribe":true},"logging":{}})");
  CHECK(merge_capabilities({}, mcp::Era::kModern) == R"({"tools":{"listChanged":true}})");
}

TEST_CASE("instructions say whose they are") {
  const Introduction parts[] = {{"crm", "{}", "Be kind."}, {"kb", "{}", ""}, {"x", "{}", "Do."}};
  CHECK(merge_instructions(parts) ==
        "Server `crm` (names that begin with `crm__`):\nBe kind.\n\n"
        "Server `x` (names that begin with `x__`):\nDo.");
  CHECK(merge_instructions({}).empty());
}

TEST_CASE("of several errors the first is the answer, under the client's id") {
  const Said parts[] = {{"a", ""},
                        {"b", R"({"id":1,"result":{}})"},
                        {"c", R"({"id":7,"error":{"code":-1,"message":"m"}})"}};
  CHECK(first_error(parts, "\"x\"") ==
        R"({"jsonrpc":"2.0","id":"x","error":{"code":-1,"message":"m"}})");
  CHECK(first_error({parts, 2}, "1").empty());
}

}  // namespace
}  // namespace reeve::join
