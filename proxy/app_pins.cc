// The locks of servers while the sidecar runs: read again when they change, counted. One that
// cannot be used changes nothing. Tested end to end by tests/e2e/drift_test.mjs.
#include "proxy/app.h"
#include "proxy/log.h"

namespace reeve {

std::optional<Pins> App::next_pins(const policy::PolicySet& policy, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  pins_seen_ = pin_files_signature(policy);
  auto pins = load_pins(policy, snapshot_->pins, diagnostics);
  if (diagnostics.error_count() > errors_before) ++pin_reloads_failed_;
  return pins;
}

void App::reload_pins() {
  Diagnostics diagnostics;
  auto pins = next_pins(*snapshot_->policy, diagnostics);
  std::string members;
  if (diagnostics.error_count() > 0) {
    const std::string why = to_string(diagnostics.all().front());
    log(LogLevel::kError, why);
    log(LogLevel::kError, "the new lock is refused; the running one stays in force");
    members = ",\"result\":\"error\",\"error\":";
    json::append_string(members, why);
  } else {
    ++pin_reloads_ok_;
    log(LogLevel::kInfo, "the locks of servers were read again");
    members = ",\"result\":\"ok\"";
  }
  members += ",\"policy\":";
  json::append_string(members, snapshot_->policy->sha256());
  journal_->append("pin", members, wall_now());
  if (!pins) return;
  auto snapshot = std::make_shared<Snapshot>(*snapshot_);
  snapshot->pins = std::move(*pins);
  snapshot_ = std::move(snapshot);
  for (const auto& worker : workers_) worker->replace_snapshot(snapshot_);
}

void App::add_pin_gauges(Gauges& gauges) const {
  gauges.pin_reloads_ok = pin_reloads_ok_;
  gauges.pin_reloads_failed = pin_reloads_failed_;
  for (const PinWatch::Counts& counts : services_.pins.counts()) {
    gauges.drifts.push_back({counts.upstream,
                             {counts.changes.begin(), counts.changes.end()},
                             counts.hidden,
                             counts.drifted});
  }
}

}  // namespace reeve
