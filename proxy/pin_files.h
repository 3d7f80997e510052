// The locks that a policy's `servers` name, read from disk.
#ifndef REEVE_PROXY_PIN_FILES_H_
#define REEVE_PROXY_PIN_FILES_H_

#include <vector>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"
#include "proxy/mcp/pin_lock.h"

namespace reeve {

// Those that are there and good; PinLock::upstream is the server's name in the policy. A lock with
// errors, or of another upstream, is an error; one that is missing is of `missing`, since it is
// written by `reeve pin`.
std::vector<mcp::PinLock> load_locks(const policy::PolicySet& policy, Severity missing,
                                     Diagnostics& diagnostics);

}  // namespace reeve

#endif  // REEVE_PROXY_PIN_FILES_H_
