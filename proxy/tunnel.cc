// Two loops, one for each direction, each with one buffer: what was read is written before more is
// read, so a slow side slows the other and nothing piles up. An end is passed on as an end, so a
// side that has said all can go on listening. Tested end to end by tests/e2e/tunnel_test.mjs.
#include "proxy/tunnel.h"

#include <algorithm>
#include <exception>
#include <memory>

#include "proxy/stops/cut.h"
#include "proxy/tls/client_hello.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr uint16_t kHttpsPort = 443;
constexpr size_t kDownBuffer = 32 * 1024;
// A fatal alert of the record layer: unrecognized_name (RFC 6066, 3).
constexpr std::string_view kWrongName{"\x15\x03\x01\x00\x02\x02\x70", 7};

// One direction of a tunnel.
struct Way {
  net::Stream& from;
  net::Stream& to;
  char* buffer;
  size_t capacity;
  size_t held;                            // bytes in the buffer that are to be passed on first
  uint64_t& count;                        // of the bytes passed on
  std::string_view from_broke, to_broke;  // as the record names it
};

class Tunnel {
 public:
  Tunnel(Exchange& x, net::Stream& to)
      : x_(x),
        c_(x.connection),
        to_(to),
        limits_(x.worker.services().config.limits),
        strict_(x.destination->port == kHttpsPort),
        until_(steady_now() + limits_.tunnel_time),
        flight_until_(Steady::max()),
        down_ended_(x.worker.context()) {}

  net::Task<void> run() {
    std::exception_ptr failure;
    x_.worker.set_phase(c_, Phase::kTunnel, {});
    if (strict_) flight_until_ = steady_now() + limits_.head;
    touched();
    try {
      // A server of TLS says nothing before its client has; others may.
      if (!strict_) start_down();
      if (co_await first_flight()) {
        if (strict_) start_down();
        Way up{c_.stream,
               to_,
               c_.work->buffer.get() + c_.begin,
               c_.work->capacity - c_.begin,
               c_.end - c_.begin,
               x_.bytes_in,
               "agent-gone",
               "closed"};
        up_whole_ = co_await pass(up);
      }
    } catch (...) {
      failure = std::current_exception();
      cut("closed");
    }
    while (down_running_) {
      net::ErrorCode ignored;
      co_await down_ended_.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    }
    if (up_whole_ && down_whole_) c_.stream.close();
    if (failure) std::rethrow_exception(failure);
  }

 private:
  void start_down() {
    down_buffer_.reset(new char[kDownBuffer]);
    down_running_ = true;
    down_ended_.expires_at(Steady::max());
    net::spawn(x_.worker.context(), down(), [this](std::exception_ptr) {
      down_running_ = false;
      down_ended_.cancel();
    });
  }

  net::Task<void> down() {
    Way way{to_, c_.stream,    down_buffer_.get(), kDownBuffer,
            0,   x_.bytes_out, "closed",           "agent-gone"};
    down_whole_ = co_await pass(way);
  }

  // Until `from` ends, which is passed on (true), or either breaks.
  net::Task<bool> pass(Way way) {
    for (;;) {
      if (way.held > 0) {
        if (x_.bytes_in + x_.bytes_out + way.held > limits_.tunnel_bytes) {
          co_return cut("limit");
        }
        way.count += way.held;  // before the other way looks
        if (!co_await way.to.write({way.buffer, way.held})) co_return broke(way.to_broke);
        touched();
      }
      net::ErrorCode ec;
      way.held = co_await way.from.read_some(way.buffer, way.capacity, ec);
      if (way.held == 0) {
        if (ec != net::asio::error::eof) co_return broke(way.from_broke);
        way.to.shutdown_send();
        co_return true;
      }
      touched();
    }
  }

  // Reads until it is known what the agent speaks, into the buffer that is passed on afterwards.
  net::Task<bool> first_flight() {
    for (;;) {
      const std::string_view sent = c_.unread();
      const tls::ClientHello hello = tls::read_client_hello(sent);
      if (hello.flight != tls::Flight::kMore) {
        flight_until_ = Steady::max();
        touched();
        co_return admits(hello);
      }
      if (!sent.empty() && flight_until_ == Steady::max()) {
        flight_until_ = steady_now() + limits_.head;
        touched();
      }
      net::ErrorCode ec;
      const size_t n = co_await c_.stream.read_some(c_.work->buffer.get() + c_.end,
                                                    c_.work->capacity - c_.end, ec);
      if (n == 0 && ec != net::asio::error::eof) co_return broke("agent-gone");
      if (n == 0) {
        if (strict_ || c_.begin != c_.end) co_return cut("client-hello");
        up_whole_ = true;  // it sends nothing, and may still listen
        to_.shutdown_send();
        co_return false;
      }
      c_.end += n;
    }
  }

  bool admits(const tls::ClientHello& hello) {
    if (hello.flight == tls::Flight::kNotTls) return !strict_ || cut("client-hello");
    if (hello.flight == tls::Flight::kBad) return cut("client-hello");
    const Destination& asked = *x_.destination;
    if (hello.server_name == asked.host) return true;
    // A name is not sent for an address, and old clients of other protocols may send none.
    if (hello.server_name.empty() && (asked.address || !strict_)) return true;
    if (asked.address && !strict_) return true;
    // The agent's TLS says then what went wrong.
    c_.stream.write_now(kWrongName);
    x_.error = "sni";
    to_.close(true);
    return false;
  }

  // Moves the deadline that the sweep looks at.
  void touched() {
    c_.deadline = std::min({steady_now() + limits_.tunnel_idle, until_, flight_until_});
  }

  // A side is gone, or the sweep has closed both.
  bool broke(std::string_view error) {
    if (c_.stopped) return cut(kStopped);
    if (c_.timed_out) return cut(steady_now() >= until_ ? "limit" : "timeout");
    if (c_.agent_gone) return cut("agent-gone");
    // Who has said all and then closes, as TLS clients and servers do, has not failed; what the
    // agent has not read yet is left to it.
    if (down_whole_ && error == "closed") {
      to_.close(true);
      return false;
    }
    return cut(up_whole_ && error == "agent-gone" ? std::string_view() : error);
  }

  bool cut(std::string_view error) {
    if (x_.error.empty()) x_.error = error;
    to_.close(true);
    c_.stream.close(true);
    return false;
  }

  Exchange& x_;
  Connection& c_;
  net::Stream& to_;
  const LimitsConfig& limits_;
  const bool strict_;
  const Steady until_;
  Steady flight_until_;
  std::unique_ptr<char[]> down_buffer_;
  net::Timer down_ended_;
  bool down_running_ = false;
  bool up_whole_ = false, down_whole_ = false;  // ended, and so was passed on
};

}  // namespace

net::Task<void> relay_tunnel(Exchange& x, net::Stream& to) {
  Tunnel tunnel(x, to);
  co_await tunnel.run();
}

}  // namespace reeve
