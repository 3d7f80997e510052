// What an agent gets when it may not: why, by which rule, and what it can do. Never a condition's
// inner values, another agent's data or a credential. Tested by tests/e2e.
#include "proxy/reply.h"

#include <fmt/format.h>

#include <vector>

#include "policy/json.h"
#include "proxy/approvals/answer.h"
#include "proxy/dispatched.h"
#include "proxy/http/writer.h"
#include "proxy/mcp/reply.h"
#include "proxy/record.h"

namespace reeve {
namespace {

std::string_view title_of(int status) {
  switch (status) {
    case 400:
      return "Malformed request";
    case 401:
      return "Unknown agent";
    case 402:
      return "Budget spent";
    case 403:
      return "Denied by policy";
    case 404:
      return "No such upstream";
    case 408:
      return "Request too slow";
    case 413:
      return "Body too large";
    case 415:
      return "Unsupported content type";
    case 429:
      return "Limit reached";
    case 502:
      return "Upstream failed";
    case 503:
      return "Sidecar cannot keep its promises";
    case 504:
      return "Upstream too slow";
    default:
      return http::reason_phrase(status);
  }
}

void member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  json::append_string(out, text);
}

std::string amount(const SpendRefusal& budget, policy::Micros value) {
  const std::string number = policy::format_decimal(value);
  switch (budget.unit) {
    case policy::Unit::kMoney:
      return number + " " + budget.currency;
    case policy::Unit::kCalls:
      return number + " calls";
    case policy::Unit::kTokens:
      return number + " tokens";
  }
  return number;
}

std::string resets(const SpendRefusal& budget) {
  return budget.resets ? format_time(*budget.resets) : std::string("never");
}

// Empty: not by waiting.
std::string resets(const Exchange& x, const policy::LimitRefusal& limit) {
  return limit.retry_after ? format_time(x.time + *limit.retry_after) : std::string();
}

// The guard that refuses.
std::string_view guard_name(const Exchange& x) {
  const Guarded& guarded = *x.guarded;
  const GuardFindings& by = refuses(guarded.result.outcome) ? guarded.result : guarded.arguments;
  return by.guard ? std::string_view(by.guard->name) : std::string_view();
}

std::string problem(const Exchange& x) {
  const Refusal& refusal = *x.refusal;
  std::string out = "{\"type\":\"about:blank\"";
  const bool busy = refusal.reason == "busy";
  const bool guarded = refusal.reason == "guard";
  member(out, "title",
         busy                          ? "Upstream busy"
         : refusal.reason == "pending" ? "Approval pending"
         : guarded                     ? title_of(403)
                                       : title_of(refusal.status));
  out += fmt::format(",\"status\":{}", refusal.status);
  member(out, "detail", refusal.detail);
  member(out, "request_id", view(x.id));
  // An allowed call whose upstream failed was not denied.
  const bool upstream_failed = (x.decision.allowed() || x.overlooked) && !guarded &&
                               (refusal.status == 502 || refusal.status == 504 || busy);
  member(out, "decision", upstream_failed ? "allow" : decision_name(x));
  if (x.agent && x.decision.rule && (refusal.reason == "rule" || x.asked)) {
    member(out, "rule", x.decision.rule->id);
    member(out, "because", x.decision.rule->because);
  }
  if (guarded) member(out, "guard", guard_name(x));
  if (refusal.budget) {
    member(out, "budget", refusal.budget->budget);
    member(out, "limit", amount(*refusal.budget, refusal.budget->limit));
    member(out, "used", amount(*refusal.budget, refusal.budget->used));
    member(out, "resets", resets(*refusal.budget));
  }
  if (refusal.limit) {
    member(out, "limit", refusal.limit->limit->text);
    member(out, "resets", resets(x, *refusal.limit));
  }
  // The official clients of LLM APIs show what stands here.
  if (x.upstream && x.upstream->config().meter != Meter::kNone) {
    out += ",\"error\":{\"type\":\"reeve\"";
    member(out, "code", refusal.reason);
    member(out, "message", refusal.detail);
    out += "}";
  }
  out += "}";
  return out;
}

// The JSON-RPC answer to a refused MCP request, and its HTTP status.
std::string rpc_answer(const Exchange& x, int& status) {
  const Refusal& refusal = *x.refusal;
  if (refusal.rpc) {
    status = refusal.rpc->http_status;
    return mcp::error_body(refusal.rpc->id, refusal.rpc->code, refusal.rpc->message);
  }
  const mcp::Message& message = *x.message;
  if (refusal.status >= 500) {
    status = refusal.status;
    return mcp::error_body(message.id, -32603, refusal.detail);
  }
  status = 200;
  if (std::string pending = approvals::pending_body(x); !pending.empty()) return pending;
  if (x.decision.rule && x.decision.rule->hidden && refusal.reason == "rule") {
    return hidden_answer(x);
  }
  if (x.call.kind == policy::Kind::kMethod && refusal.reason == "default") {
    if (message.era == mcp::Era::kModern) status = 404;
    return mcp::error_body(message.id, -32601, "Method not found");
  }
  mcp::Denial denial;
  const bool may_retry = refusal.limit && refusal.limit->retry_after;
  const std::string text = refusal.detail + names_inner(x) + (may_retry ? "." : ". Do not retry.");
  denial.text = text;
  denial.effect = refusal.budget ? "budget" : refusal.limit ? "limit" : "deny";
  if (x.decision.rule && (refusal.reason == "rule" || x.asked)) denial.rule = x.decision.rule->id;
  if (refusal.reason == "guard") denial.guard = guard_name(x);
  denial.call_id = view(x.id);
  std::string limit, used, turn;
  if (refusal.budget) {
    limit = amount(*refusal.budget, refusal.budget->limit);
    used = amount(*refusal.budget, refusal.budget->used);
    turn = resets(*refusal.budget);
    denial.budget = refusal.budget->budget;
    denial.limit = limit;
    denial.used = used;
    denial.resets = turn;
  }
  if (refusal.limit) {
    turn = resets(x, *refusal.limit);
    denial.limit = refusal.limit->limit->text;
    denial.resets = turn;
  }
  return mcp::denial_body(message, denial);
}

}  // namespace

