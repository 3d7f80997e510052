// `approvals`: how calls wait for people.
#include "proxy/config/sections.h"

namespace reeve::config {

void read_approvals(Reader& r, const yaml::Node& node, Config& config) {
  if (!r.keys(node, "`approvals`",
              {{"hold_max", "hold_max_progress", "leg", "progress", "held", "held_bytes", "url"},
               {"webhooks"}})) {
    return;
  }
  ApprovalsConfig& to = config.approvals;
  if (const auto* v = node.find("hold_max")) to.hold_max = r.duration(*v);
  if (const auto* v = node.find("hold_max_progress")) to.hold_max_progress = r.duration(*v);
  if (const auto* v = node.find("leg")) to.leg = r.duration(*v);
  if (const auto* v = node.find("progress")) to.progress = r.duration(*v);
  if (const auto* v = node.find("held")) to.held = r.number(*v, 1, 100'000);
  if (const auto* v = node.find("held_bytes")) to.held_bytes = r.bytes(*v, 1024);
  if (const auto* v = node.find("url")) to.url = r.text(*v);
}

}  // namespace reeve::config
