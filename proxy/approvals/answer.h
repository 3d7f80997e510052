// What a caller hears while people are asked, and at the end.
#ifndef REEVE_PROXY_APPROVALS_ANSWER_H_
#define REEVE_PROXY_APPROVALS_ANSWER_H_

#include <string>
#include <string_view>

#include "proxy/exchange.h"

namespace reeve::approvals {

// The head of an event stream, with which an MCP request is answered at once.
void append_events_head(std::string& out, const Exchange& exchange);
// A sign of life: progress, where the client gave a token for it, else a comment.
void append_sign(std::string& out, const Exchange& exchange, uint64_t number);
// One message on that stream, and with `last` its end.
void append_message(std::string& out, std::string_view json, bool last);

// An upstream's whole answer that is no event stream, on that stream, with its end.
void append_collected(std::string& out, const Exchange& exchange, std::string_view body);

// The whole answer of a refused call that is approvals' to give: pending, a status, on an event
// stream, or none. `rpc` is the JSON-RPC body of another refusal. False: it is not.
bool append_answer(std::string& out, Exchange& exchange, std::string_view rpc);
// The JSON-RPC body for a call that is pending; empty where the call is not.
std::string pending_body(const Exchange& exchange);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_ANSWER_H_
