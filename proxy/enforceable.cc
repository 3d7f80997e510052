// See enforceable.h. What a policy says is acted on is the one list here: a feature goes live by
// entering it, and one that is unknown to it is refused. Tested by tests/e2e/startup_test.mjs.
#include "proxy/enforceable.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace reeve {

namespace {

constexpr std::string_view kAsksOfBudgets = "then: ask";
constexpr std::string_view kActedOn[] = {"mode: report",
                                         "mode: report on a rule",
                                         "connect",
                                         "spiffe",
                                         "unix_uid",
                                         "limits",
                                         "probation",
                                         "models",
                                         "model",
                                         "tokens",
                                         "input",
                                         "cached_input",
                                         "cache_write",
                                         "output",
                                         "unknown_model",
                                         "dispatch",
                                         "warn",
                                         "pin",
                                         "guards",
                                         "ask",
                                         "approvers",
                                         "audit",
                                         "review",
                                         "then: ask",
                                         "cost: {from: result…}"};

bool is_acted_on(std::string_view feature) {
  return std::find(std::begin(kActedOn), std::end(kActedOn), feature) != std::end(kActedOn);
}

}  // namespace

void report_unenforced(const policy::PolicySet& policy, Severity severity, bool fleet,
                       Diagnostics& diagnostics) {
  for (const policy::FeaturePlace& feature : policy.features()) {
    // What people let through beyond a shared limit, the other sidecars would not know of.
    if (fleet && feature.name == kAsksOfBudgets) {
      diagnostics.error(feature.at,
                        "a budget that asks cannot be shared: remove `then: ask`, or "
                        "`fleet` from reeve.yaml");
      continue;
    }
    if (is_acted_on(feature.name)) continue;
    if (severity == Severity::kError) {
      diagnostics.error(
          feature.at,
          fmt::format("`{}` is not yet enforced by this version; remove it", feature.name));
    } else {
      diagnostics.warning(
          feature.at, fmt::format("`{}` is not yet enforced by this version: `reeve serve` refuses "
                                  "the policy; remove it there",
                                  feature.name));
    }
  }
}

}  // namespace reeve
