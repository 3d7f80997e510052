// `reeve stdio`: for clients that start their servers. It needs no secret but the agent's own, so
// of reeve.yaml it reads where the sidecar listens, and nothing else.
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
#include "proxy/stdio/bridge.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"--agent", "A", "the agent that the credential must prove"},
    {"-c", "reeve.yaml", "where the sidecar listens (reeve.yaml without it)"},
    {"--listener", "NAME", "of several listeners, this one (the first without it)"},
};
constexpr Synopsis kSynopsis = {"stdio", "--agent A [-c reeve.yaml] [--listener NAME] UPSTREAM",
                                "An MCP upstream of the running sidecar, for a client that starts "
                                "its servers: JSON-RPC by lines "
                                "on standard\ninput and output. REEVE_TOKEN is the agent's token.",
                                kOptions, true};

}  // namespace

int stdio(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (!arguments->has("--agent")) return usage_error("stdio", "no --agent A");
  if (arguments->files().size() != 1) return usage_error("stdio", "name one UPSTREAM");
  const std::string file = arguments->has("-c") ? arguments->value("-c") : "reeve.yaml";
  Diagnostics diagnostics;
  const auto listeners = load_listeners(file, diagnostics);
  if (!listeners) {
    for (const Diagnostic& each : diagnostics.all()) fmt::print(stderr, "{}\n", to_string(each));
    return 2;
  }
  const ListenerConfig* chosen = &listeners->front();
  if (const auto name = arguments->find("--listener")) {
    chosen = nullptr;
    for (const ListenerConfig& each : *listeners) {
      if (each.name == *name) chosen = &each;
    }
    if (chosen == nullptr) {
      return usage_error("stdio", fmt::format("{} has no listener `{}`", file, *name));
    }
  }
  reeve::stdio::BridgeConfig config;
  config.sidecar = chosen->address;
  config.upstream = arguments->files().front();
  config.agent = arguments->value("--agent");
  const char* token = std::getenv("REEVE_TOKEN");
  config.token = token == nullptr ? "" : token;
  for (const std::string& value : {config.upstream, config.agent, config.token}) {
    for (const unsigned char c : value) {
      if (c <= ' ' || c >= 0x7f) {
        return usage_error("stdio",
                           "UPSTREAM, --agent and REEVE_TOKEN take no blanks and the like");
      }
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
  return reeve::stdio::run_bridge(config);
}

}  // namespace reeve::commands