void append_refusal(std::string& out, Exchange& x) {
  const Refusal& refusal = *x.refusal;
  const bool head_request = x.head.method == "HEAD";
  std::vector<http::Field> extra{{"reeve-request-id", view(x.id)}};
  if (refusal.status == 401) extra.push_back({"WWW-Authenticate", "Bearer realm=\"reeve\""});
  // Too many at once: one of them may end at any time. Other limits say themselves when.
  const bool soon =
      refusal.status == 503 || refusal.status == 409 || (refusal.status == 429 && !refusal.limit);
  if (soon) extra.push_back({"Retry-After", "1"});
  std::string seconds;
  if (refusal.limit && refusal.limit->retry_after) {
    seconds = std::to_string(refusal.limit->retry_after->count());
    extra.push_back({"Retry-After", seconds});
  }
  if (refusal.status == 405) extra.push_back({"Allow", "GET, POST, DELETE"});

  x.status = refusal.status;
  if (x.message && x.message->shape != mcp::Shape::kRequest && !refusal.rpc &&
      refusal.status < 500) {
    // JSON-RPC has no answer to a notification: it is dropped, which the record says.
    x.status = 202;
    http::write_response(out, x.status, {}, {}, extra, x.keep_alive, head_request);
    return;
  }
  const bool is_rpc = refusal.rpc || x.message;
  const std::string body = is_rpc ? rpc_answer(x, x.status) : std::string();
  if (approvals::append_answer(out, x, body)) return;
  if (is_rpc) {
    http::write_response(out, x.status, "application/json", body, extra, x.keep_alive,
                         head_request);
    return;
  }
  http::write_response(out, x.status, "application/problem+json", problem(x), extra, x.keep_alive,
                       head_request);
}

std::string refusal_message(const Exchange& x) {
  int status = 0;
  return rpc_answer(x, status);
}

void append_fault(std::string& out, const http::Fault& fault, const CallId& id) {
  std::string body = "{\"type\":\"about:blank\"";
  member(body, "title", title_of(fault.status));
  body += fmt::format(",\"status\":{}", fault.status);
  member(body, "detail", fault.detail);
  member(body, "request_id", view(id));
  member(body, "decision", "malformed");
  body += "}";
  http::write_response(out, fault.status, "application/problem+json", body, {}, false, false);
}

}  // namespace reeve
