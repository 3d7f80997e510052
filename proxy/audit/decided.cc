// Tested by tests/proxy/diff_test.cc.
#include "proxy/audit/decided.h"

namespace reeve::audit {

policy::Kind kind_of(std::string_view protocol, std::string_view action) {
  using policy::Kind;
  if (protocol.empty()) return Kind::kConnect;
  if (protocol == "http") return Kind::kHttp;
  if (protocol == "openai" || protocol == "anthropic") return Kind::kModel;
  if (action == "tools/call") return Kind::kTool;
  if (action == "prompts/get") return Kind::kPrompt;
  if (action == "resources/read" || action == "resources/subscribe" ||
      action == "resources/unsubscribe") {
    return Kind::kResource;
  }
  return Kind::kMethod;
}

std::string_view DecidedReader::text(const json::Value& members, std::string_view name,
                                     std::string& scratch) {
  const auto value = members.find(name);
  return value && value->is_string() ? value->text(scratch) : std::string_view{};
}

const Decided* DecidedReader::read(const Line& line, const json::Value& members) {
  using policy::Verdict;
  const std::string_view agent = text(members, "agent", agent_);
  const auto time = read_time(line.time);
  if (line.kind != "decision" || agent.empty() || !time) return nullptr;
  decided_ = {};
  decided_.id = text(members, "call", call_);
  decided_.policy = text(members, "policy", policy_);
  policy::RecordedCall& recorded = decided_.recorded;
  recorded.agent = agent;
  recorded.rule = text(members, "rule", rule_);
  policy::Call& call = recorded.call;
  call.upstream = text(members, "upstream", upstream_);
  const std::string_view protocol = text(members, "protocol", protocol_);
  call.action = text(members, "action", action_);
  call.target = text(members, "target", target_);
  call.kind = kind_of(protocol, call.action);
  if (call.kind == policy::Kind::kModel) call.model = call.target;
  call.time = *time;
  const std::string_view verdict = text(members, "decision", other_);
  recorded.verdict = verdict == "allow" ? Verdict::kAllow : Verdict::kDeny;
  if (verdict == "malformed") return nullptr;
  if (members.find("approval")) recorded.verdict = Verdict::kAsk;
  const std::string_view reason = text(members, "reason", other_);
  decided_.by_rules =
      (reason == "rule" || reason == "default") && !members.find("over_limit").has_value();
  return &decided_;
}

}  // namespace reeve::audit
