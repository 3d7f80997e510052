// A policy's own tests: tests.yaml read into cases, and a case run against a policy.
//
// A case says an agent, a call and what must come out. The call goes the way that explain() goes,
// which is the sidecar's. No I/O here: the command reads the files.
#ifndef REEVE_POLICY_POLICY_TEST_H_
#define REEVE_POLICY_POLICY_TEST_H_

#include <optional>
#include <string>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"
#include "policy/written_call.h"

namespace reeve::policy {

struct TestCase {
  Place at;
  std::string name;  // as given, or a description of the call
  std::string agent;
  CallSpec call;
  std::string expect;  // allow | ask | deny | unknown-agent | malformed
  std::string rule;    // its id, or empty
};

struct TestFile {
  std::string policy;  // path as written, relative to the file
  Place policy_at;
  std::vector<TestCase> cases;
};

// Nothing when there is an error; all of them are in `diagnostics`.
std::optional<TestFile> parse_tests(const SourceFile& file, Diagnostics& diagnostics);

// Empty when the case passes; else what came out instead, in one line.
std::string run_test(const PolicySet& policy, const TestCase& test, Time now);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_POLICY_TEST_H_
