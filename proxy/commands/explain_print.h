// An explanation for people as text, for programs as one JSON object; on stdout.
#ifndef REEVE_PROXY_COMMANDS_EXPLAIN_PRINT_H_
#define REEVE_PROXY_COMMANDS_EXPLAIN_PRINT_H_

#include <string>

#include "policy/explain.h"

namespace reeve::commands {

// `agent` as it was asked for.
void print_explanation(const policy::PolicySet& policy, const policy::Explanation& explanation,
                       const std::string& agent);
void print_explanation_json(const policy::PolicySet& policy,
                            const policy::Explanation& explanation);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_EXPLAIN_PRINT_H_
