// Tested end to end by tests/e2e/spend_test.mjs and agents_test.mjs.
#include "proxy/account_json.h"

#include <string_view>

#include "policy/money.h"
#include "proxy/clock.h"

namespace reeve {

boost::json::object account_json(const policy::AccountState& account) {
  static constexpr std::string_view kUnits[] = {"money", "calls", "tokens"};
  boost::json::object row{{"budget", account.key.budget},
                          {"scope", account.key.scope},
                          {"unit", kUnits[static_cast<size_t>(account.key.unit)]},
                          {"currency", account.key.currency},
                          {"period", policy::to_string(account.key.period)},
                          {"limit", policy::format_decimal(account.limit)},
                          {"used", policy::format_decimal(account.settled)},
                          {"reserved", policy::format_decimal(account.reserved)}};
  if (account.key.period != policy::Period::kTotal) {
    row["resets"] = format_time(account.window.end);
  }
  return row;
}

}  // namespace reeve
