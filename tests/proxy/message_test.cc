// Which POSTs become a message, which are refused and how: the table of proxy/mcp/README.md
// row by row.
#include "proxy/mcp/message.h"

#include <catch2/catch.hpp>
#include <vector>

#include "proxy/mcp/header_value.h"

namespace reeve::mcp {
namespace {

using HeaderList = std::vector<http::Field>;

http::Fields fields_of(HeaderList list) {
  http::Fields fields;
  fields.list = std::move(list);
  return fields;
}

const HeaderList kSession = {{"Mcp-Session-Id", "s-1"}, {"MCP-Protocol-Version", "2025-11-25"}};

HeaderList modern(std::string_view method, std::string_view name = {}) {
  HeaderList list = {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", method}};
  if (!name.empty()) list.push_back({"Mcp-Name", name});
  return list;
}

const std::string kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";

std::string modern_call(std::string_view params) {
  return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{)" + std::string(params) + "," +
         kMeta + "}}";
}

struct Refused {
  std::string body;
  int code;
  std::string id = "null";
  HeaderList headers = kSession;
};

void check_refused(const std::vector<Refused>& rows) {
  Reader reader;
  for (const Refused& row : rows) {
    INFO(row.body);
    CHECK_FALSE(reader.read(row.body, fields_of(row.headers)));
    CHECK(reader.refusal().http_status == 400);
    CHECK(reader.refusal().code == row.code);
    CHECK(reader.refusal().id == row.id);
    CHECK_FALSE(reader.refusal().message.empty());
  }
}

std::string call_named(std::string_view name_json) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":)" +
         std::string(name_json) + "}}";
}

std::string ping_with_id(std::string_view id) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":"ping"})";
}

TEST_CASE("not strict JSON: -32700 with id null") {
  check_refused({
      {"", -32700},
      {"{", -32700},
      {"\xEF\xBB\xBF" + ping_with_id("1"), -32700},
      {std::string("{\0\"\0}\0", 6), -32700},
      {"\xff\xfe{", -32700},
      {ping_with_id("NaN"), -32700},
      {ping_with_id("01"), -32700},
      {ping_with_id("1") + ping_with_id("2"), -32700},
      {ping_with_id("1") + "x", -32700},
      {ping_with_id("1") + "//", -32700},
      {call_named("\"\\ud800\""), -32700},
      {call_named("\"\xff\""), -32700},
      {call_named("\"a\nb\""), -32700},
      {R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})", -32700},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"})", -32700},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}})",
       -32700},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}})",
       -32700},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":{"k":1,"k":2}}}})",
       -32700},
      {std::string(10'000, '['), -32700},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":)" +
           std::string(200, '[') + std::string(200, ']') + "}}",
       -32700},
  });
}

TEST_CASE("batches, wrong shapes and bad ids: -32600") {
  check_refused({
      {"[]", -32600},
      {"[" + ping_with_id("1") + "]", -32600},
      {"[" + ping_with_id("1") + "," + call_named("\"x\"") + "]", -32600},
      {"null", -32600},
      {"\"ping\"", -32600},
      {"1", -32600},
      {"{}", -32600},
      {R"({"id":1,"method":"ping"})", -32600, "1"},
      {R"({"jsonrpc":"1.0","id":1,"method":"ping"})", -32600, "1"},
      {R"({"jsonrpc":2.0,"id":1,"method":"ping"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":7})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":null})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":""})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call\u0000"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(257, 'm') + "\"}", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":null})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","error":{}})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})", -32600, "1"},
      {R"({"jsonrpc":"2.0","result":{}})", -32600},
      {R"({"jsonrpc":"2.0","id":1,"result":{},"params":{}})", -32600, "1"},
      {ping_with_id("null"), -32600},
      {ping_with_id("true"), -32600},
      {ping_with_id("{}"), -32600},
      {ping_with_id("[1]"), -32600},
      {ping_with_id("1.5"), -32600},
      {ping_with_id("1.0"), -32600},
      {ping_with_id("1e3"), -32600},
      {ping_with_id("-0"), -32600},
      {ping_with_id("9007199254740992"), -32600},
      {ping_with_id("-9007199254740992"), -32600},
      {ping_with_id("12345678901234567890123"), -32600},
      {ping_with_id('"' + std::string(4095, 'x') + '"'), -32600},
  });
}

