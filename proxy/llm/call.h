// The steps of a call on an upstream with `meter`, for the enforcer.
#ifndef REEVE_PROXY_LLM_CALL_H_
#define REEVE_PROXY_LLM_CALL_H_

#include <string>

#include "policy/ledger.h"
#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve::llm {

// Whether the call takes tokens of a model: then read_call() reads it, else it is an HTTP call.
bool is_model_call(const Exchange& exchange);

// Reads the body into exchange.call and exchange.metered; asks for the usage of a stream where the
// agent has not. False: refused.
net::Task<bool> read_call(Exchange& exchange);

// Why the call may not go out although the policy knows what it costs; empty: it may.
std::string price_fault(const Exchange& exchange, const policy::Spend& spend);

// What the call cost, of exchange.metered; sets exchange.cost and counts tokens.
policy::Cost settle(Exchange& exchange);

}  // namespace reeve::llm

#endif  // REEVE_PROXY_LLM_CALL_H_
