// Why a call is decided as it is: the decision itself, the rules that came near and why each did
// not decide, and the budgets that the call would draw on. For people who write policies.
//
// The decision comes from PolicySet::decide() with the same Call as in the sidecar; nothing is
// decided here.
#ifndef REEVE_POLICY_EXPLAIN_H_
#define REEVE_POLICY_EXPLAIN_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_set.h"
#include "policy/written_call.h"

namespace reeve::policy {

struct NearRule {
  const RuleInfo* rule = nullptr;
  std::string why;  // it did not decide
};

struct Explanation {
  enum class Outcome : uint8_t { kDecided, kMalformed, kUnknownAgent };
  Outcome outcome = Outcome::kDecided;
  Decision decision;           // of kDecided
  std::string fault;           // of kMalformed; of kUnknownAgent the nearest agent, or empty
  std::vector<NearRule> near;  // the nearest first
  size_t more = 0;             // rules on this upstream that are not listed
  std::string hint;            // where nothing is near: what to look at; or empty
  std::optional<Spend> spend;  // of an allow or ask
  std::string dispatched;      // the tool that is called inside; empty when none is

  // What must happen for an allow or ask to go out, in the policy's order.
  std::vector<const RuleInfo*> asks;
  std::vector<const GuardInfo*> guards;
  std::vector<const RateLimit*> limits;  // in force at the time of the call
  const RuleInfo* reported = nullptr;    // the rule in report mode that would decide otherwise
};

// `allow`, `ask`, `deny`, `malformed` or `unknown-agent`.
std::string_view outcome_of(const Explanation& explanation);

// The PolicySet must outlive the result. `now` stands in for the time of a call without one.
Explanation explain(const PolicySet& policy, std::string_view agent, const CallSpec& call,
                    Time now);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_EXPLAIN_H_
