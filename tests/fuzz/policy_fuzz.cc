// Any bytes as a policy; when they are one, calls made of the same bytes are decided, explained and
// priced, and the table's answer is that of explain. The first half is policy, the rest the call.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/explain.h"
#include "policy/policy_set.h"

using namespace reeve;
using namespace reeve::policy;

namespace {

void check(const PolicySet& policy, const CallSpec& spec, const Call& call) {
  const Decision decision = policy.decide(0, call);
  const Explanation explanation = explain(policy, policy.agents()[0].name, spec, Time{});
  const auto spend = policy.spend(0, call);
  const bool priced = decision.denied() || decision.verdict == Verdict::kMalformed || spend.ok();
  if (explanation.dispatched.empty() && explanation.outcome != Explanation::Outcome::kMalformed) {
    const std::string_view expected = priced ? to_string(decision.verdict) : "deny";
    if (outcome_of(explanation) != expected) std::abort();
    if (priced && explanation.decision.rule != decision.rule) std::abort();
  }
  if (decision.allowed() && !policy.could_allow(0, call)) std::abort();
  if (decision.verdict == Verdict::kAsk && policy.asks(0, call).empty()) std::abort();
  const RuleInfo* reported = policy.reported(0, call, decision);
  if (reported && (!reported->report || reported == decision.rule)) std::abort();
  policy.guards(0, call);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t cut = all.find('\x01');
  const SourceFile file{"p", std::string(all.substr(0, cut))};
  Diagnostics diagnostics;
  const auto policy = PolicySet::load({&file, 1}, {}, diagnostics);
  if ((policy == nullptr) != diagnostics.has_errors()) std::abort();
  if (!policy || policy->agents().empty()) return 0;
  const std::string target(cut == all.npos ? "x" : all.substr(cut + 1));
  for (const char* upstream : {"u", "crm", ""}) {
    for (const Kind kind : {Kind::kTool, Kind::kResource, Kind::kPrompt, Kind::kHttp, Kind::kMethod,
                            Kind::kConnect, Kind::kModel}) {
      CallSpec spec;
      spec.upstream = upstream;
      spec.set_target(kind, target);
      if (kind == Kind::kHttp) spec.action = "GET";
      if (kind == Kind::kTool) spec.args = target;
      if (kind == Kind::kHttp || kind == Kind::kModel) {
        spec.body = target;
        spec.headers.emplace_back("content-type", "application/json");
      }
      const WrittenCall written(spec, true, Time{});
      if (!written.fault().empty()) continue;
      check(*policy, spec, written.call());
      policy->may_use(0, upstream, Time{});
    }
  }
  return 0;
}
