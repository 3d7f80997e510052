// Tested by tests/e2e/approval_test.mjs.
#include "proxy/approvals/view.h"

#include <fmt/format.h>

#include "policy/text.h"
#include "proxy/record.h"
#include "proxy/worker.h"

namespace reeve::approvals {
namespace {

constexpr size_t kLongestArguments = 16 * 1024;
constexpr size_t kLongestText = 2 * 1024;

void member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += fmt::format(",\"{}\":", name);
  json::append_string(out, text);
}

// The same of text that an agent chose.
void shown_member(std::string& out, std::string_view name, std::string_view text,
                  size_t most = kLongestText) {
  member(out, name, policy::visible(text, most));
}

std::string arguments_of(const Exchange& x) {
  std::string text;
  if (x.args) {
    json::append_canonical(text, *x.args);
  } else if (x.message && x.message->params) {
    json::append_canonical(text, *x.message->params);
  } else if (x.message == nullptr && x.body_buffered) {
    text = x.connection.work->body;
  }
  return text;
}

void append_list(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (const std::string& text : texts) {
    if (out.back() != '[') out += ',';
    json::append_string(out, text);
  }
  out += ']';
}

}  // namespace

std::string context_of(const Exchange& x, const std::vector<const policy::RuleInfo*>& rules) {
  std::string out;
  const policy::AgentInfo& agent = *x.agent_info();
  member(out, "call", view(x.id));
  member(out, "team", agent.team);
  member(out, "purpose", agent.purpose);
  member(out, "risk", agent.risk);
  member(out, "roles", agent.roles_joined);
  member(out, "listener", x.connection.listener.name);
  member(out, "trace", trace_id(x.head.fields));
  if (x.is_mcp()) {
    shown_member(out, "session", x.head.fields.single("mcp-session-id").value_or(""));
  }
  member(out, "protocol", x.upstream ? protocol_name(x) : "http");
  if (x.metered) shown_member(out, "path", x.path.match);
  if (x.dispatched) shown_member(out, "dispatch", x.dispatched->outer().target);
  const std::string arguments = arguments_of(x);
  shown_member(out, "arguments", arguments, kLongestArguments);
  out += fmt::format(",\"arguments_bytes\":{}", arguments.size());
  if (x.spend.cost > 0) {
    member(out, "cost", policy::format_decimal(x.spend.cost));
    member(out, "currency", x.snapshot->policy->currency());
  }
  out += ",\"rules\":[";
  const auto groups = x.snapshot->policy->approver_groups();
  for (const policy::RuleInfo* rule : rules) {
    const policy::ApproverGroup& group = groups[rule->ask.group];
    std::string one;
    member(one, "rule", rule->id);
    if (rule->at.line != 0) member(one, "at", fmt::format("{}:{}", rule->at.file, rule->at.line));
    member(one, "because", rule->because);
    member(one, "approvers", group.name);
    one += ",\"members\":";
    append_list(one, group.members);
    one += fmt::format(",\"need\":{},\"not_owner\":{}", group.need, group.not_owner);
    out += out.back() == '[' ? "{" : ",{";
    out.append(one, 1).append("}");
  }
  return out + "]";
}

std::string to_json(const policy::Approval& record) {
  std::string out;
  member(out, "approval", record.id);
  member(out, "state", policy::to_string(record.state));
  member(out, "time", format_time(record.asked));
  member(out, "expires", format_time(record.expires));
  if (record.state != policy::ApprovalState::kPending) {
    member(out, "decided", format_time(record.decided));
  }
  member(out, "agent", record.bound.agent);
  member(out, "owner", record.owner);
  member(out, "upstream", record.bound.upstream);
  member(out, "action", record.bound.action);
  shown_member(out, "target", record.bound.target);
  shown_member(out, "query", record.bound.query);
  shown_member(out, "content_type", record.bound.content_type);
  member(out, "args_sha256", record.bound.digest);
  member(out, "tool_sha256", record.bound.definition);
  member(out, "policy", record.policy);
  out += record.context;
  out += ",\"votes\":[";
  for (const policy::ApprovalVote& vote : record.votes) {
    std::string one;
    member(one, "approver", vote.person);
    member(one, "verdict", vote.yes ? "yes" : "no");
    shown_member(one, "why", vote.why);
    member(one, "time", format_time(vote.time));
    out += out.back() == '[' ? "{" : ",{";
    out.append(one, 1).append("}");
  }
  out += "]}";
  out.front() = '{';
  return out;
}

std::string to_agent_json(const policy::Approval& record) {
  std::string out;
  member(out, "approval", record.id);
  member(out, "state", policy::to_string(record.state));
  member(out, "expires", format_time(record.expires));
  const char* next = "";
  switch (record.state) {
    case policy::ApprovalState::kPending:
      next = "wait, then repeat the same call";
      break;
    case policy::ApprovalState::kApproved:
      next = "repeat the same call before it expires; the yes is for one";
      break;
    case policy::ApprovalState::kReleased:
      next = "nothing: the call has been made";
      break;
    default:
      next = "nothing: the answer is no";
      break;
  }
  member(out, "next", next);
  out += '}';
  out.front() = '{';
  return out;
}

}  // namespace reeve::approvals
