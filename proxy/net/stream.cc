// Reads go through Asio, whose first try is a plain recv; writes try a plain send first and ask the
// event loop only when the kernel's buffer is full. TLS is in stream_tls.cc. Tested end to end by
// tests/e2e.
#include "proxy/net/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <cerrno>

namespace reeve::net {

Stream::Stream(Socket socket) : socket_(std::move(socket)) {
  ErrorCode ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  // A peer that vanishes without a word is noticed on a quiet stream, too.
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
}

// Without a goodbye OpenSSL would take the session for one that must not be resumed.
Stream::~Stream() {
  if (ssl_) say_goodbye();
}

Task<size_t> Stream::read_some(char* data, size_t size, ErrorCode& ec) {
  if (ssl_) return read_tls(data, size, ec);
  return socket_.async_read_some(asio::buffer(data, size), asio::redirect_error(kAwait, ec));
}

ptrdiff_t Stream::write_now(std::string_view bytes) {
  if (ssl_) return write_tls(bytes);
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(socket_.native_handle(), bytes.data() + sent, bytes.size() - sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else {
      return -1;
    }
  }
  return static_cast<ptrdiff_t>(sent);
}

bool Stream::write_at_once(std::string_view& bytes) {
  if (!socket_.is_open()) return false;
  const ptrdiff_t sent = write_now(bytes);
  if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  return bytes.empty();
}

Task<bool> Stream::write(std::string_view bytes) {
  for (;;) {
    if (!socket_.is_open()) co_return false;
    const ptrdiff_t sent = write_now(bytes);
    if (sent < 0) co_return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
    if (bytes.empty()) co_return true;
    ErrorCode ec;
    if (!co_await wait_writable(ec)) co_return false;
  }
}

Task<bool> Stream::wait_readable(ErrorCode& ec) {
  co_await socket_.async_wait(asio::socket_base::wait_read, asio::redirect_error(kAwait, ec));
  co_return !ec && socket_.is_open();
}

Task<bool> Stream::wait_writable(ErrorCode& ec) {
  co_await socket_.async_wait(asio::socket_base::wait_write, asio::redirect_error(kAwait, ec));
  co_return !ec && socket_.is_open();
}

Task<int> Stream::peek() {
  for (ErrorCode ec; socket_.is_open();) {
    unsigned char first = 0;
    const ssize_t n = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 1) co_return first;
    const bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if (!again || !co_await wait_readable(ec)) break;
  }
  co_return -1;
}

bool Stream::hung_up() const {
  if (!socket_.is_open()) return true;
  pollfd look{const_cast<Socket&>(socket_).native_handle(), POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Stream::failed() const {
  if (!socket_.is_open()) return true;
  pollfd look{const_cast<Socket&>(socket_).native_handle(), 0, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & POLLERR) != 0;
}

bool Stream::spoiled() {
  if (!socket_.is_open()) return true;
  if (ssl_) return spoiled_tls();
  pollfd look{socket_.native_handle(), POLLIN | POLLRDHUP, 0};
  return ::poll(&look, 1, 0) != 0;
}

void Stream::close(bool reset) {
  ErrorCode ignored;
  if (ssl_ && !reset) say_goodbye();
  if (reset && socket_.is_open()) {
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  }
  socket_.close(ignored);
}

void Stream::shutdown_send() {
  ErrorCode ignored;
  if (ssl_) say_goodbye();
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

}  // namespace reeve::net
