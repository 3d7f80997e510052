// Tested by tests/e2e/approval_binding_test.mjs.
#include "proxy/approvals/binding.h"

#include <algorithm>

#include "proxy/digest.h"
#include "proxy/ids.h"
#include "proxy/pin_files.h"

namespace reeve::approvals {
namespace {

std::string hex(const policy::Sha256& hash) {
  std::string out;
  append_hex(out, hash.data(), hash.size());
  return out;
}

// The params without `_meta`, canonical whatever the order of their members.
std::string canonical_params(const json::Value& params) {
  if (!params.is_object()) {
    std::string text;
    json::append_canonical(text, params);
    return text;
  }
  std::vector<std::string> members;
  for (const json::Member member : params.members()) {
    if (member.key.equals("_meta")) continue;
    std::string text;
    json::append_canonical(text, member.key);
    text += ':';
    json::append_canonical(text, member.value);
    members.push_back(std::move(text));
  }
  std::sort(members.begin(), members.end());
  std::string out = "{";
  for (const std::string& member : members) out.append(out.size() > 1 ? "," : "").append(member);
  return out + "}";
}

// A tools/call that says nothing but its tool and arguments.
bool is_plain_tool_call(const mcp::Message& message) {
  if (message.method != "tools/call" || !message.params || !message.params->is_object()) {
    return false;
  }
  for (const json::Member member : message.params->members()) {
    if (!member.key.equals("name") && !member.key.equals("arguments") &&
        !member.key.equals("_meta")) {
      return false;
    }
  }
  return true;
}

std::string digest_of(const Exchange& x) {
  if (x.message != nullptr) {
    // A dispatch tool is bound as it is sent, its name and all it is given.
    if (x.args_sha256 && !x.dispatched && is_plain_tool_call(*x.message))
      return hex(*x.args_sha256);
    // No arguments are canonically this text, so the two kinds never meet.
    const std::string params = x.message->params ? canonical_params(*x.message->params) : "";
    return hex(sha256("params:", params));
  }
  if (x.args) {
    std::string canonical;
    json::append_canonical(canonical, *x.args);
    // The target of a model's call is the model: its path is bound here.
    if (x.metered) return hex(sha256("path:" + x.path.match + "\n", canonical));
    return hex(sha256(canonical));
  }
  return hex(
      sha256(x.body_buffered ? std::string_view(x.connection.work->body) : std::string_view{}));
}

// What a pinned tool is now, as as_pinned() has found: what its lock says.
std::string definition_of(const Exchange& x) {
  if (!x.message || x.message->method != "tools/call") return {};
  const Pin* const pin = find_pin(x.snapshot->pins, x.upstream->config().name);
  const std::string_view tool = x.dispatched ? x.dispatched->outer().target : x.call.target;
  const mcp::PinnedTool* const found = pin ? pin->lock.find(tool) : nullptr;
  return found ? found->digest : std::string();
}

}  // namespace

policy::ApprovalBinding binding_of(const Exchange& x) {
  policy::ApprovalBinding bound;
  bound.agent = x.agent_info()->name;
  bound.upstream = x.call.upstream;
  bound.action = x.call.action;
  bound.target = x.call.target;
  bound.query = x.call.query;
  bound.content_type = x.head.fields.single("content-type").value_or("");
  bound.digest = digest_of(x);
  bound.definition = definition_of(x);
  return bound;
}

std::vector<const policy::RuleInfo*> rules_of(const Exchange& x) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  std::vector<const policy::RuleInfo*> rules;
  if (x.decision.verdict == policy::Verdict::kAsk) {
    rules = x.dispatched ? x.dispatched->asks(policy, *x.agent) : policy.asks(*x.agent, x.call);
  }
  if (!x.over) return rules;
  for (const policy::RuleInfo& budget : x.over->rules) rules.push_back(&budget);
  return rules;
}

std::vector<policy::ApprovalAsk> asks_of(const Exchange& x,
                                         const std::vector<const policy::RuleInfo*>& rules) {
  std::vector<policy::ApprovalAsk> asks;
  const auto groups = x.snapshot->policy->approver_groups();
  for (const policy::RuleInfo* rule : rules) {
    asks.push_back({rule->id, groups[rule->ask.group].name});
  }
  std::sort(asks.begin(), asks.end());
  asks.erase(std::unique(asks.begin(), asks.end()), asks.end());
  return asks;
}

std::string request_key(const Exchange& x, std::string_view id) {
  std::string key;
  for (const std::string_view part : {std::string_view(x.agent_info()->name), x.call.upstream,
                                      x.head.fields.single("mcp-session-id").value_or(""), id}) {
    key.append(part).append("\n");
  }
  return key;
}

}  // namespace reeve::approvals