TEST_CASE("ids are echoed as sent") {
  Reader reader;
  for (const std::string& id :
       {std::string("0"), std::string("-7"), std::string("9007199254740991"),
        std::string("-9007199254740991"), std::string("\"\""), std::string(R"("ключ-\"\\/")"),
        std::string(R"("\u0061")"), '"' + std::string(4094, 'x') + '"'}) {
    INFO(id);
    const std::string body = ping_with_id(id);
    REQUIRE(reader.read(body, fields_of(kSession)));
    CHECK(reader.message().id == id);
    CHECK(reader.message().shape == Shape::kRequest);
  }
}

TEST_CASE("keys that equal a protocol member but for case: -32600") {
  check_refused({
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"METHOD":"tools/call"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","M\u0065thod":"x"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"Id":2,"method":"ping"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}})", -32600, "1"},
      {R"({"jsonrpc":"2.0","JSONRPC":"2.0","id":1,"method":"ping"})", -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}})", -32600,
       "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Arguments":{}}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","argument\u017f":{}}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_Meta":{}}})", -32600,
       "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b","URI":"c:d"}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a","ta\u017fkid":"b"}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","NAME":"b"}}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"2026-07-28"}}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"ResourceSubscriptions":[]}}})",
       -32600, "1"},
  });
  Reader reader;
  const std::string other =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","X":1,"params":{"name":"a","x-Vendor":{"Name":1},"arguments":{"Name":"n","name":"m"}}})";
  CHECK(reader.read(other, fields_of(kSession)));
}

TEST_CASE("notifications carry no calls, and calls are no notifications: -32600") {
  check_refused({
      {R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}})", -32600},
      {R"({"jsonrpc":"2.0","method":"initialize","params":{}})", -32600},
      {R"({"jsonrpc":"2.0","method":"ping"})", -32600},
      {R"({"jsonrpc":"2.0","id":3,"method":"notifications/initialized"})", -32600, "3"},
  });
  Reader reader;
  const std::string body =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}})";
  REQUIRE(reader.read(body, fields_of(kSession)));
  CHECK(reader.message().shape == Shape::kNotification);
  CHECK(reader.message().id.empty());
  CHECK_FALSE(reader.message().id_value);
}

TEST_CASE("names that cannot be judged are refused") {
  check_refused({
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})", -32602, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})", -32602, "1"},
      {call_named("7"), -32602, "1"},
      {call_named("null"), -32602, "1"},
      {call_named("[\"a\"]"), -32602, "1"},
      {call_named("\"\""), -32602, "1"},
      {call_named('"' + std::string(1025, 'n') + '"'), -32602, "1"},
      {call_named(R"("read\u0000")"), -32600, "1"},
      {call_named(R"("read\n")"), -32600, "1"},
      {call_named(R"("\u001b[2Jread")"), -32600, "1"},
      {call_named(R"("read\u007f")"), -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///\u0000"}})",
       -32600, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":")" +
           std::string(8193, 'u') + "\"}}",
       -32602, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{}})", -32602, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"uri":"x"}})", -32602, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[]}})",
       -32602, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":"{}"}})",
       -32602, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":[]}})", -32602,
       "1"},
  });
}

