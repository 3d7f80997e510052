// Every text in a line is escaped and bounded: an agent chooses targets and session ids, and must
// be able to neither forge a line nor fill the disk with one. Tested by tests/e2e/record_test.mjs.
#include "proxy/record.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "policy/json_write.h"
#include "proxy/llm/metered.h"
#include "proxy/recorded_arguments.h"
#include "proxy/result_cost.h"
#include "proxy/retried.h"

namespace reeve {
namespace {

constexpr size_t kLongestText = 1024;
constexpr size_t kUsualLine = 512;  // more grows the line's text

// The longest prefix within the bound that ends at a character's end.
std::string_view bounded(std::string_view text) {
  if (text.size() <= kLongestText) return text;
  size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// `,"name":`, put together by the compiler.
class Name {
 public:
  template <size_t size>
  consteval Name(const char (&name)[size]) {
    put(",\"");
    put({name, size - 1});
    put("\":");
  }
  // Behind them more bytes may be written than the name has.
  void write(TextWriter& out) const {
    char* const to = out.room(sizeof text_);
    std::memcpy(to, text_, sizeof text_);
    out.wrote(to + size_);
  }

 private:
  consteval void put(std::string_view part) {
    for (const char c : part) text_[size_++] = c;
  }
  char text_[24] = {};
  size_t size_ = 0;
};

void member(TextWriter& out, const Name& name, std::string_view text) {
  if (text.empty()) return;
  name.write(out);
  json::write_string(out, bounded(text));
}

void hex_member(TextWriter& out, const Name& name, const policy::Sha256& hash) {
  name.write(out);
  char* to = out.room(2 * hash.size() + 2);
  *to++ = '"';
  to = write_hex(to, hash.data(), hash.size());
  *to++ = '"';
  out.wrote(to);
}

// Digits, or other JSON as it is.
void number(TextWriter& out, const Name& name, std::string_view digits) {
  name.write(out);
  out.text(digits);
}

void number(TextWriter& out, const Name& name, uint64_t value) {
  name.write(out);
  out.number(value);
}

// `file:line`.
void place(TextWriter& out, const Name& name, const Place& at) {
  name.write(out);
  json::write_string(out, bounded(at.file));
  out.wrote(out.room(0) - 1);  // over the closing quote
  out.character(':');
  out.number(at.line);
  out.character('"');
}

// Milliseconds with three places.
void duration(TextWriter& out, const Name& name, Steady::duration time) {
  using std::chrono::microseconds;
  const uint64_t micros = static_cast<uint64_t>(std::chrono::round<microseconds>(time).count());
  const uint64_t rest = micros % 1000;
  number(out, name, micros / 1000);
  const char places[] = {'.', static_cast<char>('0' + rest / 100),
                         static_cast<char>('0' + rest / 10 % 10),
                         static_cast<char>('0' + rest % 10)};
  out.text({places, sizeof places});
}

// Which guard, and how many of what each found: `{"pii":{"email":2}}`; never what it was.
void write_guard(TextWriter& out, const GuardFindings& found) {
  if (found.guard) member(out, "guard", found.guard->name);
  member(out, "doubt", found.doubt);
  if (found.hits.empty()) return;
  Name("found").write(out);
  std::vector<const policy::GuardInfo*> told;
  for (const policy::GuardHit& first : found.hits) {
    if (std::find(told.begin(), told.end(), first.guard) != told.end()) continue;
    out.character(told.empty() ? '{' : ',');
    told.push_back(first.guard);
    json::write_string(out, bounded(first.guard->name));
    out.text(":{");
    bool is_first = true;
    for (const policy::GuardHit& hit : found.hits) {
      if (hit.guard != first.guard) continue;
      if (!is_first) out.character(',');
      is_first = false;
      json::write_string(out, bounded(hit.what));
      out.character(':');
      out.number(hit.count);
    }
    out.character('}');
  }
  out.character('}');
}

void write_guarded_result(TextWriter& out, const Exchange& x) {
  const GuardFindings& found = x.guarded->result;
  if (refuses(found.outcome)) member(out, "reason", "guard");
  write_guard(out, found);
}

std::string_view action_of(const Exchange& x) {
  return x.call.action.empty() ? x.head.method : x.call.action;
}

std::string_view target_of(const Exchange& x) {
  if (!x.call.target.empty()) return x.call.target;
  return x.upstream && x.is_mcp() && !x.call.action.empty() ? std::string_view{} : x.head.path;
}

void write_arguments(TextWriter& out, const Exchange& x) {
  const RecordedArguments kept = recorded_arguments(x);
  if (kept.sha256) hex_member(out, "args_sha256", *kept.sha256);
  if (!kept.json.empty()) number(out, "args", kept.json);
  if (kept.cut) number(out, "args_cut", "true");
  member(out, "args_left_out", kept.left_out);
}

void write_who_and_what(TextWriter& out, const Exchange& x) {
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
    member(out, "protocol", protocol_name(x));
  }
  member(out, "action", action_of(x));
  member(out, "target", target_of(x));
  if (x.dispatched) member(out, "dispatch", x.dispatched->outer().target);
}

void write_approval(TextWriter& out, const Exchange& x) {
  if (!x.asked) return;
  member(out, "approval", x.asked->record.id);
  member(out, "approver", x.asked->approver);
}

// The budgets that people were asked about: of an allowed call their limit was raised.
void write_over(TextWriter& out, const approvals::Over& over) {
  std::string names;
  for (const policy::RuleInfo& rule : over.rules) {
    names.append(names.empty() ? "" : ",").append(rule.id, approvals::kBudgetAsks.size());
  }
  member(out, "over_limit", names);
}

// Both lines of a call begin alike, so the second finds its beginning in the first.
void begin_line(std::string& out, Exchange& x) {
  if (x.described > 0) {
    out.resize(x.described);
    return;
  }
  out.clear();
  {
    TextWriter writer(out, kUsualLine);
    write_who_and_what(writer, x);
  }
  x.described = out.size();
}

}  // namespace

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

std::string_view protocol_name(const Exchange& x) {
  if (x.is_mcp()) return "mcp";
  if (!x.metered) return "http";
  return x.upstream->config().meter == Meter::kAnthropic ? "anthropic" : "openai";
}

std::string_view decision_name(const Exchange& x) {
  if (!x.agent && x.refusal && x.refusal->status == 401) return "unknown-agent";
  if (x.refusal && x.refusal->reason == "malformed") return "malformed";
  if (x.refusal && x.asked && !x.asked->status.empty()) return "allow";
  if (x.refusal) return "deny";
  if (x.overlooked && x.decision.allowed()) return "deny";
  return policy::to_string(x.decision.verdict);
}

void write_decision(Exchange& x) {
  begin_line(x.connection.work->line, x);
  TextWriter out(x.connection.work->line, kUsualLine);
  write_arguments(out, x);
  member(out, "decision", decision_name(x));
  member(out, "reason",
         x.refusal      ? x.refusal->reason
         : x.overlooked ? x.overlooked->reason
                        : policy::to_string(x.decision.reason));
  if (x.snapshot->policy->report() || x.reported || x.overlooked) member(out, "mode", "report");
  if (x.reported) {
    member(out, "reported", policy::to_string(x.reported->effect));
    member(out, "reported_rule", x.reported->id);
  }
  if (const policy::RuleInfo* rule = x.decision.rule) {
    member(out, "rule", rule->id);
    if (rule->at.line != 0) place(out, "at", rule->at);
    member(out, "because", rule->because);
  }
  for (const auto* why : {&x.refusal, &x.overlooked}) {
    if (*why && (*why)->budget) member(out, "budget", (*why)->budget->budget);
    if (*why && (*why)->limit) member(out, "limit", (*why)->limit->limit->text);
  }
  if (x.over) write_over(out, *x.over);
  write_approval(out, x);
  if (x.retried && x.retried->is_retry()) number(out, "retry", "true");
  if (x.guarded) write_guard(out, x.guarded->arguments);
  member(out, "policy", x.snapshot->policy->sha256());
  if (x.spend.cost > 0 && !x.refusal) {
    number(out, "reserved", policy::format_decimal(x.spend.cost));
  }
}

namespace {

// Of a call on an LLM API: what it took, or why it is charged what was reserved.
void write_metered(TextWriter& out, const llm::Metered::Settled& settled) {
  member(out, "model", settled.model);
  if (settled.usage) {
    number(out, "tokens_in", settled.usage->input);
    number(out, "tokens_out", settled.usage->output);
  }
  member(out, "unmeasured", to_string(settled.why));
  if (settled.overrun > 0) number(out, "overrun", policy::format_decimal(settled.overrun));
}

}  // namespace

void write_outcome(Exchange& x) {
  begin_line(x.connection.work->line, x);
  TextWriter out(x.connection.work->line, kUsualLine);
  member(out, "decision", decision_name(x));
  if (x.guarded) write_guarded_result(out, x);
  number(out, "status", static_cast<uint64_t>(x.status));
  member(out, "error", x.error);
  write_approval(out, x);
  if (x.tries > 1) number(out, "tries", x.tries);
  if (x.dropped > 0) number(out, "dropped", x.dropped);
  if (x.spend.cost > 0) number(out, "cost", policy::format_decimal(x.cost));
  const bool says_cost = x.forwarded && x.result_cost && !x.metered;
  if (says_cost && !x.result_cost->said()) member(out, "unmeasured", "missing");
  if (x.metered && x.forwarded) write_metered(out, x.metered->settled);
  number(out, "bytes_in", x.bytes_in);
  number(out, "bytes_out", x.bytes_out);
  duration(out, "ms", x.ended() - x.started);
  if (x.forwarded) duration(out, "upstream_ms", x.upstream_ended - x.upstream_started);
}

}  // namespace reeve
