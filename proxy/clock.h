// The two clocks of the proxy: the wall for records and calendars, the monotonic for time limits.
#ifndef REEVE_PROXY_CLOCK_H_
#define REEVE_PROXY_CLOCK_H_

#include <time.h>

#include <chrono>
#include <string>

#include "policy/call.h"

namespace reeve {

using Steady = std::chrono::steady_clock::time_point;

inline policy::Time wall_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

inline Steady steady_now() { return std::chrono::steady_clock::now(); }

// The same clock as of the kernel's last tick, some milliseconds behind: for time limits of
// seconds.
inline Steady steady_coarse() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return Steady(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

inline constexpr size_t kTimeBytes = 27;
// Writes kTimeBytes bytes, RFC 3339 in UTC with microseconds: 2026-11-22T01:02:03.000004Z; their
// end. Appends the same.
char* write_time(char* to, policy::Time time);
void append_time(std::string& out, policy::Time time);
// The same to the second, for people and retry hints.
std::string format_time(policy::Time time);

}  // namespace reeve

#endif  // REEVE_PROXY_CLOCK_H_
