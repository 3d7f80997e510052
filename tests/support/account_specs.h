// Accounts as the ledger's tests write them.
#ifndef REEVE_TESTS_SUPPORT_ACCOUNT_SPECS_H_
#define REEVE_TESTS_SUPPORT_ACCOUNT_SPECS_H_

#include <string>
#include <utility>

#include "policy/budget.h"

namespace reeve::policy {

inline AccountSpec spec_of(std::string budget, Micros limit, Period period = Period::kDay,
                           Unit unit = Unit::kCalls) {
  AccountSpec spec;
  spec.budget = std::move(budget);
  spec.scope = "everyone";
  spec.unit = unit;
  if (unit == Unit::kMoney) spec.currency = "USD";
  spec.limit = limit;
  spec.period = period;
  return spec;
}

}  // namespace reeve::policy

#endif  // REEVE_TESTS_SUPPORT_ACCOUNT_SPECS_H_
