// The step of a call that holds what it costs at most.
#ifndef REEVE_PROXY_RESERVE_H_
#define REEVE_PROXY_RESERVE_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Sets exchange.spend and exchange.reservation. False: refused, because it has no price, a budget
// has too little left, or the ledger cannot be written.
net::Step<bool> reserve(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_RESERVE_H_
