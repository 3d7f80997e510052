// Tested by tests/proxy/report_test.cc.
#include "proxy/report/tally.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace reeve::report {

std::string_view to_string(Denied denied) {
  switch (denied) {
    case Denied::kRule:
      return "by a rule";
    case Denied::kDefault:
      return "no rule allows it";
    case Denied::kBudget:
      return "a budget is spent";
    case Denied::kLimit:
      return "over a rate limit";
    case Denied::kPeople:
      return "people said no, or nothing";
    case Denied::kGuard:
      return "by a guard";
    case Denied::kState:
      return "the agent is stopped, suspended or expired";
    case Denied::kDrift:
      return "the tool had changed";
    case Denied::kMalformed:
      return "malformed";
    case Denied::kOther:
      return "for another reason";
  }
  return "";
}

Denied denied_by(std::string_view decision, std::string_view reason) {
  if (decision == "malformed" || reason == "malformed") return Denied::kMalformed;
  if (reason == "rule") return Denied::kRule;
  if (reason == "default") return Denied::kDefault;
  if (reason == "budget" || reason == "price") return Denied::kBudget;
  if (reason == "limit") return Denied::kLimit;
  if (reason == "approval") return Denied::kPeople;
  if (reason == "guard") return Denied::kGuard;
  if (reason == "drift") return Denied::kDrift;
  if (reason == "suspended" || reason == "retired" || reason == "expired" || reason == "stopped") {
    return Denied::kState;
  }
  return Denied::kOther;
}

void Counts::add(const Counts& other) {
  calls += other.calls;
  denied += other.denied;
  waiting += other.waiting;
  overlooked += other.overlooked;
  succeeded += other.succeeded;
  failed += other.failed;
  withheld += other.withheld;
  guarded += other.guarded;
  spent = policy::checked_add(spent, other.spent).value_or(spent);
  tokens += other.tokens;
  for (size_t i = 0; i < kDeniedKinds; ++i) why[i] += other.why[i];
}

void Approvals::add(const Approvals& other) {
  asked += other.asked;
  approved += other.approved;
  denied += other.denied;
  expired += other.expired;
  wait.add(other.wait);
}

bool comes_first(const Agent* a, const Agent* b) {
  return std::pair(~a->now.calls, std::string_view(a->name)) <
         std::pair(~b->now.calls, std::string_view(b->name));
}

std::vector<std::pair<std::string_view, const Tool*>> by_calls(const Tools& tools) {
  std::vector<std::pair<std::string_view, const Tool*>> sorted;
  for (const auto& [name, tool] : tools) sorted.emplace_back(name, &tool);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::pair(~a.second->calls, a.first) < std::pair(~b.second->calls, b.first);
  });
  return sorted;
}

Shift shift_of(const Tools& tools) {
  constexpr uint64_t kEnough = 30;
  uint64_t now = 0, before = 0;
  for (const auto& [name, tool] : tools) {
    now += tool.calls;
    before += tool.before;
  }
  Shift shift;
  shift.comparable = now >= kEnough && before >= kEnough;
  if (!shift.comparable) return shift;
  // A difference of two counts' parts has a mean size of sqrt(2/pi) times its deviation.
  const double noise = 1 / static_cast<double>(now) + 1 / static_cast<double>(before);
  for (const auto& [name, tool] : tools) {
    const double p = part(tool.calls, now), q = part(tool.before, before);
    const double both = part(tool.calls + tool.before, now + before);
    shift.size += std::abs(p - q) / 2;
    shift.chance += std::sqrt(2 / std::numbers::pi * both * (1 - both) * noise) / 2;
  }
  return shift;
}

}  // namespace reeve::report
