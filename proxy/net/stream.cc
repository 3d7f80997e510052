// A read asks the kernel only when an event has said that something is there, and writes try a
// plain send first. TLS is in stream_tls.cc. Tested by tests/proxy/loop_test.cc and end to end by
// tests/e2e.
#include "proxy/net/stream.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <boost/asio/error.hpp>
#include <cerrno>
#include <utility>

namespace reeve::net {
namespace {

constexpr int64_t kJustRead = 100;  // ms

int64_t coarse_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// libc's recv and send are cancellation points: two calls more around each, for nothing.
ssize_t receive(int fd, char* data, size_t size) {
  return ::syscall(SYS_recvfrom, fd, data, size, MSG_DONTWAIT, nullptr, nullptr);
}
ssize_t send_some(int fd, const char* data, size_t size) {
  return ::syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
}

}  // namespace

const uint32_t Stream::kReadable = EPOLLIN;
const uint32_t Stream::kWritable = EPOLLOUT;

Stream::Stream(Socket socket)
    : watch_(std::make_unique<Watch>(Loop::of(socket.get_executor().context()))) {
  ErrorCode ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  // A peer that vanishes without a word is noticed on a quiet stream, too.
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  int domain = 0;
  socklen_t size = sizeof domain;
  ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
  short_read_is_all_ = domain == AF_INET || domain == AF_INET6;
  // Asio lets go of it: a socket that its reactor still knew would wake the loop twice.
  fd_ = socket.release(ignored);
  if (fd_ >= 0 && !watch_->start(fd_)) close();
}

Stream::Stream(Stream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      short_read_is_all_(other.short_read_is_all_),
      read_at_(other.read_at_),
      watch_(std::move(other.watch_)),
      ssl_(std::move(other.ssl_)),
      broken_(other.broken_),
      wants_write_(other.wants_write_) {}

bool Stream::read_at_once(char* data, size_t size, size_t& got, ErrorCode& ec) {
  got = 0;
  if (fd_ < 0) {
    ec = asio::error::operation_aborted;
    return true;
  }
  if (ssl_) return read_tls_at_once(data, size, got, ec);
  while (watch_->readable) {
    const ssize_t n = receive(fd_, data, size);
    if (n > 0) {
      got = static_cast<size_t>(n);
      // After the peer's end there is no other event: then it is read until the end is found.
      if (got < size && short_read_is_all_ && !watch_->ended) watch_->readable = false;
      read_at_ = coarse_ms();
      return true;
    }
    if (n == 0) {
      ec = asio::error::eof;
      return true;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      ec.assign(errno, boost::system::system_category());
      return true;
    }
    watch_->readable = false;
  }
  return false;
}

Task<size_t> Stream::read_some(char* data, size_t size, ErrorCode& ec) {
  ec = {};
  size_t got = 0;
  while (!read_at_once(data, size, got, ec)) {
    if (co_await wait_to_read()) {
      ec = asio::error::operation_aborted;
      co_return 0;
    }
  }
  co_return got;
}

ptrdiff_t Stream::write_now(std::string_view bytes) {
  if (ssl_) return write_tls(bytes);
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send_some(fd_, bytes.data() + sent, bytes.size() - sent);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else {
      return sent > 0 ? static_cast<ptrdiff_t>(sent) : -1;  // the next call finds it out again
    }
  }
  return static_cast<ptrdiff_t>(sent);
}

bool Stream::write_at_once(std::string_view& bytes) {
  if (fd_ < 0) return false;
  const ptrdiff_t sent = write_now(bytes);
  if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  return bytes.empty();
}

Task<bool> Stream::write(std::string_view bytes) {
  for (;;) {
    if (fd_ < 0) co_return false;
    const ptrdiff_t sent = write_now(bytes);
    if (sent < 0) co_return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
    if (bytes.empty()) co_return true;
    if (co_await wait_writable()) co_return false;
  }
}

Task<int> Stream::peek() {
  while (fd_ >= 0) {
    unsigned char first = 0;
    const ssize_t n = ::recv(fd_, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 1) co_return first;
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) break;
    if (co_await wait_readable()) co_return -1;
  }
  co_return -1;
}

bool Stream::hung_up() const {
  if (fd_ < 0) return true;
  pollfd look{fd_, POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Stream::failed() const {
  if (fd_ < 0) return true;
  pollfd look{fd_, 0, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & POLLERR) != 0;
}

bool Stream::spoiled() {
  if (fd_ < 0 || watch_->ended) return true;
  if (ssl_) return spoiled_tls();
  if (!watch_->readable && coarse_ms() - read_at_ < kJustRead) return false;
  pollfd look{fd_, POLLIN | POLLRDHUP, 0};
  return ::poll(&look, 1, 0) != 0;
}

void Stream::close(bool reset) {
  if (fd_ < 0) return;
  if (ssl_ && !reset) say_goodbye();
  watch_->stop();
  if (reset) {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ::close(fd_);
  fd_ = -1;
}

void Stream::shutdown_send() {
  if (fd_ < 0) return;
  if (ssl_) say_goodbye();
  ::shutdown(fd_, SHUT_WR);
}

}  // namespace reeve::net
