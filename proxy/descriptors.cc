// Tested by tests/proxy/descriptors_test.cc and tests/e2e/overload_test.mjs.
#include "proxy/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace reeve {
namespace {

// Files, the store, signals, look-ups of names, reading a policy again; and of each event loop its
// epoll, timer, wake-up and spare.
constexpr size_t kOfTheProcess = 28;
constexpr size_t kOfALoop = 5;
constexpr size_t kMostAside = 64;  // of the admin side, and of those turned away

}  // namespace

DescriptorPlan plan_descriptors(size_t limit, unsigned threads, size_t listeners, size_t wanted) {
  DescriptorPlan plan;
  plan.admin = std::clamp<size_t>(limit / 16, 4, kMostAside);
  plan.turned_away = plan.admin;
  const size_t taken =
      kOfTheProcess + threads * (kOfALoop + listeners) + plan.admin + plan.turned_away;
  const size_t room = limit > taken ? (limit - taken) / 2 : 0;
  plan.connections = std::clamp<size_t>(room, 1, std::max<size_t>(wanted, 1));
  plan.lowered = plan.connections < wanted;
  return plan;
}

size_t raise_descriptor_limit(size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t target = std::min<rlim_t>(wanted, limit.rlim_max);
  if (target > limit.rlim_cur) {
    const rlimit raised{target, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit.rlim_cur = target;
  }
  return static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, size_t{1} << 30));
}

}  // namespace reeve