TEST_CASE("targets are unescaped and otherwise exact") {
  struct Row {
    std::string method, params, target;
  };
  const Row rows[] = {
      {"tools/call", R"({"name":"echo"})", "echo"},
      {"tools\\u002fcall", R"({"name":"\u0065cho"})", "echo"},
      {"tools/call", R"({"name":"Echo"})", "Echo"},
      {"tools/call", R"({"name":" echo "})", " echo "},
      {"tools/call", R"({"name":"еcho"})", "еcho"},  // Cyrillic
      {"prompts/get", R"({"name":"p"})", "p"},
      {"resources/read", R"({"uri":"file:///a/../b"})", "file:///a/../b"},
      {"resources/subscribe", R"({"uri":"x:y"})", "x:y"},
      {"resources/unsubscribe", R"({"uri":"x:y"})", "x:y"},
      {"tasks/get", R"({"taskId":"t"})", "t"},
      {"tasks/result", R"({"taskId":"t"})", "t"},
      {"tasks/list", R"({"taskId":"t"})", ""},
      {"completion/complete", R"({"ref":{"type":"ref/prompt","name":"p"}})", ""},
      {"tools/list", R"({"name":"echo"})", ""},
      {"Tools/Call", R"({"name":"echo"})", ""},
  };
  Reader reader;
  for (const Row& row : rows) {
    const std::string body =
        R"({"jsonrpc":"2.0","id":1,"method":")" + row.method + R"(","params":)" + row.params + "}";
    INFO(body);
    REQUIRE(reader.read(body, fields_of(kSession)));
    CHECK(reader.message().target == row.target);
    const bool escaped = row.method.find('\\') != std::string::npos;
    CHECK(reader.message().method == (escaped ? "tools/call" : row.method));
    CHECK(reader.message().params->raw() == row.params);
  }
}

TEST_CASE("arguments keep their bytes; null counts as absent") {
  Reader reader;
  const std::string body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments": {"big":12345678901234567890,"s":"\u0000"} ,"arg":1}})";
  REQUIRE(reader.read(body, fields_of(kSession)));
  REQUIRE(reader.message().arguments);
  CHECK(reader.message().arguments->raw() == R"({"big":12345678901234567890,"s":"\u0000"})");
  const std::string none =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":null}})";
  REQUIRE(reader.read(none, fields_of(kSession)));
  CHECK_FALSE(reader.message().arguments);
}

TEST_CASE("the era of a request") {
  const std::string list = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
  const std::string modern_list =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{)" + kMeta + "}}";
  const std::string capable =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}})";
  const std::string info =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientInfo":{}}}})";
  const std::string initialize =
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})";
  struct Row {
    std::string body;
    HeaderList headers;
    Era era;
  };
  const Row rows[] = {
      {initialize, {}, Era::kLegacy},
      {initialize, {{"MCP-Protocol-Version", "2026-07-28"}}, Era::kLegacy},
      {list, {}, Era::kLegacy},
      {list, kSession, Era::kLegacy},
      {list, {{"MCP-Protocol-Version", "2025-03-26"}}, Era::kLegacy},
      {list, {{"mcp-session-id", "s"}, {"MCP-Protocol-Version", "1999-01-01"}}, Era::kLegacy},
      {info, kSession, Era::kLegacy},
      {capable, kSession, Era::kLegacy},
      {modern_list, modern("tools/list"), Era::kModern},
      {capable, {{"Mcp-Method", "tools/list"}}, Era::kModern},
      {list, modern("tools/list"), Era::kModern},
      {list, {{"mcp-protocol-version", "2027-01-01"}, {"mcp-method", "tools/list"}}, Era::kModern},
      {R"({"jsonrpc":"2.0","method":"notifications/x"})",
       {{"MCP-Protocol-Version", "2026-07-28"}},
       Era::kModern},
  };
  Reader reader;
  for (const Row& row : rows) {
    INFO(row.body);
    CHECK(reader.read(row.body, fields_of(row.headers)));
    CHECK(reader.message().era == row.era);
  }
}

TEST_CASE("a client's responses: legacy only") {
  Reader reader;
  for (const std::string& body :
       {R"({"jsonrpc":"2.0","id":"srv-1","result":{}})",
        R"({"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}})"}) {
    REQUIRE(reader.read(body, fields_of(kSession)));
    CHECK(reader.message().shape == Shape::kResponse);
    CHECK(reader.message().method.empty());
    CHECK_FALSE(reader.read(body, fields_of({{"MCP-Protocol-Version", "2026-07-28"}})));
    CHECK(reader.refusal().code == -32600);
  }
}

