// What the bridge reads in a client's line, and how a header mirrors it.
#include <catch2/catch.hpp>

#include "proxy/mcp/header_value.h"
#include "proxy/stdio/bridge.h"

using reeve::stdio::agreed_version;
using reeve::stdio::mirror;
using reeve::stdio::read_outgoing;

TEST_CASE("a header mirrors any name so that the sidecar reads the same") {
  CHECK(mirror("add") == "add");
  CHECK(mirror("two words") == "two words");
  for (const std::string_view text : {"", " a", "a ", "=?base64?YQ==?=", "caf\xc3\xa9", "a\nb",
                                      "tab\there", "\x7f", "ab", "abc\x01"}) {
    INFO(text);
    CHECK(reeve::mcp::mirrors(mirror(text), text));
  }
  CHECK(mirror("caf\xc3\xa9") == "=?base64?Y2Fmw6k=?=");
}

TEST_CASE("what a line is tells how it is sent") {
  const auto call = read_outgoing(
      R"({"jsonrpc":"2.0","id":"a\u0062","method":"tools/call","params":{"name":"add","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})");
  REQUIRE(call);
  CHECK(call->method == "tools/call");
  CHECK(call->id == R"("a\u0062")");
  CHECK(call->id_key == R"("ab")");
  CHECK(call->name == "add");
  CHECK(call->modern());
  const auto read = read_outgoing(R"({"id":1,"method":"resources/read","params":{"uri":"a://b"}})");
  REQUIRE(read);
  CHECK(read->name == "a://b");
  CHECK_FALSE(read->modern());
  const auto task = read_outgoing(R"({"id":1,"method":"tasks/get","params":{"taskId":"t"}})");
  REQUIRE(task);
  CHECK(task->name == "t");
  const auto cancel =
      read_outgoing(R"({"method":"notifications/cancelled","params":{"requestId":"\u0061b"}})");
  REQUIRE(cancel);
  CHECK(cancel->cancels == R"("ab")");
  CHECK(cancel->id.empty());
  for (const std::string_view line : {"", "x", "[]", "1", "{\"id\":1,\"id\":2}", "{}x"}) {
    INFO(line);
    CHECK_FALSE(read_outgoing(line));
  }
}

TEST_CASE("the version that initialize agreed on") {
  CHECK(agreed_version(R"({"result":{"protocolVersion":"2025-11-25"}})") == "2025-11-25");
  CHECK(agreed_version(R"({"error":{}})").empty());
  CHECK(agreed_version("x").empty());
}
