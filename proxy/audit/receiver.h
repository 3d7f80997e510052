// Where a sink delivers to. A new kind is a class here and a line in make_receiver().
#ifndef REEVE_PROXY_AUDIT_RECEIVER_H_
#define REEVE_PROXY_AUDIT_RECEIVER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"
#include "proxy/audit/sink_config.h"

namespace reeve::audit {

// Lines as they stand in the record, in its order, then checkpoints; none has a newline.
struct Delivery {
  std::vector<std::string_view> lines;
  uint64_t first_seq = 0, last_seq = 0;  // of the record's lines; 0: it has only checkpoints
};

struct DeliveryFailure {
  std::string why;         // for the log; never a secret
  bool too_large = false;  // less of it may be taken
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  // On the sink's thread, within its timeout, sooner when `stop` becomes true. After a failure the
  // same lines come again, so that some may be received twice.
  virtual Result<bool, DeliveryFailure> deliver(const Delivery& delivery,
                                                const std::atomic<bool>& stop) = 0;
};

std::unique_ptr<Receiver> make_receiver(const SinkConfig& config);

// The kinds.
std::unique_ptr<Receiver> make_stdout_receiver(const SinkConfig& config);
std::unique_ptr<Receiver> make_syslog_receiver(const SinkConfig& config);
std::unique_ptr<Receiver> make_webhook_receiver(const SinkConfig& config);

// The key that a webhook's secret stands for: its bytes or, behind `whsec_`, what it is the base64
// of. Empty when it is not that.
std::string webhook_key(std::string_view secret);

// The value of `webhook-signature` (Standard Webhooks): `v1,` and HMAC-SHA-256 of `ID.TIME.BODY`,
// by that key, in base64.
std::string sign_webhook(std::string_view secret, std::string_view id, std::string_view time,
                         std::string_view body);

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_RECEIVER_H_
