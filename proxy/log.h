// The sidecar's own log: one line on standard error per event, for whoever operates it. Calls are
// not logged here; they are in the record. Never a secret. Thread-safe.
#ifndef REEVE_PROXY_LOG_H_
#define REEVE_PROXY_LOG_H_

#include <string_view>

namespace reeve {

enum class LogLevel { kInfo, kWarning, kError };

void log(LogLevel level, std::string_view text);

}  // namespace reeve

#endif  // REEVE_PROXY_LOG_H_
