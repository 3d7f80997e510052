// How a caller waits, by what it speaks and asks for (README.md has the table).
#ifndef REEVE_PROXY_APPROVALS_WAY_H_
#define REEVE_PROXY_APPROVALS_WAY_H_

#include <chrono>
#include <optional>

#include "policy/json.h"
#include "proxy/exchange.h"

namespace reeve::approvals {

Way way_of(const Exchange& exchange);
// How long the caller is held; 0: not at all. Requires that exchange.asked has its record.
std::chrono::milliseconds longest_wait(const Exchange& exchange);
// Whether the caller reads an event stream.
bool may_open_events(const Exchange& exchange);
// The progress token of an MCP request, a text or a number.
std::optional<json::Value> progress_token(const Exchange& exchange);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_WAY_H_
