// JSON-RPC bodies written by hand: few shapes, fixed order of members, every text escaped.
//
// Says no more than its arguments do; what may be said is the caller's to decide.
#include "proxy/mcp/reply.h"

#include <fmt/format.h>

#include "policy/json.h"

namespace reeve::mcp {
namespace {

constexpr int kDenied = 403;  // own code, outside JSON-RPC's reserved range
constexpr int kInvalidParams = -32602;
constexpr int kLegacyResourceNotFound = -32002;  // 2025-11-25 and older

std::string_view id_or_null(std::string_view id_json) {
  return id_json.empty() ? std::string_view("null") : id_json;
}

// {"reeve/decision":{…}}
std::string decision_json(const Denial& denial) {
  const std::pair<std::string_view, std::string_view> members[] = {
      {"rule", denial.rule},     {"guard", denial.guard}, {"decisionId", denial.call_id},
      {"budget", denial.budget}, {"limit", denial.limit}, {"used", denial.used},
      {"resets", denial.resets}};
  std::string out = R"({"reeve/decision":{"effect":)";
  json::append_string(out, denial.effect);
  for (const auto& [name, value] : members) {
    if (value.empty()) continue;
    out += ',';
    json::append_string(out, name);
    out += ':';
    json::append_string(out, value);
  }
  out += "}}";
  return out;
}

}  // namespace

std::string error_body(std::string_view id_json, int code, std::string_view message,
                       std::string_view data) {
  std::string out = fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":)",
                                id_or_null(id_json), code);
  json::append_string(out, message);
  if (!data.empty()) out.append(R"(,"data":)").append(data);
  out += "}}";
  return out;
}

std::string denial_body(const Message& message, const Denial& denial) {
  const std::string decision = decision_json(denial);
  if (message.method != "tools/call") {
    return error_body(message.id, kDenied, denial.text, decision);
  }
  std::string out = fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{)", id_or_null(message.id));
  if (message.era == Era::kModern) out += R"("resultType":"complete",)";
  out += R"("content":[{"type":"text","text":)";
  json::append_string(out, denial.text);
  out.append(R"(}],"isError":true,"_meta":)").append(decision).append("}}");
  return out;
}

std::string hidden_body(const Message& message) {
  if (message.method == "resources/read" || message.method == "resources/subscribe" ||
      message.method == "resources/unsubscribe") {
    std::string data = R"({"uri":)";
    json::append_string(data, message.target);
    data += '}';
    const bool modern = message.era == Era::kModern;
    return error_body(message.id, modern ? kInvalidParams : kLegacyResourceNotFound,
                      "Resource not found", data);
  }
  const bool prompt = message.method == "prompts/get";
  return error_body(message.id, kInvalidParams,
                    fmt::format("Unknown {}: {}", prompt ? "prompt" : "tool", message.target));
}

}  // namespace reeve::mcp
