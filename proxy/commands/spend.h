#ifndef REEVE_PROXY_COMMANDS_SPEND_H_
#define REEVE_PROXY_COMMANDS_SPEND_H_

#include <string>
#include <vector>

namespace reeve::commands {

// Budgets, and what calls cost by agent, team and upstream: 0, or 1 when neither the sidecar nor
// its state can be read; 2 usage.
int spend(std::vector<std::string> args);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_SPEND_H_
