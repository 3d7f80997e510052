// What /metrics shows of approvals.
#ifndef REEVE_PROXY_APPROVALS_COUNTS_H_
#define REEVE_PROXY_APPROVALS_COUNTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace reeve::approvals {

inline constexpr std::array<double, 10> kWaitBounds = {1,   5,    15,   60,    300,
                                                       900, 1800, 3600, 14400, 86400};

struct Counts {
  std::map<std::pair<std::string, std::string>, uint64_t> verdicts;  // by agent and verdict
  size_t pending = 0;
  std::array<uint64_t, kWaitBounds.size() + 1> waits{};  // until a decision, by kWaitBounds
  double wait_sum = 0;                                   // seconds
};

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_COUNTS_H_
