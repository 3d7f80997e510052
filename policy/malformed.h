// Calls that have two readings, or names that do not show what they are: refused before any rule.
//
// Only what the policy can judge by the target: paths are normalised by path.h, bodies validated
// by json.h before they become a Call.
#ifndef REEVE_POLICY_MALFORMED_H_
#define REEVE_POLICY_MALFORMED_H_

#include "policy/call.h"

namespace reeve::policy {

// A static sentence that says what is malformed about the call, or null.
const char* malformed(const Call& call);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_MALFORMED_H_
