// Writing to a descriptor whose other end may be slow, within a time.
#ifndef REEVE_PROXY_AUDIT_SEND_H_
#define REEVE_PROXY_AUDIT_SEND_H_

#include <atomic>

#include "proxy/clock.h"

namespace reeve::audit {

// Waits until the descriptor can be written to. False with errno: ETIMEDOUT at the deadline, or
// ECANCELED when `stop` is true.
bool wait_writable(int fd, Steady deadline, const std::atomic<bool>& stop);

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SEND_H_
