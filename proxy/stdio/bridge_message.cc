// What the bridge reads in messages. Everything is judged by the sidecar again; here it only has to
// be sent the way it was meant. Tested by tests/proxy/stdio_bridge_test.cc.
#include <fmt/format.h>

#include <algorithm>

#include "policy/json.h"
#include "proxy/mcp/header_value.h"
#include "proxy/mcp/message.h"
#include "proxy/stdio/bridge.h"

namespace reeve::stdio {
namespace {

std::optional<json::Value> member(const std::optional<json::Value>& object, std::string_view key) {
  return object && object->is_object() ? object->find(key) : std::nullopt;
}

std::string text_of(const std::optional<json::Value>& value) {
  std::string scratch;
  return value && value->is_string() ? std::string(value->text(scratch)) : std::string();
}

}  // namespace

std::optional<Outgoing> read_outgoing(std::string_view line) {
  json::Parser parser;
  const auto root = parser.parse(line);
  if (!root || !root->is_object()) return std::nullopt;
  Outgoing out;
  out.method = text_of(root->find("method"));
  if (const auto id = root->find("id")) {
    out.id = id->raw();
    out.id_key = mcp::id_key(*id);
  }
  const auto params = root->find("params");
  out.version = text_of(member(member(params, "_meta"), "io.modelcontextprotocol/protocolVersion"));
  const bool by_uri = out.method.starts_with("resources/");
  const bool by_task = out.method.starts_with("tasks/");
  out.name = text_of(member(params, by_uri ? "uri" : by_task ? "taskId" : "name"));
  if (out.method == "notifications/cancelled") {
    if (const auto id = member(params, "requestId")) out.cancels = mcp::id_key(*id);
  }
  return out;
}

std::string mirror(std::string_view text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  const bool outer = !text.empty() && (text.front() == ' ' || text.back() == ' ');
  if (plain && !outer && !text.starts_with("=?")) return std::string(text);
  return fmt::format("=?base64?{}?=", mcp::encode_base64(text));
}

std::string agreed_version(std::string_view answer) {
  json::Parser parser;
  return text_of(member(member(parser.parse(answer), "result"), "protocolVersion"));
}

}  // namespace reeve::stdio
