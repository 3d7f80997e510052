// The two lines of a call, formatted for the journal. Names and meanings are in README.md.
#ifndef REEVE_PROXY_RECORD_H_
#define REEVE_PROXY_RECORD_H_

#include <string>

#include "proxy/exchange.h"

namespace reeve {

// Appends the members of the `decision` line: who, what, decided how and by which rule.
void append_decision(std::string& out, const Exchange& exchange);

// Appends the members of the `outcome` line: what came of it, at what cost.
void append_outcome(std::string& out, const Exchange& exchange);

// What the record, the answers and the metrics call the decision.
std::string_view decision_name(const Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_RECORD_H_
