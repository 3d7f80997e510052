// Standard output, and what all kinds share. Tested by tests/proxy/audit_sink_test.cc and
// tests/e2e/audit_sinks_test.mjs.
#include "proxy/audit/receiver.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proxy/audit/send.h"

namespace reeve::audit {

bool wait_writable(int fd, Steady deadline, const std::atomic<bool>& stop) {
  constexpr int kLookMs = 50;
  for (;;) {
    struct pollfd wanted{fd, POLLOUT, 0};
    const int ready = ::poll(&wanted, 1, kLookMs);
    if (ready > 0) return true;  // an error shows when it is written to
    if (ready < 0 && errno != EINTR) return false;
    if (stop.load(std::memory_order_relaxed)) {
      errno = ECANCELED;
      return false;
    }
    if (steady_now() >= deadline) {
      errno = ETIMEDOUT;
      return false;
    }
  }
}

namespace {

// In pieces that a pipe that is ready takes without blocking: the descriptor is shared with others,
// so that it cannot be made non-blocking.
constexpr size_t kPiece = 4096;  // PIPE_BUF

class StdoutReceiver final : public Receiver {
 public:
  explicit StdoutReceiver(const SinkConfig& config) : timeout_(config.timeout) {}

  Result<bool, DeliveryFailure> deliver(const Delivery& delivery,
                                        const std::atomic<bool>& stop) override {
    std::string text;
    // What a failure left of a line is ended, so that whoever reads lines finds the next.
    if (broken_) text += '\n';
    for (const std::string_view line : delivery.lines) text.append(line).append(1, '\n');
    const Steady deadline = steady_now() + timeout_;
    for (size_t done = 0; done < text.size();) {
      const bool ready = wait_writable(STDOUT_FILENO, deadline, stop);
      const ssize_t n =
          ready ? ::write(STDOUT_FILENO, text.data() + done, std::min(kPiece, text.size() - done))
                : -1;
      const bool again = n < 0 && (errno == EINTR || errno == EAGAIN);
      if (again && steady_now() < deadline) continue;
      if (n <= 0) {
        broken_ = broken_ || done > 0;
        return DeliveryFailure{fmt::format("standard output: {}", std::strerror(errno)), false};
      }
      done += static_cast<size_t>(n);
    }
    broken_ = false;
    return true;
  }

 private:
  const std::chrono::milliseconds timeout_;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Receiver> make_stdout_receiver(const SinkConfig& config) {
  return std::make_unique<StdoutReceiver>(config);
}

std::unique_ptr<Receiver> make_receiver(const SinkConfig& config) {
  switch (config.kind) {
    case SinkConfig::Kind::kStdout:
      return make_stdout_receiver(config);
    case SinkConfig::Kind::kWebhook:
      return make_webhook_receiver(config);
    default:
      return make_syslog_receiver(config);
  }
}

}  // namespace reeve::audit
