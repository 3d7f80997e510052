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
    for (const Kind kind : {Kind::kTool, Kind::kResource, Kind::kHttp, Kind::kMethod}) {
      CallSpec spec;
      spec.upstream = upstream;
      spec.set_target(kind, target);
      if (kind == Kind::kHttp) spec.action = "GET";
      if (kind == Kind::kTool) spec.args = target;
      const WrittenCall written(spec, true, Time{});
      if (!written.fault().empty()) continue;
      const Decision decision = policy->decide(0, written.call());
      const Explanation explanation = explain(*policy, policy->agents()[0].name, spec, Time{});
      if (outcome_of(explanation) != to_string(decision.verdict)) std::abort();
      if (explanation.decision.rule != decision.rule) std::abort();
      if (decision.allowed() && !policy->could_allow(0, written.call())) std::abort();
      policy->spend(0, written.call());
      policy->may_use(0, upstream, Time{});
    }
  }
  return 0;
}
