// Every text in a line is escaped and bounded: an agent chooses targets and session ids, and must
// be able to neither forge a line nor fill the disk with one. Tested by tests/e2e/record_test.mjs.
#include "proxy/record.h"

#include <fmt/format.h>

#include "policy/json.h"

namespace reeve {
namespace {

constexpr size_t kLongestText = 1024;

// The longest prefix within the bound that ends at a character's end.
std::string_view bounded(std::string_view text) {
  if (text.size() <= kLongestText) return text;
  size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

void member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  json::append_string(out, bounded(text));
}

void number(std::string& out, std::string_view name, std::string_view digits) {
  out += ",\"";
  out += name;
  out += "\":";
  out += digits;
}

// The trace id of a W3C traceparent (version 00): 32 hexadecimal digits, not all zero.
std::string_view trace_id(const http::Fields& fields) {
  const auto value = fields.single("traceparent");
  if (!value || value->size() != 55 || (*value)[2] != '-' || (*value)[35] != '-') return {};
  const std::string_view id = value->substr(3, 32);
  bool zero = true;
  for (const char c : id) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return {};
    zero = zero && c == '0';
  }
  return zero ? std::string_view{} : id;
}

std::string_view action_of(const Exchange& x) {
  return x.call.action.empty() ? x.head.method : x.call.action;
}

std::string_view target_of(const Exchange& x) {
  if (!x.call.target.empty()) return x.call.target;
  return x.upstream && x.is_mcp() && !x.call.action.empty() ? std::string_view{} : x.head.path;
}

void append_who_and_what(std::string& out, const Exchange& x) {
  member(out, "call", view(x.id));
  member(out, "trace", trace_id(x.head.fields));
  if (const policy::AgentInfo* agent = x.agent_info()) {
    member(out, "agent", agent->name);
    member(out, "owner", agent->owner);
    member(out, "team", agent->team);
    member(out, "roles", agent->roles_joined);
  }
  if (x.is_mcp()) member(out, "session", x.head.fields.single("mcp-session-id").value_or(""));
  member(out, "listener", x.connection.listener.name);
  if (x.upstream) {
    member(out, "upstream", x.upstream->config().name);
    member(out, "protocol", x.is_mcp() ? "mcp" : "http");
  }
  member(out, "action", action_of(x));
  member(out, "target", target_of(x));
}

}  // namespace

std::string_view decision_name(const Exchange& x) {
  if (!x.agent && x.refusal && x.refusal->status == 401) return "unknown-agent";
  if (x.refusal && x.refusal->reason == "malformed") return "malformed";
  if (x.refusal) return "deny";
  if (x.overlooked && x.decision.allowed()) return "deny";
  return policy::to_string(x.decision.verdict);
}

void append_decision(std::string& out, const Exchange& x) {
  append_who_and_what(out, x);
  member(out, "args_sha256", x.args_sha256);
  member(out, "decision", decision_name(x));
  member(out, "reason",
         x.refusal      ? x.refusal->reason
         : x.overlooked ? x.overlooked->reason
                        : policy::to_string(x.decision.reason));
  if (x.snapshot->policy->report() || x.reported) member(out, "mode", "report");
  if (x.reported) {
    member(out, "reported", policy::to_string(x.reported->effect));
    member(out, "reported_rule", x.reported->id);
  }
  if (const policy::RuleInfo* rule = x.decision.rule) {
    member(out, "rule", rule->id);
    if (rule->at.line != 0) {
      member(out, "at", fmt::format("{}:{}", rule->at.file, rule->at.line));
    }
    member(out, "because", rule->because);
  }
  for (const auto* why : {&x.refusal, &x.overlooked}) {
    if (*why && (*why)->budget) member(out, "budget", (*why)->budget->budget);
  }
  member(out, "policy", x.snapshot->policy->sha256());
  if (x.spend.cost > 0 && !x.refusal) {
    number(out, "reserved", policy::format_decimal(x.spend.cost));
  }
}

void append_outcome(std::string& out, const Exchange& x) {
  using std::chrono::duration;
  append_who_and_what(out, x);
  member(out, "decision", decision_name(x));
  number(out, "status", std::to_string(x.status));
  member(out, "error", x.error);
  if (x.spend.cost > 0) number(out, "cost", policy::format_decimal(x.cost));
  number(out, "bytes_in", std::to_string(x.bytes_in));
  number(out, "bytes_out", std::to_string(x.bytes_out));
  const auto ms = [](Steady from, Steady to) {
    return fmt::format("{:.3f}", duration<double, std::milli>(to - from).count());
  };
  number(out, "ms", ms(x.started, steady_now()));
  if (x.forwarded) number(out, "upstream_ms", ms(x.upstream_started, x.upstream_ended));
}

}  // namespace reeve
