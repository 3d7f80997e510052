// The limits of an agent (`limits`, `probation`) as a step of a call.
#ifndef REEVE_PROXY_LIMITED_H_
#define REEVE_PROXY_LIMITED_H_

#include "proxy/exchange.h"

namespace reeve {

// Whether a limit of the agent asks which calls are the same: a body is then part of the call.
bool counts_repeats(const Exchange& exchange);

// Counts the call against every limit of its agent, or refuses it: 429, with the time to wait where
// waiting helps. What MCP itself needs (initialize, ping, lists, streams, answers) is not counted.
bool within_limits(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_LIMITED_H_
