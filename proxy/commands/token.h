// `reeve token`: a new token for an agent or a person, and the hash that goes into the policy.
#ifndef REEVE_PROXY_COMMANDS_TOKEN_H_
#define REEVE_PROXY_COMMANDS_TOKEN_H_

#include <string>
#include <vector>

namespace reeve::commands {

int token(std::vector<std::string> args);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_TOKEN_H_
