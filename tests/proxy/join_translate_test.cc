// Messages between a client and one upstream: what is exchanged, what is dropped, what stays.
#include <catch2/catch.hpp>

#include "proxy/http/message.h"
#include "proxy/join/translate.h"

namespace reeve::join {
namespace {

const Seal& seal() {
  static const Seal kSeal;
  return kSeal;
}

// What the upstream gets of a client's message.
std::string sent(const Translator& translator, std::string_view body, std::string_view name,
                 std::string_view id = {}) {
  http::Fields fields;
  mcp::Reader reader;
  REQUIRE(reader.read(body, fields));
  return translator.request(body, reader.message(), name, id);
}

// What the client gets of an upstream's; "-" where that is nothing.
std::string got(Translator& translator, std::string_view text) {
  json::Parser parser;
  std::string out;
  switch (translator.message(parser, text, out)) {
    case Fate::kSame:
      return std::string(text);
    case Fate::kChanged:
      return out;
    case Fate::kDrop:
      break;
  }
  return "-";
}

std::string value_at(const std::string& text, std::string_view object, std::string_view key) {
  json::Parser parser;
  const auto root = parser.parse(text);
  const auto inner = object.empty() ? root : member(root, object);
  return text_of(member(inner, key));
}

TEST_CASE("a name goes out as the upstream's own, and every other byte as it came") {
  const Translator translator(seal(), "jordan", "crm");
  CHECK(
      sent(
          translator,
          R"({ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm__\u0061","uri":"u",)"
          R"("arguments":{"name":"crm__a","n":1.50}} })",
          "a") ==
      R"({ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","uri":"u",)"
      R"("arguments":{"name":"crm__a","n":1.50}} })");
  CHECK(sent(translator,
             R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"reeve:crm/x"}})",
             "x") == R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x"}})");
  CHECK(sent(translator,
             R"({"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":)"
             R"({"type":"ref/prompt","name":"crm__p"},"argument":{"name":"a","value":""}}})",
             "p") == R"({"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":)"
                     R"({"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""}}})");
}

TEST_CASE("a progress token comes back from its upstream alone") {
  Translator crm(seal(), "jordan", "crm"), kb(seal(), "jordan", "kb"),
      robin(seal(), "robin", "crm");
  const std::string out = sent(crm,
                               R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)"
                               R"({"name":"crm__a","_meta":{"progressToken":0}}})",
                               "a");
  json::Parser parser;
  const std::string token =
      text_of(member(member(member(parser.parse(out), "params"), "_meta"), "progressToken"));
  REQUIRE_FALSE(token.empty());
  const auto progress = [](const std::string& raw) {
    return R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)" +
           raw + R"(,"progress":1}})";
  };
  const std::string own = progress("\"" + token + "\"");
  CHECK(got(crm, own) == progress("0"));
  CHECK(got(kb, own) == "-");
  CHECK(got(robin, own) == "-");
  CHECK(got(crm, progress("0")) == "-");
  CHECK(got(crm, progress("\"x\"")) == "-");
}

TEST_CASE("only the answer that was asked for is one") {
  const std::string answer = R"({"jsonrpc":"2.0","id":3,"result":{}})";
  Translator translator(seal(), "jordan", "crm");
  CHECK(got(translator, answer) == "-");  // nothing was asked
  translator.expect("3");
  for (const char* other :
       {R"({"jsonrpc":"2.0","id":4,"result":{}})", R"({"jsonrpc":"2.0","id":"3","result":{}})",
        R"({"jsonrpc":"2.0","result":{}})", R"({"jsonrpc":"2.0","id":null,"error":{}})",
        R"({"jsonrpc":"2.0","id":3})", R"({"jsonrpc":"2.0","id":3,"result":{},"error":{}})",
        R"({"jsonrpc":"2.0","id":3,"method":"ping","result":{}})",
        R"({"jsonrpc":"2.0","id":3,"Method":"ping","result":{}})",
        R"({"jsonrpc":"2.0","id":3,"id":3,"result":{}})",
        R"([{"jsonrpc":"2.0","id":3,"result":{}}])", "no", ""}) {
    INFO(other);
    CHECK(got(translator, other) == "-");
  }
  CHECK_FALSE(translator.answered());
  CHECK(got(translator, answer) == answer);
  CHECK(translator.answered());
  CHECK(got(translator, answer) == "-");  // a second one
}

TEST_CASE("a server's request gets an id that only its client can bring back") {
  Translator crm(seal(), "jordan\ns1", "crm");
  const std::string shown = got(
      crm,
      R"({"jsonrpc":"2.0","id":7,"method":"roots/list","params":{"_meta":{"progressToken":"t"}}})");
  const std::string id = value_at(shown, "", "id");
  json::Parser parser;
  const auto open = [&](std::string_view holder) {
    const std::string quoted = "\"" + id + "\"";
    return open_sealed(seal(), Purpose::kRequest, holder, parser.parse(quoted));
  };
  REQUIRE(open("jordan\ns1"));
  CHECK(open("jordan\ns1")->upstream == "crm");
  CHECK(open("jordan\ns1")->raw == "7");
  CHECK_FALSE(open("jordan\ns2"));
  CHECK(shown.find("\"t\"") == std::string::npos);
  crm.refuse_requests();
  CHECK(got(crm, R"({"jsonrpc":"2.0","id":7,"method":"roots/list"})") == "-");
}

TEST_CASE("notifications pass, those with an id and calls without one do not") {
  Translator crm(seal(), "jordan", "crm");
  const std::string changed = R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";
  CHECK(got(crm, changed) == changed);
  CHECK(got(crm, R"({"jsonrpc":"2.0","id":1,"method":"notifications/tools/list_changed"})") == "-");
  CHECK(got(crm, R"({"jsonrpc":"2.0","method":"sampling/createMessage"})") == "-");
  CHECK(
      got(crm,
          R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:1"}})") ==
      R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"reeve:crm/x:1"}})");
  CHECK(got(crm, R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{}})") ==
        "-");
}

TEST_CASE("URIs in results are those that can be read") {
  Translator crm(seal(), "jordan", "crm");
  crm.expect("1");
  CHECK(
      got(crm,
          R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a:1","uri":"b:1"},)"
          R"({"type":"resource_link","uri":"c:1"},{"type":"resource","resource":{"uri":"d:1"}}]}})") ==
      R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a:1","uri":"b:1"},)"
      R"({"type":"resource_link","uri":"reeve:crm/c:1"},)"
      R"({"type":"resource","resource":{"uri":"reeve:crm/d:1"}}]}})");
}

TEST_CASE("a bridge takes the modern era out of requests, and adds it to results") {
  Translator bridge(seal(), "jordan", "crm");
  bridge.bridge();
  http::Fields fields;
  fields.list = {
      {"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "crm__a"}};
  mcp::Reader reader;
  const std::string body =
      R"({"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"crm__a","_meta":)"
      R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28","own":{"a":1},)"
      R"("io.modelcontextprotocol/clientCapabilities":{}}}})";
  REQUIRE(reader.read(body, fields));
  CHECK(bridge.request(body, reader.message(), "a", "12") ==
        R"({"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"a","_meta":)"
        R"({"own":{"a":1}}}})");
  bridge.expect("12", "\"c\"");
  CHECK(got(bridge, R"({"jsonrpc":"2.0","id":12,"result":{"content":[]}})") ==
        R"({"jsonrpc":"2.0","id":"c","result":{"content":[],"resultType":"complete"}})");
  CHECK(got(bridge, R"({"jsonrpc":"2.0","id":1,"method":"roots/list"})") == "-");
}

}  // namespace
}  // namespace reeve::join
