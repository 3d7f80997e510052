// What differs between two policies, by whom it reaches: for reviews (`reeve diff`).
//
// Rules are compared by what they say of each upstream and pattern, not by where they stand: one
// that moved to another role, file or place, or was given an id, is no change for an agent that
// has it before and after.
#ifndef REEVE_POLICY_CHANGES_H_
#define REEVE_POLICY_CHANGES_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"

namespace reeve::policy {

struct Change {
  enum class How : uint8_t { kAdded, kRemoved, kChanged };
  How how = How::kChanged;
  // agent | rule | limit | guard (of a role) | budget | price | approvers | guards | server |
  // policy
  std::string subject;
  std::string name;                 // of an agent, budget, approver group, guard or server
  std::string key;                  // of kChanged: the member that differs
  std::vector<std::string> agents;  // of a rule, limit or guard: those it reaches; empty: nobody
  std::string before;               // in one line, as YAML; empty when there was nothing
  std::string after;
  std::string rule;  // its id, or ROLE.EFFECT[N]
  Place at;          // of what is there now, else of what was
};

std::string_view to_string(Change::How how);

// Requires files that load without error. In the order in which the policies say it: what stands
// above the sections, agents, then what agents may do, then the rest. Empty when nothing differs.
std::vector<Change> list_changes(std::span<const SourceFile> before,
                                 std::span<const SourceFile> after);

// The `when` of each rule, in one line, by RuleInfo::at as to_string() has it; rules without one
// are not there. Equal texts are equal conditions. Requires files that load without error.
std::unordered_map<std::string, std::string> conditions_of(std::span<const SourceFile> files);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_CHANGES_H_
