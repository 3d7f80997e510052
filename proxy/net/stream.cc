// Reads go through Asio, whose first try is a plain recv; writes try a plain send first and ask the
// event loop only when the kernel's buffer is full. Tested end to end by tests/e2e.
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

Task<size_t> Stream::read_some(char* data, size_t size, ErrorCode& ec) {
  return socket_.async_read_some(asio::buffer(data, size), asio::redirect_error(kAwait, ec));
}

ptrdiff_t Stream::write_now(std::string_view bytes) {
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
      return sent > 0 ? static_cast<ptrdiff_t>(sent) : -1;  // the next call finds it out again
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
    co_await socket_.async_wait(asio::socket_base::wait_write, asio::redirect_error(kAwait, ec));
    if (ec) co_return false;
  }
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

bool Stream::spoiled() const {
  if (!socket_.is_open()) return true;
  pollfd look{const_cast<Socket&>(socket_).native_handle(), POLLIN | POLLRDHUP, 0};
  return ::poll(&look, 1, 0) != 0;
}

void Stream::close(bool reset) {
  ErrorCode ignored;
  if (reset && socket_.is_open()) {
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  }
  socket_.close(ignored);
}

void Stream::shutdown_send() {
  ErrorCode ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

}  // namespace reeve::net
