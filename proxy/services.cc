// Tested by tests/proxy/journal_test.cc.
#include "proxy/services.h"

#include <fmt/format.h>

#include "policy/json.h"

namespace reeve {

AgentCalls::Counter& AgentCalls::counter(const std::string& agent) {
  const std::lock_guard lock(mutex_);
  return counters_[agent];
}

bool KnockLimit::admit(const std::string& listener, int64_t second) {
  constexpr uint64_t kLinesPerSecond = 10;
  std::lock_guard lock(mutex_);
  Count& count = counts_[listener];
  if (count.second != second) {
    count.second = second;
    count.lines = 0;
  }
  if (count.lines < kLinesPerSecond) {
    ++count.lines;
    return true;
  }
  ++count.suppressed;
  return false;
}

std::map<std::string, uint64_t> KnockLimit::take_suppressed(int64_t second) {
  std::map<std::string, uint64_t> out;
  std::lock_guard lock(mutex_);
  for (auto& [listener, count] : counts_) {
    if (count.suppressed > 0 && count.told_second != second) {
      out[listener] = count.suppressed;
      count.suppressed = 0;
      count.told_second = second;
    }
  }
  return out;
}

void record_knocks(Services& services, int64_t second, policy::Time now) {
  for (const auto& [listener, count] : services.knocks.take_suppressed(second)) {
    std::string members = ",\"listener\":";
    json::append_string(members, listener);
    members += fmt::format(",\"decision\":\"unknown-agent\",\"count\":{}", count);
    services.journal.append("decision", members, now);
  }
}

}  // namespace reeve
