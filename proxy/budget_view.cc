// Tested end to end by tests/e2e/spend_command_test.mjs and agents_test.mjs.
#include "proxy/budget_view.h"

#include <boost/json.hpp>

#include "proxy/clock.h"

namespace reeve {

std::string_view unit_name(const policy::AccountKey& key) {
  switch (key.unit) {
    case policy::Unit::kMoney:
      return key.currency;
    case policy::Unit::kCalls:
      return "calls";
    case policy::Unit::kTokens:
      return "tokens";
  }
  return "";
}

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
  if (account.approved > 0) row["approved_over_limit"] = policy::format_decimal(account.approved);
  if (account.warn_percent > 0) row["warn"] = account.warn_percent;
  if (account.key.period != policy::Period::kTotal) {
    row["resets"] = format_time(account.window.end);
  }
  if (account.is_leased) {
    const policy::Micros used = account.settled + account.reserved;
    row["leased"] = policy::format_decimal(account.allowance - used);
    row["used_by_all"] = policy::format_decimal(used + account.others);
  }
  return row;
}

std::string to_json(std::span<const policy::AccountState> accounts, boost::json::object answer) {
  boost::json::array list;
  for (const policy::AccountState& account : accounts) list.push_back(account_json(account));
  answer["budgets"] = std::move(list);
  return boost::json::serialize(answer);
}

}  // namespace reeve
