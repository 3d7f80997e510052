// A byte stream over a TCP or Unix socket, in TLS or not: the one place where bytes come in and go
// out.
//
// No timers: deadlines are time stamps that a sweep looks at (../worker.h), which closes a stream
// from outside; whoever waits on it then gets an error. Not thread-safe: one event loop each.
#ifndef REEVE_PROXY_NET_STREAM_H_
#define REEVE_PROXY_NET_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "policy/result.h"
#include "proxy/net/asio.h"
#include "proxy/net/loop.h"
#include "proxy/tls/ssl.h"

namespace reeve::net {

class Stream {
 public:
  // Takes the socket over; it is closed with the stream.
  explicit Stream(Socket socket);
  // What it is moved from is closed. Not while somebody waits on it.
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&&) = delete;
  ~Stream() { close(); }

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

  // read_some() without waiting: false when there is nothing yet, and then read_some() waits.
  bool read_at_once(char* data, size_t size, size_t& got, ErrorCode& ec);
  // To be awaited after read_at_once() has found nothing, by who needs no room until there is
  // something. True: closed or cancelled.
  auto wait_to_read() { return watch_->next(wants_write_ ? kWritable : kReadable); }

  // All of `bytes`, which must live until this returns. Sends at once and only waits when the
  // kernel's buffer is full. False on error.
  Task<bool> write(std::string_view bytes);

  // The usual case of write(): sends what can be sent without waiting, and takes it off `bytes`.
  // Whether that was all; if not, write() the rest.
  bool write_at_once(std::string_view& bytes);

  // What can be sent without waiting; returns how much was, or -1 when the connection is broken and
  // none of it was.
  ptrdiff_t write_now(std::string_view bytes);

  // Whether the peer has closed or reset its side, whatever it sent before. Looks without waiting.
  bool hung_up() const;
  // Whether the connection was reset, which is no mere end of what the peer has to say.
  bool failed() const;
  // Whether an idle connection can be used no more: closed, or with bytes nobody asked for. One
  // that was read from a moment ago is judged by the events that have been seen since, without a
  // system call: what came in the very turn of the loop that asks is found out by the call. TLS's
  // own messages, such as session tickets, are taken in here and spoil nothing.
  bool spoiled();

  bool is_open() const { return fd_ >= 0; }
  // Whoever waits goes on with an error, a moment later. The stream stays open.
  void cancel() { watch_->cancel(); }
  // The same, and closes. With `reset` the peer sees a reset, so that a message cut short cannot
  // pass for a complete one.
  void close(bool reset = false);
  void shutdown_send();
  int native_handle() const { return fd_; }

 private:
  // To be awaited after a read or a write has found that it would block. True: closed or cancelled,
  // and the stream may be gone.
  auto wait_readable() { return watch_->next(kReadable); }
  auto wait_writable() { return watch_->next(kWritable); }

  // As read_at_once(). A reader waits for writability only where TLS must answer first (a key
  // update): then `wants_write_`.
  bool read_tls_at_once(char* data, size_t size, size_t& got, ErrorCode& ec);
  ptrdiff_t write_tls(std::string_view bytes);
  bool spoiled_tls();
  void say_goodbye();  // close_notify, as far as the kernel's buffer takes it

  static const uint32_t kReadable, kWritable;

  int fd_ = -1;
  // The kernel has given all it had when it gave less than it was asked for. Not so where a message
  // may end a read (Unix sockets).
  bool short_read_is_all_ = false;
  int64_t read_at_ = 0;           // coarse milliseconds
  std::unique_ptr<Watch> watch_;  // stays in its place when the stream moves
  tls::Ssl ssl_;  // null: plain. Touched only while the socket is open: its number may be reused
  bool broken_ = false;  // TLS has failed: OpenSSL must not be asked again
  bool wants_write_ = false;
};

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_STREAM_H_
