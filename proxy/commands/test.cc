// `reeve test FILE…`: each case of each file, failures in full, and a count as the last line.
#include <fmt/format.h>

#include "policy/json.h"
#include "policy/policy_test.h"
#include "proxy/clock.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/policy_source.h"
#include "proxy/policy_files.h"

namespace reeve::commands {

namespace {

constexpr Option kOptions[] = {
    {"-c", "reeve.yaml", "the wiring: upstreams and listeners are checked against it"},
    {"--json", "", "one JSON object per case, then the count"},
};
constexpr Synopsis kSynopsis = {"test", "[-c reeve.yaml] [--json] FILE…",
                                "Runs a policy's own tests. Exits with 0 when all pass, else 1.",
                                kOptions, true};

struct Count {
  size_t passed = 0;
  size_t failed = 0;
};

void report(const policy::TestCase& test, const std::string& failure, bool json) {
  if (json) {
    std::string line = "{\"at\":";
    json::append_string(line, to_string(test.at));
    line += ",\"name\":";
    json::append_string(line, test.name);
    line += failure.empty() ? ",\"passed\":true" : ",\"passed\":false,\"failure\":";
    if (!failure.empty()) json::append_string(line, failure);
    fmt::print("{}}}\n", line);
  } else if (!failure.empty()) {
    fmt::print("{}: FAILED: {}: {}\n", to_string(test.at), test.name, failure);
  }
}

std::string beside(const std::string& file, const std::string& path) {
  const size_t slash = file.rfind('/');
  if (path.starts_with('/') || slash == std::string::npos) return path;
  return file.substr(0, slash + 1) + path;
}

// False when the file or its policy cannot be used at all.
bool run_file(const std::string& name, const WiringSource& wiring, bool json, Count& count) {
  Diagnostics diagnostics;
  const auto source = read_source_file(name, diagnostics);
  const auto tests = source ? policy::parse_tests(*source, diagnostics) : std::nullopt;
  const auto policy =
      tests ? load_policy(beside(name, tests->policy), wiring, diagnostics) : nullptr;
  print_errors(diagnostics);
  if (!policy) return false;
  for (policy::TestCase test : tests->cases) {
    test.call.path_parameters = wiring.path_parameters(test.call.upstream);
    const std::string failure = policy::run_test(*policy, test, wall_now());
    ++(failure.empty() ? count.passed : count.failed);
    report(test, failure, json);
  }
  return true;
}

}  // namespace

int test(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (arguments->files().empty()) return usage_error("test", "no file; name a tests.yaml");
  Diagnostics diagnostics;
  const auto wiring = load_wiring(arguments->value("-c"), diagnostics);
  if (!wiring) {
    print_diagnostics(diagnostics);
    return 1;
  }
  const bool json = arguments->has("--json");
  Count count;
  bool good = true;
  for (const std::string& file : arguments->files()) {
    good = run_file(file, *wiring, json, count) && good;
  }
  if (!good) ++count.failed;  // a file that cannot be run is not a success
  if (json) {
    fmt::print("{{\"passed\":{},\"failed\":{}}}\n", count.passed, count.failed);
  } else {
    fmt::print("{} passed, {} failed\n", count.passed, count.failed);
  }
  return count.failed == 0 ? 0 : 1;
}

}  // namespace reeve::commands