TEST_CASE("mirrored headers, 2026-07-28: -32020") {
  const std::string call = modern_call(R"("name":"greet")");
  check_refused({
      {call, -32020, "7", {}},
      {call, -32020, "7", {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Name", "greet"}}},
      {call, -32020, "7", {{"Mcp-Method", "tools/call"}, {"Mcp-Name", "greet"}}},
      {call, -32020, "7", modern("tools/call")},
      {call, -32020, "7", modern("tools/list", "greet")},
      {call, -32020, "7", modern("TOOLS/CALL", "greet")},
      {call, -32020, "7", modern("tools/call", "Greet")},
      {call, -32020, "7", modern("tools/call", "side_effect")},
      {call, -32020, "7", modern("tools/call", "=?base64?!!!!?=")},
      {call, -32020, "7", modern("tools/call", "=?base64?Z3JlZXQ?=")},
      {call, -32020, "7", modern("tools/call", "=?base64?c2lkZQ==?=")},
      {call, -32020, "7", modern("tools/call", "greet, greet")},
      {call,
       -32020,
       "7",
       {{"MCP-Protocol-Version", "2025-11-25"},
        {"Mcp-Method", "tools/call"},
        {"Mcp-Name", "greet"}}},
      {call,
       -32020,
       "7",
       {{"MCP-Protocol-Version", "2026-07-28"},
        {"Mcp-Method", "tools/call"},
        {"mcp-method", "tools/call"},
        {"Mcp-Name", "greet"}}},
      {call,
       -32020,
       "7",
       {{"MCP-Protocol-Version", "2026-07-28"},
        {"Mcp-Method", "tools/call"},
        {"Mcp-Name", "greet"},
        {"MCP-NAME", "other"}}},
      {call,
       -32020,
       "7",
       {{"MCP-Protocol-Version", "2026-07-28"},
        {"Mcp-Method", "tools/call"},
        {"Mcp-Name", "greet"},
        {"Mcp-Param-Region", "a"},
        {"mcp-param-region", "b"}}},
      {R"({"jsonrpc":"2.0","method":"notifications/cancelled"})", -32020, "null",
       modern("tools/call")},
      {R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}})",
       -32602, "7", modern("tools/list")},
      // Two session ids: no reader knows which.
      {ping_with_id("7"), -32600, "7", {{"Mcp-Session-Id", "a"}, {"mcp-session-id", "a"}}},
      {ping_with_id("7"),
       -32020,
       "7",
       {{"Mcp-Session-Id", "a"},
        {"MCP-Protocol-Version", "2025-11-25"},
        {"MCP-Protocol-Version", "2025-11-25"}}},
  });
}

TEST_CASE("mirrored headers that say what the body says pass") {
  struct Row {
    std::string body;
    HeaderList headers;
  };
  const std::string resource =
      R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"test://ключ",)" +
      kMeta + "}}";
  const std::string task =
      R"({"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"taskId":"t-1",)" + kMeta + "}}";
  const std::string dropped =
      R"({"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{)" + kMeta + "}}";
  const Row rows[] = {
      {modern_call(R"("name":"greet")"), modern("tools/call", "greet")},
      {modern_call(R"("name":"gr\u0065et")"), modern("tools/call", "  greet  ")},
      {modern_call(R"("name":"greet")"), modern("tools/call", "=?base64?Z3JlZXQ=?=")},
      {modern_call(R"("name":"greet")"),
       {{"mcp-PROTOCOL-version", "2026-07-28"},
        {"MCP-METHOD", "tools/call"},
        {"mcp-name", "greet"}}},
      {modern_call(R"("name":"=?base64?Z3JlZXQ=?=")"),
       modern("tools/call", "=?base64?PT9iYXNlNjQ/WjNKbFpYUT0/PQ==?=")},
      {resource, modern("resources/read", "=?base64?dGVzdDovL9C60LvRjtGH?=")},
      {task, modern("tasks/cancel", "t-1")},
      // Left to the upstream: a dropped method, an unsupported version, a missing _meta.
      {dropped, modern("resources/subscribe")},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1900-01-01"}}})",
       {{"MCP-Protocol-Version", "1900-01-01"}, {"Mcp-Method", "tools/list"}}},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}})", modern("tools/list")},
      // Legacy messages are not compared: their headers mean nothing there.
      {call_named("\"greet\""),
       {{"Mcp-Session-Id", "s"}, {"Mcp-Method", "x"}, {"Mcp-Name", "side_effect"}}},
  };
  Reader reader;
  for (const Row& row : rows) {
    INFO(row.body);
    CHECK(reader.read(row.body, fields_of(row.headers)));
    INFO(reader.refusal().message);
  }
}

