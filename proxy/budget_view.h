// Accounts of budgets as operators and programs see them (/v1/budgets, `reeve spend`).
#ifndef REEVE_PROXY_BUDGET_VIEW_H_
#define REEVE_PROXY_BUDGET_VIEW_H_

#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>

#include "policy/ledger.h"

namespace reeve {

// What an account's amounts are of: its currency, `calls` or `tokens`.
std::string_view unit_name(const policy::AccountKey& key);

// Amounts are decimals in text. README.md has the members.
boost::json::object account_json(const policy::AccountState& account);

// `{"budgets":[…]}` of them, beside what is in the object already.
std::string to_json(std::span<const policy::AccountState> accounts,
                    boost::json::object answer = {});

}  // namespace reeve

#endif  // REEVE_PROXY_BUDGET_VIEW_H_
