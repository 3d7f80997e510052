#include "proxy/descriptors.h"

#include <catch2/catch.hpp>

namespace reeve {
namespace {

TEST_CASE("descriptors: agents never get those that others need") {
  for (const size_t limit : {0, 16, 64, 128, 256, 1024, 4096, 21'100, 1 << 20}) {
    for (const unsigned threads : {1u, 2u, 8u}) {
      const DescriptorPlan plan = plan_descriptors(limit, threads, 2, 10'000);
      INFO("limit " << limit << ", threads " << threads);
      CHECK(plan.connections >= 1);
      CHECK(plan.connections <= 10'000);
      CHECK(plan.admin >= 4);
      CHECK(plan.lowered == (plan.connections < 10'000));
      if (plan.connections == 1) continue;
      const size_t own = 20 + threads * 6;  // what an idle sidecar was seen to hold, and more
      CHECK(2 * plan.connections + plan.admin + plan.turned_away + own <= limit);
    }
  }
  CHECK(plan_descriptors(128, 1, 1, 10'000).connections == 39);
  CHECK(plan_descriptors(1 << 20, 1, 1, 10'000).connections == 10'000);
  CHECK(plan_descriptors(1 << 20, 1, 1, 8).connections == 8);
}

}  // namespace
}  // namespace reeve
