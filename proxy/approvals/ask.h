// The step `ask` of a call's way: it waits for people, and goes on by their yes exactly once.
#ifndef REEVE_PROXY_APPROVALS_ASK_H_
#define REEVE_PROXY_APPROVALS_ASK_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve::approvals {

// A modern MCP client that comes back with a requestState of reeve's: takes it out of the message,
// which is read anew, so that the upstream never sees it. False: refused.
bool take_request_state(Exchange& exchange);
// A legacy MCP client that cancels a request: if that one waits here, it waits no more.
void note_cancelled(Exchange& exchange);

// Asks, once the reservation is made, and waits. True: people have said yes, and the call must now
// be decided anew, by the policy in force, and be paid anew. False: refused, or told that it is
// pending.
net::Task<bool> wait_for_people(Exchange& exchange);
// After that: uses the yes up. False: refused, because it is no longer good, or somebody else was
// faster, or the caller is gone.
net::Task<bool> use_yes(Exchange& exchange);
// After that, where the call may not go at all: its yes is void.
void drop_yes(Exchange& exchange);

// GET /.reeve/approvals/ID, by which an agent asks how its question stands.
bool asks_for_status(const Exchange& exchange);
net::Task<void> read_status(Exchange& exchange);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_ASK_H_
