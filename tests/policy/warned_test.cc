// What `reeve check` warns of: each file of tests/data/policies/warned is a good policy that says
// on top which warnings it gets, all of them.
#include <catch2/catch.hpp>

#include "policy/policy_set.h"
#include "tests/support/expected_files.h"

namespace reeve::policy {
namespace {

TEST_CASE("policies that load, and what is said about them") {
  const size_t files = testing::expect_all(
      "warned", Severity::kWarning,
      [](const testing::ExpectedFile& file, Diagnostics& diagnostics) {
        return PolicySet::load({&file.source, 1}, file.wiring, diagnostics) != nullptr;
      });
  CHECK(files >= 30);
}

}  // namespace
}  // namespace reeve::policy
