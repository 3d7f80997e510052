// The examples of policy/README.md are true. A block with `agents` is a policy that loads without a
// word; one with `cases` is a test of all that stands before it, and passes; any other is a further
// file of that policy's folder, and loads with it.
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

bool has_section(const std::string& block, const std::string& name) {
  return block.starts_with(name + ":") || block.find("\n" + name + ":") != block.npos;
}

std::shared_ptr<const PolicySet> load_all(const std::vector<SourceFile>& files) {
  Diagnostics diagnostics;
  auto policy = PolicySet::load(files, {}, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity == Severity::kError) UNSCOPED_INFO(to_string(diagnostic));
  }
  REQUIRE(policy);
  return policy;
}

TEST_CASE("the examples of the README work") {
  std::ifstream in(std::string(REEVE_SOURCE_DIR) + "/policy/README.md");
  std::stringstream text;
  text << in.rdbuf();
  const std::vector<std::string> blocks = yaml_blocks(text.str());
  std::vector<SourceFile> folder;
  std::shared_ptr<const PolicySet> policy;
  size_t cases = 0;
  for (const std::string& block : blocks) {
    const std::string name = "block-" + std::to_string(folder.size()) + ".yaml";
    CAPTURE(name, block);
    if (has_section(block, "agents")) {
      CHECK(testing::diagnose(block).empty());
      folder.clear();
    }
    if (!has_section(block, "cases")) {
      folder.push_back({name, block});
      policy = load_all(folder);
      continue;
    }
    Diagnostics diagnostics;
    const auto tests = parse_tests({"tests.yaml", block}, diagnostics);
    REQUIRE(tests);
    REQUIRE(policy);
    for (const TestCase& test : tests->cases) {
      CHECK(run_test(*policy, test,
                     Time(std::chrono::sys_days(std::chrono::year(2026) / 11 / 20))) == "");
      ++cases;
    }
  }
  CHECK(blocks.size() >= 9);
  CHECK(cases >= 10);
}

}  // namespace
}  // namespace reeve::policy
