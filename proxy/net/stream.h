// A byte stream over a TCP socket: the one place where bytes come in and go out.
//
// No timers: deadlines are time stamps that a sweep looks at (../worker.h), which closes a stream
// from outside; whoever waits on it then gets an error. Not thread-safe: one event loop each.
#ifndef REEVE_PROXY_NET_STREAM_H_
#define REEVE_PROXY_NET_STREAM_H_

#include <cstddef>
#include <string_view>

#include "proxy/net/asio.h"

namespace reeve::net {

class Stream {
 public:
  explicit Stream(Socket socket);

  // Up to `size` bytes. 0 means the end or an error, which `ec` tells apart (asio::error::eof).
  Task<size_t> read_some(char* data, size_t size, ErrorCode& ec);

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
  // Whether an idle connection can be used no more: closed, or with bytes nobody asked for.
  bool spoiled() const;

  bool is_open() const { return socket_.is_open(); }
  // Pending operations end with an error. With `reset` the peer sees a reset, so that a message
  // cut short cannot pass for a complete one.
  void close(bool reset = false);
  void shutdown_send();
  Socket& socket() { return socket_; }

 private:
  Socket socket_;
};

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_STREAM_H_
