// What `reeve spend` shows people: budgets with bars and the time until they begin anew, and what
// was spent by whom and where.
#ifndef REEVE_PROXY_COMMANDS_SPEND_PRINT_H_
#define REEVE_PROXY_COMMANDS_SPEND_PRINT_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/money.h"
#include "proxy/commands/spend_record.h"

namespace reeve::commands {

// One of /v1/budgets, as it is told there.
struct BudgetRow {
  std::string budget, scope, unit, period;  // unit: USD, calls, tokens
  policy::Micros limit = 0, used = 0, reserved = 0;
  policy::Micros approved = 0;  // of what is used or reserved, let through beyond the limit
  int warn_percent = 0;
  std::optional<policy::Time> resets;  // nothing: never

  policy::Micros taken() const { return policy::checked_add(used, reserved).value_or(INT64_MAX); }
};

// Nothing when the answer is none of /v1/budgets.
std::optional<std::vector<BudgetRow>> read_budgets(std::string_view json);

struct Look {
  bool bars = false;
  bool colour = false;
};

// A table with a head, each line ended; a sentence when there are none.
std::string budget_table(std::span<const BudgetRow> rows, policy::Time now, Look look);
// Three of them: by agent, team and upstream.
std::string spent_tables(const SpendSums& sums, std::string_view currency);

// `in 3 d 4 h`, in two units at most, rounded down to the smaller one; `now` for what is over.
std::string time_until(policy::Time then, policy::Time now);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_SPEND_PRINT_H_
