// Policies from text, for tests: they must load, and calls in one line.
#ifndef REEVE_TESTS_SUPPORT_POLICY_LOADER_H_
#define REEVE_TESTS_SUPPORT_POLICY_LOADER_H_

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "policy/policy_set.h"

namespace reeve::testing {

inline std::shared_ptr<const policy::PolicySet> load(const std::string& text) {
  const policy::SourceFile file{"policy.yaml", text};
  Diagnostics diagnostics;
  auto policy = policy::PolicySet::load({&file, 1}, {}, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity == Severity::kError) UNSCOPED_INFO(to_string(diagnostic));
  }
  REQUIRE(policy);
  return policy;
}

// All diagnostics of loading `text`, one a line.
inline std::string diagnose(const std::string& text, const policy::Wiring& wiring = {}) {
  const policy::SourceFile file{"policy.yaml", text};
  Diagnostics diagnostics;
  const auto policy = policy::PolicySet::load({&file, 1}, wiring, diagnostics);
  CHECK((policy == nullptr) == diagnostics.has_errors());
  std::string result;
  for (const Diagnostic& diagnostic : diagnostics.all()) result += to_string(diagnostic) + "\n";
  return result;
}

inline policy::Call tool_call(std::string_view upstream, std::string_view tool) {
  policy::Call call;
  call.upstream = upstream;
  call.kind = policy::Kind::kTool;
  call.action = "tools/call";
  call.target = tool;
  return call;
}

}  // namespace reeve::testing

#endif  // REEVE_TESTS_SUPPORT_POLICY_LOADER_H_
