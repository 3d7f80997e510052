// Tested by tests/proxy/upstream_health_test.cc, and end to end by tests/e2e/upstreams_test.mjs.
#include "proxy/upstream/health.h"

#include <fmt/format.h>

#include <algorithm>

namespace reeve {

std::string_view to_string(Trouble trouble) {
  static constexpr std::string_view kNames[] = {"connect", "timeout", "protocol", "closed",
                                                "gateway"};
  return kNames[static_cast<size_t>(trouble)];
}

Health::State Health::state() const {
  if (ejected_until_ != Steady{}) return probing_ ? State::kProbing : State::kEjected;
  if (failures_ == 0) return State::kUp;
  return down_ ? State::kDown : State::kFailing;
}

bool Health::begin(Steady now) {
  if (ejected_until_ == Steady{} || !may_probe(now)) return false;
  probing_ = true;
  return true;
}

void Health::succeeded(Steady now) {
  seen_at_ = now;
  if (failures_ == 0) return;
  failures_ = streak_ = 0;
  probing_ = down_ = false;
  ejected_until_ = {};
}

bool Health::failed(Trouble trouble, std::string_view detail, Steady now, bool eject,
                    uint32_t random) {
  const bool probed = probing_;
  probing_ = false;
  ++failures_;
  down_ = down_ || trouble == Trouble::kConnect || failures_ >= kTolerated;
  seen_at_ = last_error_at_ = now;
  last_error_ = fmt::format("{}: {}", to_string(trouble), detail);
  if (!eject) {
    ejected_until_ = {};
    return false;
  }
  // A call that went here because every address is ejected does not make it longer.
  if (ejected_until_ != Steady{} && !probed) return false;
  if (!probed && !down_) return false;
  const auto base = std::min(kFirstEjection * (1 << std::min(streak_, 10u)), kLongestEjection);
  ++streak_;
  ++ejections_;
  const auto quarter = static_cast<uint32_t>(base.count() / 4);
  ejected_until_ = now + base + std::chrono::milliseconds(random % (quarter + 1));
  return true;
}

}  // namespace reeve
