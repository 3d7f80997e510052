// What the policy says about one call.
#ifndef REEVE_POLICY_DECISION_H_
#define REEVE_POLICY_DECISION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/diagnostic.h"
#include "policy/obligation.h"

namespace reeve::policy {

enum class Effect : uint8_t { kDeny, kAsk, kAllow };  // in the order in which they decide

// A rule as messages and records name it. Owned by the PolicySet.
struct RuleInfo {
  Effect effect = Effect::kDeny;
  std::string id;  // as given, or ROLE.EFFECT[N]
  std::string role;
  std::string because;  // empty when not given
  Place at;
  bool hidden = false;  // a deny that answers as if the tool did not exist
  bool report = false;  // recorded, not enforced: never the rule of a Decision
  AskTerms ask;         // of kAsk
  std::string audit;    // digest | redacted | full of the arguments; empty: as configured
};

enum class Verdict : uint8_t { kAllow, kAsk, kDeny, kMalformed };

enum class Reason : uint8_t {
  kRule,       // `rule` decided
  kDefault,    // no rule matched
  kSuspended,  // the agent's status
  kRetired,
  kExpired,
  kMalformed,  // `detail` says what
  kPrice,      // what the call costs cannot be told; `detail` says why
};

std::string_view to_string(Effect effect);
std::string_view to_string(Verdict verdict);
std::string_view to_string(Reason reason);

struct Decision {
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kDefault;
  const RuleInfo* rule = nullptr;  // valid as long as the PolicySet
  const char* detail = "";         // static; for kMalformed and kPrice

  bool allowed() const { return verdict == Verdict::kAllow; }
  bool denied() const { return verdict == Verdict::kDeny; }
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_DECISION_H_
