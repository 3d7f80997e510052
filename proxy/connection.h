// An agent's connection, as its session, the sweep and the stop see it.
#ifndef REEVE_PROXY_CONNECTION_H_
#define REEVE_PROXY_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "proxy/clock.h"
#include "proxy/config.h"
#include "proxy/net/connect.h"
#include "proxy/net/stream.h"
#include "proxy/tls/svid.h"
#include "proxy/workspace.h"

namespace reeve {

// What the connection waits for; says what the sweep does when the deadline has passed.
enum class Phase : uint8_t {
  kHandshake,  // for the rest of a TLS handshake: close
  kIdle,       // for a next request: close
  kHead,       // for the rest of a head: 408
  kBody,       // for the rest of a body: 408
  kUpstream,   // for an upstream's first byte: the exchange answers 504
  kAnswer,     // for the next piece of an answer: cut it off
  kStream,     // bytes flow; no deadline
  kReadOn,     // for the end of an answer whose agent has gone: close the upstream
  kTunnel,     // for bytes of a tunnel: close both sides
  kHeld,       // for people; no deadline
  kLinger,     // for the agent to read the last answer: close
};

struct Exchange;

// Who is at the other end, as far as the connection itself proves it.
struct Peer {
  const ListenerConfig* listener;
  bool loopback = false;
  std::optional<uint32_t> uid;
  std::optional<tls::Svid> svid;
};

struct Connection {
  Connection(net::Socket socket, const ListenerConfig& from)
      : stream(std::move(socket)), listener(from) {}

  static uint64_t next_serial() {
    static std::atomic<uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  std::string_view unread() const {
    return work ? std::string_view(work->buffer.get() + begin, end - begin) : std::string_view();
  }

  const uint64_t serial = next_serial();  // of this process
  net::Stream stream;
  const ListenerConfig& listener;
  bool inner = false;             // of a call that is a part of another (join/)
  bool loopback = false;          // the listener's address
  std::optional<uint32_t> uid;    // of the peer of a Unix socket, as of its connect
  std::optional<tls::Svid> svid;  // of the certificate that a client presented

  // From a request's first byte to its answer's last; null while the connection is idle.
  std::unique_ptr<Workspace> work;
  // Of work->buffer: [begin, end) are not consumed.
  size_t begin = 0, end = 0;

  Phase phase = Phase::kIdle;
  Steady deadline;
  Steady phase_since;
  bool timed_out = false;   // the sweep ended this phase
  bool agent_gone = false;  // the agent hung up, or the connection was cut
  bool given_up = false;    // either of them while an upstream was being waited for
  // While a body is streamed up it has a deadline of its own, and the upstream's waits for its end.
  bool uploading = false;
  Steady upload_deadline;

  // The answer tells at its end what the call cost: it is read on when the agent hangs up.
  // For so long at most; 0: it is cut then.
  std::chrono::milliseconds reads_on{0};
  // What to cut when the agent hangs up or the time is over; null when nothing is under way.
  net::Stream* upstream = nullptr;
  net::Pending connecting;
  Steady connecting_until = Steady::max();  // then only that is cut: there may be another address
  net::Timer* waiting = nullptr;            // for a place or an address; cancelled

  // The call under way, for as long as it is handled.
  Exchange* exchange = nullptr;
  bool stopped = false;  // it was stopped (stops/): nothing more of it goes anywhere

  std::list<std::shared_ptr<Connection>>::iterator self;  // in the worker's list
};

}  // namespace reeve

#endif  // REEVE_PROXY_CONNECTION_H_
