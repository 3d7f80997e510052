// The names of effects, verdicts and reasons as records and messages show them (interfaces.md's
// words). Tested by tests/policy/evaluate_test.cc.
#include "policy/decision.h"

namespace reeve::policy {

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::kDeny:
      return "deny";
    case Effect::kAsk:
      return "ask";
    case Effect::kAllow:
      return "allow";
  }
  return "deny";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAllow:
      return "allow";
    case Verdict::kAsk:
      return "ask";
    case Verdict::kDeny:
      return "deny";
    case Verdict::kMalformed:
      return "malformed";
  }
  return "deny";
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kRule:
      return "rule";
    case Reason::kDefault:
      return "default";
    case Reason::kSuspended:
      return "suspended";
    case Reason::kRetired:
      return "retired";
    case Reason::kExpired:
      return "expired";
    case Reason::kMalformed:
      return "malformed";
    case Reason::kPrice:
      return "price";
  }
  return "default";
}

}  // namespace reeve::policy
