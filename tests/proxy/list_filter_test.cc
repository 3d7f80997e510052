// Lists without what an agent may not see: which messages change, how, and that nothing else does.
#include "proxy/mcp/list_filter.h"

#include <catch2/catch.hpp>

namespace reeve::mcp {
namespace {

// Hides every name that begins with "hidden", in every list.
bool visible(List, std::string_view name) { return !name.starts_with("hidden"); }

std::string response(std::string_view result) {
  return R"({"jsonrpc":"2.0","id":1,"result":)" + std::string(result) + "}";
}

TEST_CASE("hidden entries are cut out, other bytes stay") {
  struct Row {
    std::string result, expected;  // empty: unchanged
  };
  const Row rows[] = {
      {R"({"tools":[]})", ""},
      {R"({"tools":[{"name":"a"}]})", ""},
      {R"({"tools":[{"name":"hidden"}]})", R"({"tools":[]})"},
      {R"({"tools":[{"name":"hidden"},{"name":"a"}]})", R"({"tools":[{"name":"a"}]})"},
      {R"({"tools":[{"name":"a"},{"name":"hidden"}]})", R"({"tools":[{"name":"a"}]})"},
      {R"({"tools":[{"name":"a"},{"name":"hidden"},{"name":"b"}]})",
       R"({"tools":[{"name":"a"},{"name":"b"}]})"},
      {R"({"tools":[{"name":"hidden1"},{"name":"hidden2"},{"name":"b"},{"name":"hidden3"}]})",
       R"({"tools":[{"name":"b"}]})"},
      {R"({"tools":[{"name":"hidden1"},{"name":"hidden2"}],"nextCursor":"c-2"})",
       R"({"tools":[],"nextCursor":"c-2"})"},
      {R"({"tools":[{"name":"\u0068idden"},{"name":"a"}]})", R"({"tools":[{"name":"a"}]})"},
      {R"({"t\u006fols":[{"n\u0061me":"hidden"}]})", R"({"t\u006fols":[]})"},
      {"{ \"tools\" : [ {\"name\":\"a\"} ,\n {\"name\":\"hidden\"} ,\n {\"name\":\"b\"} ] }",
       "{ \"tools\" : [ {\"name\":\"a\"} ,\n {\"name\":\"b\"} ] }"},
      {"{ \"tools\" : [ {\"name\":\"hidden\"} ,\n {\"name\":\"b\"} ] }",
       "{ \"tools\" : [{\"name\":\"b\"} ] }"},
      {R"({"tools":[{"name":"a","x":1.50,"y":"\u00e9"},{"name":"hidden"}],"_meta":{"k":12345678901234567890}})",
       R"({"tools":[{"name":"a","x":1.50,"y":"\u00e9"}],"_meta":{"k":12345678901234567890}})"},
      {R"({"resources":[{"uri":"hidden:x","name":"a"},{"uri":"x","name":"hidden"}]})",
       R"({"resources":[{"uri":"x","name":"hidden"}]})"},
      {R"({"resourceTemplates":[{"uriTemplate":"hidden/{id}","name":"a"}]})",
       R"({"resourceTemplates":[]})"},
      {R"({"prompts":[{"name":"hidden"},{"name":"p"}]})", R"({"prompts":[{"name":"p"}]})"},
      {R"({"prompts":[{"name":"hidden"}],"tools":[{"name":"b"},{"name":"hidden"}]})",
       R"({"prompts":[],"tools":[{"name":"b"}]})"},
      // A name that some readers would read otherwise is not shown.
      {R"({"tools":[{"name":"a","Name":"hidden"},{"name":"b"}]})", R"({"tools":[{"name":"b"}]})"},
      {R"({"tasks":[{"taskId":"hidden"},{"taskId":"t"}]})", R"({"tasks":[{"taskId":"t"}]})"},
      // What a task came to.
      {R"({"taskId":"hidden","result":{"tools":[{"name":"a"},{"name":"hidden"}]}})",
       R"({"taskId":"hidden","result":{"tools":[{"name":"a"}]}})"},
      {R"({"result":{"content":[{"name":"hidden"}]}})", ""},
      {R"({"result":"hidden"})", ""},
      // Not lists.
      {R"({"tools":{"name":"hidden"}})", ""},
      {R"({"tools":"hidden"})", ""},
      {R"({"contents":[{"uri":"hidden","text":"x"}]})", ""},
      {R"({"structuredContent":{"tools":[{"name":"hidden"}]}})", ""},
      {R"({"_meta":{"tools":[{"name":"hidden"}]}})", ""},
      // A tool's result: entries that name what is hidden go, the rest is no list and stays.
      {R"({"content":[],"tools":["hidden",1,{"id":2},{"name":"hidden"}]})",
       R"({"content":[],"tools":["hidden",1,{"id":2}]})"},
  };
  json::Parser parser;
  for (const Row& row : rows) {
    INFO(row.result);
    std::string out = "untouched";
    const Filtered filtered = filter_message(parser, response(row.result), visible, out);
    if (row.expected.empty()) {
      CHECK(filtered == Filtered::kUnchanged);
      CHECK(out == "untouched");
    } else {
      CHECK(filtered == Filtered::kChanged);
      CHECK(out == response(row.expected));
      CHECK(parser.parse(out));
    }
  }
}

TEST_CASE("a list leaves as private") {
  const std::pair<std::string, std::string> rows[] = {
      {R"({"tools":[{"name":"a"}],"ttlMs":0,"cacheScope":"public"})",
       R"({"tools":[{"name":"a"}],"ttlMs":0,"cacheScope":"private"})"},
      {R"({"cacheScope":"public","tools":[{"name":"hidden"}]})",
       R"({"cacheScope":"private","tools":[]})"},
      {R"({"tools":[],"cacheScope":{"x":1},"ttlMs":1})",
       R"({"tools":[],"cacheScope":"private","ttlMs":1})"},
      {R"({"tools":[],"ttlMs":60000})", R"({"tools":[],"ttlMs":60000,"cacheScope":"private"})"},
      {R"({"ttlMs":60000 ,"tools":[{"name":"hidden"}] })",
       R"({"ttlMs":60000 ,"tools":[] ,"cacheScope":"private"})"},
  };
  json::Parser parser;
  for (const auto& [result, expected] : rows) {
    INFO(result);
    std::string out;
    CHECK(filter_message(parser, response(result), visible, out) == Filtered::kChanged);
    CHECK(out == response(expected));
  }
  std::string out;
  for (const std::string_view result : {R"({"tools":[],"ttlMs":1,"cacheScope":"private"})",
                                        R"({"contents":[],"ttlMs":1,"cacheScope":"public"})"}) {
    CHECK(filter_message(parser, response(result), visible, out) == Filtered::kUnchanged);
  }
}

TEST_CASE("messages that are no lists pass, whatever they are") {
  json::Parser parser;
  std::string out;
  for (
      const std::string_view message :
      {R"({"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{"name":"hidden"}]}})",
       R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x","data":{"tools":[]}}})",
       R"({"jsonrpc":"2.0","id":1,"result":null})", R"({"jsonrpc":"2.0","id":1,"result":[]})",
       R"({"jsonrpc":"2.0","id":"srv","method":"roots/list"})", "{}"}) {
    INFO(message);
    CHECK(filter_message(parser, message, visible, out) == Filtered::kUnchanged);
  }
  CHECK(filter_message(parser, R"({"params":{"result":{"tools":[{"name":"hidden"}]}}})", visible,
                       out) == Filtered::kChanged);
  CHECK(out == R"({"params":{"result":{"tools":[]}}})");
  CHECK(filter_message(parser, response(R"({"tools":[],"result":{"tools":[]}})"), visible, out) ==
        Filtered::kInvalid);
  // The shape decides, not what the message says it is.
  CHECK(filter_message(parser, R"({"method":"x","result":{"tools":[{"name":"hidden"}]}})", visible,
                       out) == Filtered::kChanged);
  CHECK(out == R"({"method":"x","result":{"tools":[]}})");
}

