// Tools that call tools: from here on the call is the one inside, which rules, prices, limits and
// the record are about.
#ifndef REEVE_PROXY_DISPATCHED_H_
#define REEVE_PROXY_DISPATCHED_H_

#include <string>

#include "proxy/exchange.h"
#include "proxy/mcp/message.h"

namespace reeve {

// Where exchange.call is that of a dispatch tool, replaces it by the one inside. False: refused,
// the inner one cannot be told.
bool read_dispatched(Exchange& exchange);

// What a refusal adds, so that the agent knows which tool it was: " (tool `drop`, called through
// `invoke`)"; empty for any other call.
std::string names_inner(const Exchange& exchange);

// The answer to a call that a rule hides: the tool that it hides does not exist, be it the one that
// was called or the one inside.
std::string hidden_answer(const Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_DISPATCHED_H_
