// See policy_source.h. Tested by tests/proxy/commands_test.cc.
#include "proxy/commands/policy_source.h"

#include <fmt/format.h>

#include "proxy/policy_files.h"

namespace reeve::commands {

bool WiringSource::path_parameters(std::string_view upstream) const {
  if (!config) return false;
  for (const UpstreamConfig& known : config->upstreams) {
    if (known.name == upstream) return known.path_parameters;
  }
  return false;
}

std::optional<WiringSource> load_wiring(const std::string& path, Diagnostics& diagnostics) {
  WiringSource source;
  if (path.empty()) return source;
  source.config = load_config(path, diagnostics);
  if (!source.config) return std::nullopt;
  return source;
}

std::shared_ptr<const policy::PolicySet> load_policy(const std::string& path,
                                                     const WiringSource& wiring,
                                                     Diagnostics& diagnostics) {
  const auto files = read_policy_files(path, diagnostics);
  if (!files) return nullptr;
  return policy::PolicySet::load(*files, wiring.wiring(), diagnostics);
}

void print_diagnostics(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    fmt::print(stderr, "{}\n", to_string(diagnostic));
  }
}

void print_errors(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity == Severity::kError) {
      fmt::print(stderr, "{}\n", to_string(diagnostic));
    }
  }
}

}  // namespace reeve::commands
