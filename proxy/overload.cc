// A close with unread bytes in the kernel resets the connection, and the answer is lost with it; so
// the sending side is shut first, and what comes is thrown away for a moment.
// Tested end to end by tests/e2e/overload_test.mjs.
#include "proxy/overload.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace reeve {
namespace {

constexpr std::chrono::milliseconds kHold{1000};
constexpr std::string_view kAnswer =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
    "Retry-After: 1\r\nConnection: close\r\nContent-Length: 149\r\n\r\n"
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"the "
    "sidecar has all the connections it can hold; call again in a second\"}\n";
static_assert(kAnswer.size() - kAnswer.find("\r\n\r\n") - 4 == 149, "its own Content-Length");

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

// Whether the peer is done: closed, broken, or sending more than a request that is being refused.
bool read_away(net::Stream& stream) {
  char scratch[16 * 1024];
  for (int reads = 0; reads < 4; ++reads) {
    const ssize_t n = ::recv(stream.native_handle(), scratch, sizeof scratch, MSG_DONTWAIT);
    if (n < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    if (n == 0) return true;
  }
  return false;
}

}  // namespace

Overload::Overload(size_t most_held) : most_held_(most_held), spare_(open_spare()) {}

Overload::~Overload() {
  if (spare_ >= 0) ::close(spare_);
}

void Overload::turn_away(net::Socket socket, bool answer, Steady now) {
  ++count_;
  if (!answer || most_held_ == 0) return;  // closes it
  if (held_.size() >= most_held_) held_.pop_front();
  net::Stream& stream = held_.emplace_back(std::move(socket), now + kHold).stream;
  stream.write_now(kAnswer);
  stream.shutdown_send();
}

bool Overload::turn_away_next(int listener, bool answer) {
  if (spare_ < 0) {
    spare_ = open_spare();
    return false;
  }
  ::close(spare_);
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    ++count_;
    if (answer) {
      ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::shutdown(fd, SHUT_WR);
      char scratch[4096];  // a request that is here already is read, or the close is a reset
      (void)!::recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
    }
    ::close(fd);
  }
  spare_ = open_spare();
  return fd >= 0;
}

void Overload::sweep(Steady now) {
  std::erase_if(held_, [now](Held& held) { return now >= held.until || read_away(held.stream); });
}

uint64_t Overload::take_count() { return std::exchange(count_, 0); }

}  // namespace reeve
