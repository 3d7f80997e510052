// One connection of an agent, from its first byte to its last.
#ifndef REEVE_PROXY_SESSION_H_
#define REEVE_PROXY_SESSION_H_

#include <memory>

#include "proxy/worker.h"

namespace reeve {

// Reads heads, hands each call to the enforcer, until the connection ends. `connection` is kept
// alive by the coroutine; the worker outlives it.
net::Task<void> run_session(Worker& worker, std::shared_ptr<Connection> connection);

}  // namespace reeve

#endif  // REEVE_PROXY_SESSION_H_
