// The policy that a command looks at: read, with what reeve.yaml says is wired where `-c` gives it.
#ifndef REEVE_PROXY_COMMANDS_POLICY_SOURCE_H_
#define REEVE_PROXY_COMMANDS_POLICY_SOURCE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"
#include "proxy/config.h"

namespace reeve::commands {

// What `-c` names; the wiring is empty without it.
struct WiringSource {
  std::optional<Config> config;

  policy::Wiring wiring() const { return config ? config->wiring() : policy::Wiring{}; }
  // Whether the upstream takes `;` in paths.
  bool path_parameters(std::string_view upstream) const;
};

// An empty `path` is no wiring. Nothing on error.
std::optional<WiringSource> load_wiring(const std::string& path, Diagnostics& diagnostics);

std::shared_ptr<const policy::PolicySet> load_policy(const std::string& path,
                                                     const WiringSource& wiring,
                                                     Diagnostics& diagnostics);

// All of them on stderr, one a line.
void print_diagnostics(const Diagnostics& diagnostics);
// The errors alone, for commands in which warnings would be in the way.
void print_errors(const Diagnostics& diagnostics);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_POLICY_SOURCE_H_