TEST_CASE("what cannot be judged is not forwarded") {
  json::Parser parser;
  std::string out = "untouched";
  for (const std::string& message :
       {std::string(""), std::string("{"), std::string("null"), std::string("[]"),
        "[" + response(R"({"tools":[{"name":"hidden"}]})") + "]",
        response(R"({"tools":[{"name":"a","name":"hidden"}]})"),
        response(R"({"tools":[],"tools":[{"name":"hidden"}]})"),
        response(R"({"tools":[{"title":"a"}]})"), response(R"({"tools":[{"name":7}]})"),
        response(R"({"tools":["a"]})"), response(R"({"resources":[{"name":"a"}]})"),
        response(R"({"Tools":[{"name":"hidden"}]})"),
        response(R"({"tools":[],"re\u017fources":[]})"),
        std::string(R"({"id":1,"Result":{"tools":[{"name":"hidden"}]}})"),
        response("{\"tools\":[{\"name\":\"\xff\"}]}"),
        response(R"({"tools":[{"name":"a"}]})") + response("{}")}) {
    INFO(message);
    CHECK(filter_message(parser, message, visible, out) == Filtered::kInvalid);
    CHECK(out == "untouched");
  }
}

TEST_CASE("each list asks for its own kind") {
  json::Parser parser;
  std::string out, asked;
  const Visible ask = [&asked](List list, std::string_view name) {
    asked += std::to_string(static_cast<int>(list)) + ':' + std::string(name) + ' ';
    return true;
  };
  filter_message(parser,
                 response(R"({"tools":[{"name":"t"}],"resources":[{"uri":"r"}],)"
                          R"("resourceTemplates":[{"uriTemplate":"u"}],"prompts":[{"name":"p"}]})"),
                 ask, out);
  CHECK(asked == "0:t 1:r 2:u 3:p ");

  const std::pair<std::string_view, List> methods[] = {
      {"tools/list", List::kTools},
      {"resources/list", List::kResources},
      {"resources/templates/list", List::kResourceTemplates},
      {"prompts/list", List::kPrompts}};
  for (const auto& [method, expected] : methods) {
    List list = List::kTools;
    CHECK(list_of_method(method, list));
    CHECK(list == expected);
  }
  List list;
  CHECK_FALSE(list_of_method("tools/call", list));
  CHECK_FALSE(list_of_method("Tools/List", list));
}

