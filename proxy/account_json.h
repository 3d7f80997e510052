// An account of a budget, for people on the admin side.
#ifndef REEVE_PROXY_ACCOUNT_JSON_H_
#define REEVE_PROXY_ACCOUNT_JSON_H_

#include <boost/json/object.hpp>

#include "policy/ledger.h"

namespace reeve {

// Its budget and scope, its limit, what of it is used and reserved, and when it begins anew.
boost::json::object account_json(const policy::AccountState& account);

}  // namespace reeve

#endif  // REEVE_PROXY_ACCOUNT_JSON_H_
