// GET /v1/rules: the rules of the policy in force, in the order in which they decide.
#ifndef REEVE_PROXY_CONSOLE_RULES_H_
#define REEVE_PROXY_CONSOLE_RULES_H_

#include <string>

#include "policy/policy_set.h"

namespace reeve::console {

// `{"policy","mode","rules":[{"rule","role","effect","upstream","selects","because","at",…}]}`
std::string rules_json(const policy::PolicySet& policy);

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_RULES_H_
