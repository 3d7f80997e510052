// The record's line `budget`: an account that warns, has run out, or has begun anew.
#ifndef REEVE_PROXY_BUDGET_LINE_H_
#define REEVE_PROXY_BUDGET_LINE_H_

#include <string>

#include "policy/ledger.h"

namespace reeve {

// The line's own members, each with its comma before it, as Journal::append() takes them.
std::string budget_members(const policy::Notice& notice);

}  // namespace reeve

#endif  // REEVE_PROXY_BUDGET_LINE_H_
