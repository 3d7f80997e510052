// The examples of policy/README.md are true: the policy loads without an error, its test passes.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "policy/policy_test.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

std::vector<std::string> yaml_blocks(const std::string& text) {
  constexpr std::string_view kBegin = "```yaml\n";
  std::vector<std::string> blocks;
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at)) {
    at += kBegin.size();
    blocks.push_back(text.substr(at, text.find("```", at) - at));
  }
  return blocks;
}

TEST_CASE("the examples of the README work") {
  std::ifstream in(std::string(REEVE_SOURCE_DIR) + "/policy/README.md");
  std::stringstream text;
  text << in.rdbuf();
  const std::vector<std::string> blocks = yaml_blocks(text.str());
  REQUIRE(blocks.size() == 2);
  const auto policy = testing::load(blocks[0]);
  CHECK(testing::diagnose(blocks[0]).empty());
  Diagnostics diagnostics;
  const auto tests = parse_tests({"tests.yaml", blocks[1]}, diagnostics);
  REQUIRE(tests);
  REQUIRE(tests->cases.size() == 1);
  CHECK(run_test(*policy, tests->cases[0], Time{}) == "");
  TestCase small = tests->cases[0];
  small.call.args = R"({"amount": 50, "currency": "USD"})";
  small.expect = "allow";
  CHECK(run_test(*policy, small, Time{}) == "");
}

}  // namespace
}  // namespace reeve::policy
