// The two lines of a call, formatted for the journal. Names and meanings are in README.md.
#ifndef REEVE_PROXY_RECORD_H_
#define REEVE_PROXY_RECORD_H_

#include <string_view>

#include "proxy/exchange.h"

namespace reeve {

// Writes the members of the `decision` line to connection.work->line: who, what, decided how and by
// which rule.
void write_decision(Exchange& exchange);

// The same for the `outcome` line: what came of it, at what cost. What connection.work->line holds
// from the decision on is used again.
void write_outcome(Exchange& exchange);

// The trace id of a W3C traceparent (version 00): 32 hexadecimal digits, not all zero; else empty.
std::string_view trace_id(const http::Fields& fields);

// The word of the record: http, mcp, openai or anthropic. Requires exchange.upstream.
std::string_view protocol_name(const Exchange& exchange);

// What the record, the answers and the metrics call the decision.
std::string_view decision_name(const Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_RECORD_H_
