// reeve: which command, and nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "policy/diagnostic.h"
#include "proxy/about.h"
#include "proxy/app.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/spend.h"
#include "proxy/commands/token.h"
#include "proxy/version.h"

namespace reeve {
namespace {

struct Command {
  const char* name;
  const char* does;
  int (*run)(std::vector<std::string> args);
};

constexpr commands::Option kServeOptions[] = {
    {"-c", "reeve.yaml", "how the sidecar is wired (./reeve.yaml without it)"},
};
constexpr commands::Synopsis kServe = {
    "serve", "[-c reeve.yaml]",
    "The sidecar. SIGHUP and a change of the policy's files reload the policy; SIGTERM drains.\n"
    "Exits with 0, or 2 for a bad configuration.",
    kServeOptions};

int serve(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = commands::Arguments::parse(kServe, args, exit_code);
  if (!arguments) return exit_code;
  const std::string file = arguments->find("-c").value_or("reeve.yaml");
  Diagnostics diagnostics;
  const auto print = [&] {
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      fmt::print(stderr, "{}\n", to_string(diagnostic));
    }
  };
  auto config = load_config(file, diagnostics);
  if (!config) {
    print();
    return 2;
  }
  auto app = App::create(std::move(*config), diagnostics);
  print();
  if (!app) {
    fmt::print(stderr, "reeve: {}\n", app.error().message);
    return 2;
  }
  return (*app)->run();
}

constexpr Command kCommands[] = {
    {"serve", "the sidecar", serve},
    {"check", "validates configuration and policies", commands::check},
    {"explain", "what the policy decides about a call, and why", commands::explain},
    {"test", "runs the policy's own tests", commands::test},
    {"access", "who may do what", commands::access},
    {"diff", "what changes between two policies, and for which recorded calls", commands::diff},
    {"suggest", "grants never used, and the tightest policy that allows what was seen",
     commands::suggest},
    {"agents", "who works here, and the stop", commands::agents},
    {"report", "what agents did in a period, and what needs attention", commands::report},
    {"status", "how the running sidecar is", commands::status},
    {"approvals", "what waits for people, and their answers", commands::approvals},
    {"spend", "budgets, and what calls cost, by agent, team and upstream", commands::spend},
    {"audit", "checks the record, asks it, exports it", commands::audit},
    {"stdio", "an upstream on standard input and output, through the sidecar", commands::stdio},
    {"pin", "the lock of an MCP server's tools", commands::pin},
    {"token", "a new token and its hash", commands::token},
};

int help(std::FILE* to) {
  fmt::print(to, "reeve {}: a sidecar between AI agents and the systems they work with\n\n",
             kVersion);
  for (const Command& command : kCommands) {
    fmt::print(to, "  reeve {:<9} {}\n", command.name, command.does);
  }
  fmt::print(to, "\nEach takes --help.\n");
  return to == stdout ? 0 : 2;
}

int run(std::vector<std::string> args) {
  if (args.empty()) return help(stderr);
  const std::string name = args.front();
  args.erase(args.begin());
  if (name == "--help" || name == "help") return help(stdout);
  if (name == "--version") {
    fmt::print("{}", about());
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(std::move(args));
    names.emplace_back(command.name);
  }
  const std::string near = nearest(name, names);
  fmt::print(stderr, "reeve: there is no command `{}`; {}\n", name,
             near.empty() ? "see `reeve --help`" : fmt::format("did you mean `{}`?", near));
  return 2;
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  return reeve::run(std::vector<std::string>(argv + 1, argv + argc));
}
