// Where lines of the record, and checkpoints, go besides the record itself (`audit.sinks`).
#ifndef REEVE_PROXY_AUDIT_SINK_CONFIG_H_
#define REEVE_PROXY_AUDIT_SINK_CONFIG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace reeve::audit {

struct SinkConfig {
  enum class Kind : uint8_t { kStdout, kSyslogLocal, kSyslogUdp, kSyslogTcp, kWebhook };

  std::string name;  // of metrics, and of the file in `state/sinks` that says how far it is
  Kind kind = Kind::kStdout;
  std::string to;    // of the webhook its URL, of a local syslog its socket
  std::string host;  // of a remote syslog, and its port
  uint16_t port = 0;
  std::string secret;  // of the webhook: what signs
  std::string ca;      // of the webhook: a file of CAs instead of the system's
  bool lines = true;
  bool checkpoints = true;
  bool required = false;                     // no call without it
  std::chrono::milliseconds timeout{5'000};  // of one delivery
  size_t batch = 500;                        // lines of one delivery, at most
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SINK_CONFIG_H_
