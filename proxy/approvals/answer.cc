// Tested by tests/e2e/approval_test.mjs and approval_mcp_test.mjs.
#include "proxy/approvals/answer.h"

#include <fmt/format.h>

#include "proxy/approvals/view.h"
#include "proxy/approvals/way.h"
#include "proxy/http/writer.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/reply.h"
#include "proxy/worker.h"

namespace reeve::approvals {
namespace {

constexpr std::string_view kRetryAfter = "5";  // seconds between looks at a status

void append_chunk(std::string& out, std::string_view data) {
  http::write_chunk_header(out, data.size());
  out.append(data).append("\r\n");
}

std::string groups_of(const policy::Approval& record) {
  std::string out;
  for (const policy::ApprovalAsk& ask : record.asks) {
    if (out.find(ask.group) == out.npos) out.append(out.empty() ? "" : ", ").append(ask.group);
  }
  return out;
}

// How the answer of a call that is not MCP's begins.
std::vector<http::Field> fields_of(const Exchange& x, const std::string& location) {
  std::vector<http::Field> fields{{"reeve-request-id", view(x.id)}, {"Cache-Control", "no-store"}};
  if (!location.empty()) {
    fields.push_back({"Location", location});
    fields.push_back({"Preference-Applied", "respond-async"});
  }
  if (x.asked->record.state == policy::ApprovalState::kPending) {
    fields.push_back({"Retry-After", kRetryAfter});
  }
  return fields;
}

}  // namespace

void append_events_head(std::string& out, const Exchange& x) {
  const http::Field fields[] = {{"reeve-request-id", view(x.id)},
                                {"Content-Type", "text/event-stream"},
                                {"Cache-Control", "no-store"},
                                {"X-Accel-Buffering", "no"}};
  http::write_response_head(out, 200, {}, {}, {}, fields, http::Framing::kChunked, 0, x.keep_alive,
                            x.head.minor_version);
  append_chunk(out, ":\n\n");  // whoever buffers a head until there is more has it now
}

void append_sign(std::string& out, const Exchange& x, uint64_t number) {
  const auto token = progress_token(x);
  if (!token) return append_chunk(out, ":\n\n");
  // Far below what the server will say of its own progress, and rising.
  std::string message = fmt::format(
      R"({{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},)"
      R"("progress":{},"message":)",
      token->raw(), static_cast<double>(number) / 1'000'000);
  json::append_string(message, fmt::format("Waiting for approval {} by {}", x.asked->record.id,
                                           groups_of(x.asked->record)));
  message += "}}";
  append_message(out, message, false);
}

void append_message(std::string& out, std::string_view json, bool last) {
  std::string event;
  mcp::Event written;
  written.name = "message";
  written.data = json;
  written.has_data = true;
  mcp::append_event(event, written);
  append_chunk(out, event);
  if (last) out += "0\r\n\r\n";
}

void append_collected(std::string& out, const Exchange& x, std::string_view body) {
  json::Parser parser;
  const size_t most = x.worker.services().config.limits.body_bytes;
  const auto value = body.size() <= most ? parser.parse(body) : std::nullopt;
  if (value && value->is_object()) return append_message(out, body, true);
  append_message(
      out, mcp::error_body(x.message->id, -32603, "the upstream's answer is no JSON-RPC message"),
      true);
}

std::string pending_body(const Exchange& x) {
  if (!x.asked || x.refusal->reason != "pending") return {};
  const policy::Approval& record = x.asked->record;
  const mcp::Message& message = *x.message;
  if (x.asked->way == Way::kModern) {
    return fmt::format(
        R"({{"jsonrpc":"2.0","id":{},"result":{{"resultType":"input_required","requestState":)"
        R"("reeve.{}.{}"}}}})",
        message.id, record.id, record.nonce);
  }
  const std::string& url = x.worker.services().config.approvals.url;
  const std::string text =
      fmt::format("Pending approval {}: ask {}{} to say yes, then repeat the same call.", record.id,
                  groups_of(record), url.empty() ? "" : fmt::format(" at {}", url));
  mcp::Denial denial;
  denial.text = text;
  denial.effect = "pending";
  denial.call_id = view(x.id);
  if (x.decision.rule) denial.rule = x.decision.rule->id;
  return mcp::denial_body(message, denial);
}

bool append_answer(std::string& out, Exchange& x, std::string_view rpc) {
  if (!x.asked) return false;
  const Asked& asked = *x.asked;
  const bool head_request = x.head.method == "HEAD";
  if (asked.events_open) {
    x.status = 200;
    if (asked.silent || rpc.empty()) {
      out += "0\r\n\r\n";
    } else {
      append_message(out, rpc, true);
    }
    return true;
  }
  if (asked.silent) {
    x.status = 202;
    http::write_response(out, 202, {}, {}, {}, x.keep_alive, head_request);
    return true;
  }
  if (x.message != nullptr) return false;
  if (!asked.status.empty()) {
    x.status = x.refusal->status;
    http::write_response(out, x.status, "application/json", asked.status, fields_of(x, {}),
                         x.keep_alive, head_request);
    return true;
  }
  if (x.refusal->reason != "pending" || x.refusal->status != 202) return false;
  x.status = 202;
  http::write_response(out, 202, "application/json", to_agent_json(asked.record),
                       fields_of(x, "/.reeve/approvals/" + asked.record.id), x.keep_alive,
                       head_request);
  return true;
}

}  // namespace reeve::approvals
