// What connections are made with: certificates of listeners and upstreams, and Unix sockets.
#ifndef REEVE_PROXY_TRANSPORT_H_
#define REEVE_PROXY_TRANSPORT_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "proxy/config.h"
#include "proxy/net/unix_listener.h"
#include "proxy/tls/credentials.h"

namespace reeve {

// Made once, on the main thread, which alone loads and reloads; `find` and `failed` are for any
// thread.
class Transport {
 public:
  explicit Transport(const Config& config);

  // All certificates and keys for the first time. False after adding every error.
  bool load(Diagnostics& diagnostics);
  // Those whose files have changed, or all of them. What does not load keeps what it had; it is
  // logged and counted.
  void reload(bool all);

  // Null when the listener or upstream is plain.
  const tls::Credentials* listener(std::string_view name) const;
  const tls::Credentials* upstream(std::string_view name) const;

  // A descriptor of the listener's Unix socket, which the first call makes; the caller's to close.
  Result<int> open_socket(const ListenerConfig& listener);
  // Stops listening on them and takes them away.
  void close_sockets() { sockets_.clear(); }

  // Counts a handshake that failed and logs it, at most once a second with how many there were.
  void handshake_failed(const std::string& listener, std::string_view why);
  uint64_t handshakes_failed() const { return handshakes_failed_.load(std::memory_order_relaxed); }
  uint64_t reloads_ok() const { return reloads_ok_; }
  uint64_t reloads_failed() const { return reloads_failed_; }

 private:
  using ByName = std::map<std::string, std::unique_ptr<tls::Credentials>, std::less<>>;

  ByName listeners_;
  ByName upstreams_;
  std::map<std::string, net::UnixListener> sockets_;  // by listener
  std::atomic<uint64_t> handshakes_failed_{0};
  std::mutex log_mutex_;  // guards the two below
  int64_t logged_second_ = 0;
  uint64_t unlogged_ = 0;
  uint64_t reloads_ok_ = 0, reloads_failed_ = 0;
};

}  // namespace reeve

#endif  // REEVE_PROXY_TRANSPORT_H_
