// reeve's own JSON-RPC bodies, byte for byte.
#include <catch2/catch.hpp>

#include "proxy/mcp/reply.h"

namespace reeve::mcp {
namespace {

Message message_of(std::string_view method, std::string_view target, Era era) {
  Message message;
  message.era = era;
  message.id = "\"k-1\"";
  message.method = method;
  message.target = target;
  return message;
}

const Denial kDenial = {
    .text = "Denied by policy: \"finance\" is off limits (rule r1). Do not retry.",
    .effect = "deny",
    .rule = "r1",
    .call_id = "0199"};

TEST_CASE("errors") {
  CHECK(error_body("7", -32600, "no \"x\"\n") ==
        R"({"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"no \"x\"\n"}})");
  CHECK(error_body("", -32700, "Parse error") ==
        R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}})");
  CHECK(error_body("\"a\"", 429, "slow", R"({"x":1})") ==
        R"({"jsonrpc":"2.0","id":"a","error":{"code":429,"message":"slow","data":{"x":1}}})");
}

TEST_CASE("a denied tool call is a result the model can read") {
  const std::string shared =
      R"("content":[{"type":"text","text":"Denied by policy: \"finance\" is off limits (rule r1). Do not retry."}],"isError":true,"_meta":{"reeve/decision":{"effect":"deny","rule":"r1","decisionId":"0199"}}}})";
  CHECK(denial_body(message_of("tools/call", "pay", Era::kLegacy), kDenial) ==
        R"({"jsonrpc":"2.0","id":"k-1","result":{)" + shared);
  CHECK(denial_body(message_of("tools/call", "pay", Era::kModern), kDenial) ==
        R"({"jsonrpc":"2.0","id":"k-1","result":{"resultType":"complete",)" + shared);
}

TEST_CASE("another method's denial is an error with the same data") {
  CHECK(
      denial_body(message_of("resources/read", "x:y", Era::kModern), kDenial) ==
      R"({"jsonrpc":"2.0","id":"k-1","error":{"code":403,"message":"Denied by policy: \"finance\" is off limits (rule r1). Do not retry.","data":{"reeve/decision":{"effect":"deny","rule":"r1","decisionId":"0199"}}}})");
}

TEST_CASE("a spent budget says which, how much and until when") {
  Denial spent = kDenial;
  spent.effect = "budget";
  spent.rule = {};
  spent.text = "Spent.";
  spent.budget = "daily";
  spent.limit = "5.00 USD";
  spent.used = "4.99 USD";
  spent.resets = "2026-12-01T00:00:00Z";
  CHECK(
      denial_body(message_of("tools/call", "pay", Era::kLegacy), spent) ==
      R"({"jsonrpc":"2.0","id":"k-1","result":{"content":[{"type":"text","text":"Spent."}],"isError":true,"_meta":{"reeve/decision":{"effect":"budget","decisionId":"0199","budget":"daily","limit":"5.00 USD","used":"4.99 USD","resets":"2026-12-01T00:00:00Z"}}}})");
}

TEST_CASE("what is hidden answers as what is not there") {
  CHECK(
      hidden_body(message_of("tools/call", "se\"cret", Era::kModern)) ==
      R"({"jsonrpc":"2.0","id":"k-1","error":{"code":-32602,"message":"Unknown tool: se\"cret"}})");
  CHECK(hidden_body(message_of("prompts/get", "p", Era::kLegacy)) ==
        R"({"jsonrpc":"2.0","id":"k-1","error":{"code":-32602,"message":"Unknown prompt: p"}})");
  CHECK(
      hidden_body(message_of("resources/read", "x:y", Era::kLegacy)) ==
      R"({"jsonrpc":"2.0","id":"k-1","error":{"code":-32002,"message":"Resource not found","data":{"uri":"x:y"}}})");
  CHECK(
      hidden_body(message_of("resources/read", "x:y", Era::kModern)) ==
      R"({"jsonrpc":"2.0","id":"k-1","error":{"code":-32602,"message":"Resource not found","data":{"uri":"x:y"}}})");
}

}  // namespace
}  // namespace reeve::mcp
