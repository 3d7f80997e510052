// What one call sees of the policy, from its first step to its last: never a mix of two policies.
//
// Immutable. Each worker holds its own copy of the pointer, replaced on its own thread, so that a
// call's reference count is never shared between threads.
#ifndef REEVE_PROXY_SNAPSHOT_H_
#define REEVE_PROXY_SNAPSHOT_H_

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/policy_set.h"
#include "proxy/metrics.h"
#include "proxy/pin_files.h"
#include "proxy/services.h"
#include "proxy/spend.h"

namespace reeve {

struct Snapshot {
  std::shared_ptr<const policy::PolicySet> policy;
  Pins pins;                        // of policy's servers
  Treasury::Binding accounts;       // of policy->accounts()
  std::vector<Label> agent_labels;  // of policy->agents()
  std::vector<AgentCalls::Counter*> agent_calls;
  bool rules_record_bodies = false;  // some rule's `audit` wants more of them than nothing
  std::unordered_map<std::string_view, Label> model_labels;  // of patterns in policy->spend()
};

}  // namespace reeve

#endif  // REEVE_PROXY_SNAPSHOT_H_
