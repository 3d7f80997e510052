// The step of a call that holds what it costs at most.
#ifndef REEVE_PROXY_RESERVE_H_
#define REEVE_PROXY_RESERVE_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Sets exchange.spend and exchange.reservation. False: refused, because it has no price, a budget
// has too little left, or the ledger cannot be written. Where all such budgets ask people it sets
// exchange.over instead, and nothing is held.
net::Step<bool> reserve(Exchange& exchange);

// What people have let through, beyond the limits of exchange.over: false when other budgets have
// too little left by now, or the ledger cannot be written.
net::Task<bool> reserve_over(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_RESERVE_H_
