// A byte stream over a TCP or Unix socket, in TLS or not: the one place where bytes come in and go
// out.
//
// No timers: deadlines are time stamps that a sweep looks at (../worker.h), which closes a stream
// from outside; whoever waits on it then gets an error. Not thread-safe: one event loop each.
#ifndef REEVE_PROXY_NET_STREAM_H_
#define REEVE_PROXY_NET_STREAM_H_

#include <cstddef>
#include <string_view>

#include "policy/result.h"
#include "proxy/net/asio.h"
#include "proxy/tls/ssl.h"

namespace reeve::net {

class Stream {
 public:
  explicit Stream(Socket socket);
  ~Stream();  // as close() does
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = delete;

  // Shakes hands, as client or server by what `ssl` was made for; from then on the bytes of this
  // interface are those inside TLS. The error is a sentence for the log; `name` is the name that is
  // expected of a server, empty for a client's. Without a deadline of its own, as all of this.
  Task<Result<bool>> handshake(tls::Ssl ssl, std::string name);
  // Waits for the first bytes, without taking them, and returns the first of them; -1 at the end or
  // on an error.
  Task<int> peek();
  bool is_tls() const { return ssl_ != nullptr; }
  // After a handshake: what the peer has shown, or null.
  x509_st* peer_certificate() const;

  // Up to `size` bytes. 0 means the end or an error, which `ec` tells apart (asio::error::eof). The
  // end of a TLS stream is its close_notify; a connection that ends without it was cut
  // (asio::error::connection_reset).
  Task<size_t> read_some(char* data, size_t size, ErrorCode& ec);

  // All of `bytes`, which must live until this returns. Sends at once and only waits when the
  // kernel's buffer is full. False on error.
  Task<bool> write(std::string_view bytes);

  // The usual case of write(): sends what can be sent without waiting, and takes it off `bytes`.
  // Whether that was all; if not, write() the rest.
  bool write_at_once(std::string_view& bytes);

  // What can be sent without waiting; returns how much was, or -1 when the connection is broken.
  ptrdiff_t write_now(std::string_view bytes);

  // Whether the peer has closed or reset its side, whatever it sent before. Looks without waiting.
  bool hung_up() const;
  // Whether the connection was reset, which is no mere end of what the peer has to say.
  bool failed() const;
  // Whether an idle connection can be used no more: closed, or with bytes nobody asked for. TLS's
  // own messages, such as session tickets, are taken in here and spoil nothing.
  bool spoiled();

  bool is_open() const { return socket_.is_open(); }
  // Pending operations end with an error. With `reset` the peer sees a reset, so that a message
  // cut short cannot pass for a complete one.
  void close(bool reset = false);
  void shutdown_send();
  Socket& socket() { return socket_; }

 private:
  // The only two ways in which TLS waits. False when the wait was ended or the socket closed, and
  // why in `ec`. A reader waits for writability only where TLS must answer first (a key update).
  Task<bool> wait_readable(ErrorCode& ec);
  Task<bool> wait_writable(ErrorCode& ec);

  Task<size_t> read_tls(char* data, size_t size, ErrorCode& ec);
  ptrdiff_t write_tls(std::string_view bytes);
  bool spoiled_tls();
  void say_goodbye();  // close_notify, as far as the kernel's buffer takes it

  Socket socket_;
  tls::Ssl ssl_;  // null: plain. Touched only while the socket is open: its number may be reused
  bool broken_ = false;  // TLS has failed: OpenSSL must not be asked again
};

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_STREAM_H_