TEST_CASE("every subset of a list comes out as if it had been written so") {
  json::Parser parser;
  for (unsigned mask = 0; mask < 64; ++mask) {
    std::string all = "{\"tools\":[", kept = all;
    for (int i = 0; i < 6; ++i) {
      const std::string entry = "{\"name\":\"t" + std::to_string(i) + "\"}";
      if (i > 0) all += ',';
      all += entry;
      if ((mask >> i & 1) == 0) continue;
      if (kept.back() != '[') kept += ',';
      kept += entry;
    }
    std::string out = response(all + "]}");
    const auto in_mask = [mask](List, std::string_view name) {
      return (mask >> (name.back() - '0') & 1) == 1;
    };
    filter_message(parser, response(all + "]}"), in_mask, out);
    CHECK(out == response(kept + "]}"));
  }
}

// Hides tool `b`, and instructions that begin with "evil"; tells what it was shown.
class Watcher : public Onlooker {
 public:
  void sees_result(const json::Value& result) override {
    seen += "<" + std::to_string(result.size()) + ">";
  }
  bool keeps(List list, std::string_view name, const json::Value& entry) override {
    seen +=
        std::string(name) + std::to_string(static_cast<int>(list)) + (entry.find("x") ? "x" : "");
    return name != "b";
  }
  bool keeps_instructions(const json::Value& value) override {
    std::string scratch;
    seen += "i";
    return value.is_string() && !value.text(scratch).starts_with("evil");
  }
  std::string seen;
};

TEST_CASE("an onlooker sees every entry with a name, and hides what it will") {
  struct Row {
    const char *result, *expected;  // null: unchanged
    const char* seen;
  };
  const Row rows[] = {
      {R"({"tools":[{"name":"a","x":1},{"name":"b"},{"name":"hidden"}]})",
       R"({"tools":[{"name":"a","x":1}]})", "<1>a0xb0hidden0"},
      {R"({"tools":[{"name":"b","Name":"a"}]})", R"({"tools":[]})", "<1>b0"},
      {R"({"prompts":[{"name":"b"}],"resources":[{"uri":"u"}]})",
       R"({"prompts":[],"resources":[{"uri":"u"}]})", "<2>b3u1"},
      {R"({"content":[],"tools":[{"x":1},{"name":"a"}]})", nullptr, "<2>a0"},
      {R"({"instructions":"good","ttlMs":5,"cacheScope":"public"})", nullptr, "<3>i"},
      {R"({"ttlMs":5,"instructions":"evil\u0021","serverInfo":{}})",
       R"({"ttlMs":5,"instructions":"","serverInfo":{}})", "<3>i"},
      {R"({"instructions":7})", R"({"instructions":""})", "<1>i"},
      {R"({"instructions":"evil","tools":[{"name":"b"}]})", R"({"instructions":"","tools":[]})",
       "<2>ib0"},
      {R"({"serverInfo":{"instructions":"evil"}})", nullptr, ""},
      {R"([])", nullptr, ""},
  };
  json::Parser parser;
  for (const Row& row : rows) {
    CAPTURE(row.result);
    Watcher watcher;
    std::string out;
    const std::string message = response(row.result);
    const Filtered filtered = filter_message(parser, message, visible, out, &watcher);
    CHECK(filtered == (row.expected ? Filtered::kChanged : Filtered::kUnchanged));
    if (row.expected) CHECK(out == response(row.expected));
    CHECK(watcher.seen == row.seen);
  }
  Watcher watcher;
  std::string out;
  const std::string twice = response(R"({"instructions":"good","Instructions":"evil"})");
  CHECK(filter_message(parser, twice, visible, out, &watcher) == Filtered::kInvalid);
  CHECK(filter_message(parser, twice, visible, out) == Filtered::kUnchanged);
}

}  // namespace
}  // namespace reeve::mcp
