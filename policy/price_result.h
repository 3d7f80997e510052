// Prices by what the result says: `cost: {from: result…, reserve: …}`.
#ifndef REEVE_POLICY_PRICE_RESULT_H_
#define REEVE_POLICY_PRICE_RESULT_H_

#include <optional>

#include "policy/json.h"
#include "policy/policy_set.h"
#include "policy/price.h"

namespace reeve::policy {

// The price by whose value in the result a call with this spend is settled. Null where it has
// another, or where a price in doubt may apply as well: then what was reserved is charged. As
// long-lived as the PolicySet.
const PriceTerms* price_by_result(const PolicySet& policy, const Call& call, const Spend& spend);

// What the result says: a number from 0 to the reserve, a fraction of a millionth counting as a
// whole one. Nothing when the value is absent or anything else, or a key on its way has a case
// variant.
std::optional<Micros> cost_of_result(const PriceTerms& terms, const json::Value& result);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PRICE_RESULT_H_
