// The locks that a policy's `servers` name, read from disk.
#ifndef REEVE_PROXY_PIN_FILES_H_
#define REEVE_PROXY_PIN_FILES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

// A lock in force. Immutable; lives as long as the calls that see it.
struct Pin {
  std::string upstream;
  std::string path;
  mcp::PinLock lock;
  uint64_t serial = 0;  // of this process; another lock has another
};
using Pins = std::vector<std::shared_ptr<const Pin>>;
const Pin* find_pin(const Pins& pins, std::string_view upstream);  // or null

// The locks that a policy is enforced with. One that cannot be used is an error, in `diagnostics`;
// where `in_force` has one from the same path, that stays, else nothing is returned. A lock that
// says what the one in force says is that one.
std::optional<Pins> load_pins(const policy::PolicySet& policy, const Pins& in_force,
                              Diagnostics& diagnostics);

// Changes whenever the locks' files may have.
std::string pin_files_signature(const policy::PolicySet& policy);

}  // namespace reeve

#endif  // REEVE_PROXY_PIN_FILES_H_
