// TLS of a stream: OpenSSL on the socket itself, which it reads and writes without blocking. Every
// try comes before a wait, because OpenSSL may hold bytes that the socket shows no more.
// Tested end to end by tests/e2e/tls_*_test.mjs.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "proxy/net/stream.h"
#include "proxy/tls/client.h"

namespace reeve::net {

Task<Result<bool>> Stream::handshake(tls::Ssl ssl, std::string name) {
  if (fd_ < 0 || SSL_set_fd(ssl.get(), fd_) != 1) {
    co_return Error{"the connection was closed before its TLS handshake"};
  }
  ssl_ = std::move(ssl);
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) co_return true;
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
      if (co_await watch_->next(why == SSL_ERROR_WANT_READ ? kReadable : kWritable)) {
        co_return Error{"the TLS handshake took too long, or was given up"};
      }
      continue;
    }
    broken_ = true;
    if (why != SSL_ERROR_SYSCALL) {
      co_return Error{tls::handshake_failure(ssl_.get(), tls::take_error(), name)};
    }
    co_return Error{errno == 0 ? "the peer closed the connection in its TLS handshake"
                               : ErrorCode(errno, boost::system::system_category()).message()};
  }
}

x509_st* Stream::peer_certificate() const {
  return ssl_ ? SSL_get0_peer_certificate(ssl_.get()) : nullptr;
}

bool Stream::read_tls_at_once(char* data, size_t size, size_t& got, ErrorCode& ec) {
  if (broken_) {
    ec = asio::error::connection_reset;
    return true;
  }
  // Neither the socket nor OpenSSL holds anything.
  if (!watch_->readable && SSL_has_pending(ssl_.get()) == 0) return false;
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_.get(), data, size, &got);
  if (result == 1) {
    read_at_ = 0;
    return true;
  }
  got = 0;
  const int why = SSL_get_error(ssl_.get(), result);
  wants_write_ = why == SSL_ERROR_WANT_WRITE;
  if (why == SSL_ERROR_WANT_READ) watch_->readable = false;
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return false;
  if (why == SSL_ERROR_ZERO_RETURN) {
    ec = asio::error::eof;
    return true;
  }
  broken_ = true;
  ERR_clear_error();
  ec = asio::error::connection_reset;
  return true;
}

// What OpenSSL has sealed but not sent counts as not sent: its next call is for the same bytes.
ptrdiff_t Stream::write_tls(std::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    if (broken_ || fd_ < 0) return sent > 0 ? static_cast<ptrdiff_t>(sent) : -1;
    ERR_clear_error();
    size_t taken = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data() + sent, bytes.size() - sent, &taken);
    if (result == 1) {
      sent += taken;
      continue;
    }
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE) break;
    broken_ = true;
    ERR_clear_error();
    return sent > 0 ? static_cast<ptrdiff_t>(sent) : -1;  // the next call finds it out again
  }
  return static_cast<ptrdiff_t>(sent);
}

bool Stream::spoiled_tls() {
  if (broken_) return true;
  pollfd look{fd_, POLLIN | POLLRDHUP, 0};
  const bool woken = ::poll(&look, 1, 0) != 0;
  if (!woken && SSL_has_pending(ssl_.get()) == 0) return false;
  if ((look.revents & ~POLLIN) != 0) return true;
  ERR_clear_error();
  char byte = 0;
  size_t got = 0;
  const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &got);
  if (result == 0 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return false;
  ERR_clear_error();
  return true;
}

void Stream::say_goodbye() {
  if (broken_ || fd_ < 0 || SSL_is_init_finished(ssl_.get()) == 0) return;
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_.get()) < 0) ERR_clear_error();
}

}  // namespace reeve::net
