// `reeve check FILE…`: what is wrong with configurations, policies and their tests, all of it in
// one run. A file is told by its top-level keys, so that people need not say which is which.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "policy/json.h"
#include "policy/policy_test.h"
#include "policy/yaml.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/policy_source.h"
#include "proxy/enforceable.h"
#include "proxy/mcp/pin.h"
#include "proxy/pin_files.h"
#include "proxy/policy_files.h"

namespace reeve::commands {

namespace {

constexpr Option kOptions[] = {
    {"-c", "reeve.yaml", "the wiring that policies are checked against"},
    {"--strict", "", "warnings count as errors"},
    {"--json", "", "one JSON object"},
};
constexpr Synopsis kSynopsis = {
    "check", "[-c reeve.yaml] [--strict] [--json] FILE…",
    "Validates configurations (reeve.yaml, and the policy that it names), policies (a file or a "
    "folder)\nand their tests. Exits with 0 when there is no error, else 1.",
    kOptions, true};

enum class FileKind : uint8_t { kConfig, kPolicy, kTests, kUnreadable };

// By keys that only one of the three has. A file that cannot be parsed is taken for a policy, whose
// errors then say so.
FileKind kind_of(const std::string& path, Diagnostics& diagnostics) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return FileKind::kPolicy;
  const auto source = read_source_file(path, diagnostics);
  if (!source) return FileKind::kUnreadable;
  Diagnostics ignored;
  yaml::Limits limits;
  limits.duplicates_are_fatal = false;  // whoever reads the file says so
  const auto document = yaml::parse(source->text, path, ignored, limits);
  if (!document) return FileKind::kPolicy;
  const yaml::Node& root = document->root;
  if (root.find("cases") || (root.find("policy") && root.members.size() == 1)) {
    return FileKind::kTests;
  }
  if (root.find("agents") || root.find("roles") || root.find("version")) return FileKind::kPolicy;
  const yaml::Node* upstreams = root.find("upstreams");
  const bool wires = upstreams && upstreams->is_mapping();
  if (root.find("listen") || root.find("admin") || root.find("policy") || wires) {
    return FileKind::kConfig;
  }
  return FileKind::kPolicy;
}

class Checker {
 public:
  explicit Checker(const WiringSource& wiring) : wiring_(wiring) {}

  void check(const std::string& path) {
    switch (kind_of(path, diagnostics_)) {
      case FileKind::kUnreadable:
        return;
      case FileKind::kPolicy:
        check_policy(path, wiring_);
        return;
      case FileKind::kTests:
        check_tests(path);
        return;
      case FileKind::kConfig:
        check_config(path);
        return;
    }
  }

  // A configuration brings its wiring, so it goes before the policies beside it.
  void check_all(const std::vector<std::string>& paths) {
    std::vector<std::string> rest;
    for (const std::string& path : paths) {
      Diagnostics ignored;
      if (kind_of(path, ignored) == FileKind::kConfig) {
        check_config(path);
      } else {
        rest.push_back(path);
      }
    }
    for (const std::string& path : rest) check(path);
  }

  const Diagnostics& diagnostics() const { return diagnostics_; }
  const std::vector<std::string>& unchecked() const { return unchecked_; }
  const std::vector<std::string>& good() const { return good_; }

 private:
  void check_config(const std::string& path) {
    WiringSource wiring;
    wiring.config = load_config(path, diagnostics_);
    if (!wiring.config) return;
    good_.push_back(path);
    check_policy(wiring.config->policy, wiring);
  }

  bool is_first(const std::string& path) {
    std::error_code ignored;
    const auto full = std::filesystem::weakly_canonical(path, ignored).string();
    if (std::find(checked_.begin(), checked_.end(), full) != checked_.end()) return false;
    checked_.push_back(full);
    return true;
  }

  void check_policy(const std::string& path, const WiringSource& wiring) {
    if (!is_first(path)) return;
    const auto policy = load_policy(path, wiring, diagnostics_);
    const size_t errors_before = diagnostics_.error_count();
    if (policy) {
      // What is wired is to be enforced here; a policy alone may be meant for elsewhere.
      report_unenforced(*policy, wiring.config ? Severity::kError : Severity::kWarning,
                        wiring.wiring().fleet, diagnostics_);
      check_locks(*policy);
    }
    if (policy && diagnostics_.error_count() == errors_before) good_.push_back(path);
    if (!wiring.config) {
      unchecked_.push_back(
          fmt::format("{}: upstreams and listeners, for want of `-c reeve.yaml`", path));
    }
  }

  // What servers have, by their locks, beside what the policy says of them.
  void check_locks(const policy::PolicySet& policy) {
    const std::vector<mcp::PinLock> locks = load_locks(policy, Severity::kWarning, diagnostics_);
    std::vector<mcp::LockOf> of;
    for (const mcp::PinLock& lock : locks) of.push_back({lock.upstream, &lock});
    mcp::check_against_locks(policy, of, diagnostics_);
  }

  void check_tests(const std::string& path) {
    const auto source = read_source_file(path, diagnostics_);
    if (source && policy::parse_tests(*source, diagnostics_)) good_.push_back(path);
  }

  const WiringSource& wiring_;
  Diagnostics diagnostics_;
  std::vector<std::string> checked_;
  std::vector<std::string> unchecked_;
  std::vector<std::string> good_;
};

void print_json(const Checker& checker, size_t errors, size_t warnings) {
  std::string out =
      fmt::format("{{\"errors\":{},\"warnings\":{},\"diagnostics\":[", errors, warnings);
  const char* separator = "";
  for (const Diagnostic& diagnostic : checker.diagnostics().all()) {
    out += separator;
    separator = ",";
    out += diagnostic.severity == Severity::kError ? "{\"severity\":\"error\",\"file\":"
                                                   : "{\"severity\":\"warning\",\"file\":";
    json::append_string(out, diagnostic.place.file);
    out += fmt::format(",\"line\":{},\"column\":{},\"message\":", diagnostic.place.line,
                       diagnostic.place.column);
    json::append_string(out, diagnostic.message);
    out += '}';
  }
  out += "],\"unchecked\":[";
  separator = "";
  for (const std::string& what : checker.unchecked()) {
    out += separator;
    separator = ",";
    json::append_string(out, what);
  }
  fmt::print("{}]}}\n", out);
}

void print_text(const Checker& checker, size_t errors, size_t warnings) {
  for (const Diagnostic& diagnostic : checker.diagnostics().all()) {
    fmt::print("{}\n", to_string(diagnostic));
  }
  for (const std::string& what : checker.unchecked()) fmt::print("not checked: {}\n", what);
  for (const std::string& path : checker.good()) fmt::print("good: {}\n", path);
  fmt::print("{} error{}, {} warning{}\n", errors, errors == 1 ? "" : "s", warnings,
             warnings == 1 ? "" : "s");
}

}  // namespace

int check(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (arguments->files().empty()) {
    return usage_error("check", "no file; name a reeve.yaml or a policy");
  }
  Diagnostics of_wiring;
  const auto wiring = load_wiring(arguments->value("-c"), of_wiring);
  if (!wiring) {
    print_diagnostics(of_wiring);
    return 1;
  }
  Checker checker(*wiring);
  checker.check_all(arguments->files());
  const size_t errors = checker.diagnostics().error_count();
  const size_t warnings = checker.diagnostics().all().size() - errors;
  if (arguments->has("--json")) {
    print_json(checker, errors, warnings);
  } else {
    print_text(checker, errors, warnings);
  }
  return errors > 0 || (warnings > 0 && arguments->has("--strict")) ? 1 : 0;
}

}  // namespace reeve::commands