TEST_CASE("content type and encoding: 415") {
  struct Row {
    HeaderList headers;
    bool accepted;
  };
  const Row rows[] = {
      {{{"Content-Type", "application/json"}}, true},
      {{{"content-type", "Application/JSON; charset=UTF-8"}}, true},
      {{{"content-type", "application/json ; charset=\"utf-8\" ; x=y"}}, true},
      {{{"content-type", "application/json;"}}, true},
      {{}, false},
      {{{"content-type", ""}}, false},
      {{{"content-type", "text/plain"}}, false},
      {{{"content-type", "application/jsonx"}}, false},
      {{{"content-type", "application/json-rpc"}}, false},
      {{{"content-type", "application/json, text/plain"}}, false},
      {{{"content-type", "text/plain;application/json"}}, false},
      {{{"content-type", "application/x-www-form-urlencoded"}}, false},
      {{{"content-type", "application/json; charset=utf-16"}}, false},
      {{{"content-type", "application/json; charset=iso-8859-1"}}, false},
      {{{"content-type", "application/json; charset"}}, false},
      {{{"content-type", "application/json"}, {"content-type", "application/json"}}, false},
      {{{"content-type", "application/json"}, {"Content-Encoding", "gzip"}}, false},
      {{{"content-type", "application/json"}, {"Content-Encoding", "identity"}}, false},
      {{{"content-type", "application/json"}, {"Content-Encoding", ""}}, false},
  };
  for (const Row& row : rows) {
    INFO((row.headers.empty() ? "" : row.headers.front().value));
    const auto refusal = Reader::check_post_fields(fields_of(row.headers));
    CHECK(!refusal == row.accepted);
    if (!refusal) continue;
    CHECK(refusal->http_status == 415);
    CHECK(refusal->code == -32600);
  }
}

TEST_CASE("an id is the same id however it is written") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"1", "1"},         {"1.0", "1"},
      {"-7", "-7"},       {"9007199254740991", "9007199254740991"},
      {"\"1\"", "\"1\""}, {R"("\u0061\/")", "\"a/\""},
      {"\"\"", "\"\""},   {"9007199254740992", ""},
      {"1.5", ""},        {"null", ""},
      {"true", ""},       {"[1]", ""},
  };
  json::Parser parser;
  for (const auto& [id, key] : rows) CHECK(id_key(*parser.parse(id)) == key);
}

TEST_CASE("a reader forgets the message before") {
  Reader reader;
  const std::string call = modern_call(R"("name":"greet","arguments":{"a":1})");
  REQUIRE(reader.read(call, fields_of(modern("tools/call", "greet"))));
  reader.trim(0);
  const std::string ping = ping_with_id("\"p\"");
  REQUIRE(reader.read(ping, fields_of(kSession)));
  CHECK(reader.message().era == Era::kLegacy);
  CHECK_FALSE(reader.message().params);
  CHECK_FALSE(reader.message().arguments);
  CHECK(reader.message().target.empty());
  CHECK_FALSE(reader.read("[]", fields_of(kSession)));
  CHECK(reader.refusal().id == "null");
}

TEST_CASE("base64 is read in one way only") {
  const std::pair<std::string_view, std::string_view> valid[] = {{"", ""},
                                                                 {"Zg==", "f"},
                                                                 {"Zm8=", "fo"},
                                                                 {"Zm9v", "foo"},
                                                                 {"Zm9vYg==", "foob"},
                                                                 {"Zm9vYmE=", "fooba"},
                                                                 {"+/+/", "\xfb\xff\xbf"}};
  std::string out;
  for (const auto& [text, decoded] : valid) {
    CHECK(decode_base64(text, out));
    CHECK(out == decoded);
  }
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zh==", "Zm9=",
                                      "Zm 9v", "Zm9v\n", "-_-_", "=Zg=", "Zg==Zg=="}) {
    INFO(text);
    CHECK_FALSE(decode_base64(text, out));
  }
}

}  // namespace
}  // namespace reeve::mcp
