// Budgets as data: what may be spent, by whom, in which window. The running state is in ledger.h.
#ifndef REEVE_POLICY_BUDGET_H_
#define REEVE_POLICY_BUDGET_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/decision.h"
#include "policy/money.h"
#include "policy/obligation.h"

namespace reeve::policy {

enum class Unit : uint8_t { kMoney, kCalls, kTokens };
enum class Period : uint8_t { kMinute, kHour, kDay, kWeek, kMonth, kQuarter, kYear, kTotal };

std::string_view to_string(Period period);

// One account: a budget for one scope (`{each: agent}` gives one account per agent). Accounts are
// known by (budget, scope) across reloads and restarts.
struct AccountSpec {
  std::string budget;  // name; `agent:NAME` for an agent's own short budget
  std::string scope;   // agent:x | role:x | team:x | everyone
  Unit unit = Unit::kMoney;
  std::string currency;  // of kMoney
  Micros limit = 0;
  Period period = Period::kDay;
  std::string zone = "UTC";     // IANA; in which calendar periods turn over
  int warn_percent = 0;         // 0: no warning
  std::optional<AskTerms> ask;  // `then: ask`: beyond the limit a call waits for a yes
  Place at;
};

// What one call draws on one account: an index into PolicySet::accounts().
struct Draw {
  uint32_t account = 0;
  Micros amount = 0;
};

// All that a call can cost, at most. A call that would draw on more accounts than fit is refused
// at load ("too many budgets cover one call").
struct Spend {
  static constexpr size_t kMaxDraws = 32;
  Micros cost = 0;  // money, 0 when no price names the call
  const RuleInfo* price = nullptr;
  // The cost is by tokens: unless the call says how many, `cost` and the draws hold what the price
  // itself bounds, which may be 0.
  bool by_tokens = false;
  // The pattern that names the model in its price, as written; empty: none does.
  std::string_view model_pattern;
  std::array<Draw, kMaxDraws> draws;
  uint32_t count = 0;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_BUDGET_H_
