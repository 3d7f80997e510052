// Who may do what: the rules of each agent as rows, or who may call one tool. For reviews.
#ifndef REEVE_POLICY_ACCESS_H_
#define REEVE_POLICY_ACCESS_H_

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_set.h"

namespace reeve::policy {

struct AccessFilter {
  std::string agent;     // empty: all
  std::string upstream;  // empty: all
  std::string tool;      // empty: every rule; else what decides about this tool
  Time now{};
};

struct AccessRow {
  std::string agent;
  std::string upstream;  // as the rule has it, or the name asked about
  std::string effect;    // allow | ask | deny, or the agent's state that refuses everything
  std::string what;      // "tools customers.get, tickets.*"; "everything"
  const RuleInfo* rule = nullptr;  // null: by default, or by the agent's state
};

struct CompiledRule;  // compiled.h

// What a rule selects: "tools customers.get, tickets.*", "everything when time".
std::string selects(const CompiledRule& rule);

// By agent in file order, then in the order in which rules decide.
std::vector<AccessRow> list_access(const PolicySet& policy, const AccessFilter& filter);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_ACCESS_H_
