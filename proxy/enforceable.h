// Which keys of the policy language this sidecar acts on. The others are refused where a policy is
// to be enforced, never ignored; check, test, explain and access know all of the language.
#ifndef REEVE_PROXY_ENFORCEABLE_H_
#define REEVE_PROXY_ENFORCEABLE_H_

#include "policy/diagnostic.h"
#include "policy/policy_set.h"

namespace reeve {

// Adds one diagnostic for each use of a key that has no effect yet, or none in a fleet: errors
// where the policy is to be enforced, else warnings.
void report_unenforced(const policy::PolicySet& policy, Severity severity, bool fleet,
                       Diagnostics& diagnostics);

}  // namespace reeve

#endif  // REEVE_PROXY_ENFORCEABLE_H_
