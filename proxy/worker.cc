// Accept, sweep, stop. Tested end to end by tests/e2e.
#include "proxy/worker.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

#include "proxy/log.h"
#include "proxy/net/unix_listener.h"
#include "proxy/session.h"

namespace reeve {
namespace {

constexpr std::chrono::milliseconds kSweep{50};
// A call that has waited this long is looked after: has its agent hung up meanwhile?
constexpr std::chrono::milliseconds kLookAfter{100};
constexpr size_t kBodyRoom = 16 * 1024;
constexpr uint64_t kSweepsPerStatus = 5;
// At the limit an idle connection makes room for a new one, if it has been idle for this long; of
// so many the longest-lived are looked at, others the next time.
constexpr std::chrono::milliseconds kMakesRoom{1000};
constexpr int kLooks = 64;
constexpr size_t kMostReadingOn = 256;  // answers whose agents have gone

}  // namespace

Worker::Worker(Services& services, std::shared_ptr<const Snapshot> snapshot,
               std::shared_ptr<const policy::Stops> stops)
    : services_(services),
      metrics_(services.metrics.add_shard()),
      workspaces_(services.config.limits.header_bytes),
      upstream_buffers_(services.config.limits.header_bytes + kBodyRoom),
      turn_(services.journal, context_),
      snapshot_(std::move(snapshot)),
      stops_(std::move(stops)),
      overload_(services.descriptors.turned_away),
      sweep_timer_(context_) {
  for (const UpstreamConfig& config : services_.config.upstreams) {
    upstreams_.push_back(std::make_unique<Upstream>(
        config, services_.metrics.intern(config.name),
        UpstreamMeans{context_, services_.upstream_lookups, services_.dial, services_.stdio,
                      http::HeadLimits{services_.config.limits.header_bytes}, upstream_buffers_},
        services_.transport.upstream(config.name)));
    upstream_by_name_[config.name] = upstreams_.back().get();
  }
  publish_status(steady_now());
}

Worker::~Worker() = default;

net::ErrorCode Worker::bind(net::Acceptor& acceptor, const Address& at) const {
  net::ErrorCode ec;
  const auto address = net::asio::ip::make_address(at.host, ec);
  const net::asio::ip::tcp::endpoint endpoint(address, at.port);
  if (!ec) acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(net::asio::socket_base::reuse_address(true), ec);
  if (!ec && services_.config.threads > 1) {
    // Only between workers of this process: otherwise a second sidecar could take half the calls.
    const int on = 1;
    ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(net::asio::socket_base::max_listen_connections, ec);
  return ec;
}

Result<bool> Worker::listen() {
  for (const ListenerConfig& listener : services_.config.listeners) {
    const auto refuse = [&](std::string_view why) {
      return Error{fmt::format("{}: error: listener `{}` cannot listen on {}: {}",
                               to_string(listener.at), listener.name, to_string(listener.address),
                               why)};
    };
    net::Acceptor acceptor(context_);
    net::ErrorCode ec;
    if (listener.address.is_unix()) {
      const auto socket = services_.transport.open_socket(listener);
      if (!socket) return refuse(socket.error().message);
      acceptor.assign({AF_UNIX, 0}, *socket, ec);
      if (ec) return refuse(ec.message());
    } else if (ec = bind(acceptor, listener.address); ec) {
      return refuse(ec.message() + "; stop what uses the address or choose another");
    }
    acceptors_.emplace_back(std::move(acceptor), &listener);
  }
  return true;
}

void Worker::start() {
  const auto report = [](std::string_view what) {
    return [what](std::exception_ptr failure) {
      if (!failure) return;
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& e) {
        log(LogLevel::kError, fmt::format("{} ended: {}", what, e.what()));
      }
    };
  };
  for (auto& [acceptor, listener] : acceptors_) {
    net::spawn(context_, accept(acceptor, *listener), report("a listener"));
  }
  net::spawn(context_, sweep(), report("the sweep"));
  thread_ = std::thread([this] { run(); });
}

// A worker that spins takes what has come at once, and gives way to others only after nothing has
// for `busy_poll`: waking a thread costs more than all of a call's work.
void Worker::run() {
  const auto spin = services_.config.busy_poll;
  if (spin.count() == 0) {
    context_.run();
    return;
  }
  net::Loop& loop = net::Loop::of(context_);
  while (!context_.stopped()) {
    if (context_.run_one() == 0) return;
    for (Steady last = steady_now(); !context_.stopped();) {
      const bool any = loop.look();
      if (context_.poll() > 0 || any) {
        last = steady_now();
      } else if (steady_now() - last > spin) {
        break;
      }
    }
  }
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

Upstream* Worker::find_upstream(std::string_view name) {
  const auto found = upstream_by_name_.find(name);
  return found == upstream_by_name_.end() ? nullptr : found->second;
}

void Worker::set_phase(Connection& connection, Phase phase, std::chrono::milliseconds limit) {
  connection.phase = phase;
  connection.timed_out = false;
  connection.given_up = connection.agent_gone;
  connection.phase_since = steady_coarse();
  connection.deadline = connection.phase_since + limit;
}

// One connection for each turn of the loop: however many knock, calls in progress get their turn.
net::Task<void> Worker::accept(net::Acceptor& acceptor, const ListenerConfig& listener) {
  net::Timer pause(context_);
  while (!stopping_ && acceptor.is_open()) {
    net::ErrorCode ec;
    net::Socket socket(context_);
    co_await acceptor.async_accept(socket, net::asio::redirect_error(net::kAwait, ec));
    if (ec == net::asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (!ec && has_room(steady_now())) {
      admit(std::move(socket), listener);
    } else if (!ec) {
      overload_.turn_away(std::move(socket), !listener.tls, steady_now());
    } else if (!overload_.turn_away_next(acceptor.native_handle(), !listener.tls)) {
      pause.expires_after(kSweep);  // descriptors come back when connections end
      co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ec));
    }
  }
}

bool Worker::has_room(Steady now) {
  const auto most = static_cast<int64_t>(services_.descriptors.connections);
  if (services_.connections.load(std::memory_order_relaxed) < most) return true;
  // Whoever only holds connections open locks nobody out. The oldest are at the back; those that
  // are busy go to the front, so that a few looks each time see all of them in the end.
  for (int looks = 0; looks < kLooks && !connections_.empty(); ++looks) {
    Connection& oldest = *connections_.back();
    connections_.splice(connections_.begin(), connections_, oldest.self);
    if (oldest.phase != Phase::kIdle || oldest.inner || oldest.timed_out) continue;
    if (now - oldest.phase_since < kMakesRoom) continue;
    oldest.timed_out = true;
    oldest.stream.close();
    return true;
  }
  return false;
}

void Worker::admit(net::Socket socket, const ListenerConfig& listener) {
  auto connection = std::make_shared<Connection>(std::move(socket), listener);
  net::ErrorCode ec;
  if (listener.address.is_unix()) {
    connection->uid = net::peer_uid(connection->stream.native_handle());
  } else {
    connection->loopback = net::asio::ip::make_address(listener.address.host, ec).is_loopback();
  }
  serve(std::move(connection));
}

std::optional<net::Stream> Worker::open_inner(const Peer& peer) {
  int ends[2];
  const int kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (!has_room(steady_now()) || ::socketpair(AF_UNIX, kind, 0, ends) != 0) return std::nullopt;
  const net::Socket::protocol_type protocol(AF_UNIX, 0);
  auto connection =
      std::make_shared<Connection>(net::Socket(context_, protocol, ends[0]), *peer.listener);
  connection->inner = true;
  connection->loopback = peer.loopback;
  connection->uid = peer.uid;
  connection->svid = peer.svid;
  serve(std::move(connection));
  return net::Stream(net::Socket(context_, protocol, ends[1]));
}

void Worker::serve(std::shared_ptr<Connection> connection) {
  set_phase(*connection, Phase::kIdle, services_.config.limits.idle);  // the sweep may come first
  connections_.push_front(connection);
  connection->self = connections_.begin();
  count_.fetch_add(1, std::memory_order_relaxed);
  services_.connections.fetch_add(1, std::memory_order_relaxed);
  auto ended = [this, connection](std::exception_ptr failure) {
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& e) {
        log(LogLevel::kError, fmt::format("a session ended: {}", e.what()));
      }
      connection->stream.close(true);
    }
    connections_.erase(connection->self);
    count_.fetch_sub(1, std::memory_order_relaxed);
    services_.connections.fetch_sub(1, std::memory_order_relaxed);
  };
  net::spawn(context_, run_session(*this, connection), std::move(ended));
}

net::Task<void> Worker::sweep() {
  // After a stop, until the last call has noticed: one that was waiting for something that cannot
  // be cut (a name, the ledger) is cut when it comes back.
  for (uint64_t round = 0; !stopping_ || !connections_.empty(); ++round) {
    net::ErrorCode ec;
    sweep_timer_.expires_after(kSweep);
    co_await sweep_timer_.async_wait(net::asio::redirect_error(net::kAwait, ec));
    const Steady now = steady_now();
    for (const auto& connection : connections_) {
      if (stopping_) {
        cut(*connection);
      } else {
        look_at(*connection, now);
      }
    }
    for (const auto& upstream : upstreams_) upstream->sweep(now);
    if (round % kSweepsPerStatus == 0) publish_status(now);
    overload_.sweep(now);
    if (round % 20 == 0) {
      if (const uint64_t count = overload_.take_count(); count > 0) {
        log(LogLevel::kWarning,
            fmt::format("{} connections were turned away: {} are open, the most that "
                        "`limits.connections` and the limit of open files allow",
                        count, services_.connections.load(std::memory_order_relaxed)));
      }
      const policy::Time wall = wall_now();
      const auto second = std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch());
      record_knocks(services_, second.count(), wall);
    }
  }
}

void Worker::look_at(Connection& c, Steady now) {
  // The end of one side is passed on, but one that has reset may be noticed by nobody else.
  if (c.phase == Phase::kTunnel && c.stream.failed()) return cut(c);
  const bool waits_upstream =
      c.phase == Phase::kUpstream || c.phase == Phase::kAnswer || c.phase == Phase::kStream;
  // Nothing runs without a live caller: one that hung up waits for nobody.
  if (c.phase == Phase::kHeld && c.stream.hung_up()) return cut(c);
  if (waits_upstream && now - c.phase_since >= kLookAfter && c.stream.hung_up()) return cut(c);
  if (now >= c.connecting_until) {
    c.connecting.close();
    c.connecting_until = Steady::max();
  }
  // A cancel misses what has just completed, so it is repeated until somebody has noticed.
  const bool cancels = c.uploading || c.phase == Phase::kHead || c.phase == Phase::kBody;
  if (c.timed_out && !cancels) return;
  if (c.uploading) {
    if (now < c.upload_deadline) return;
    c.timed_out = true;
    c.stream.cancel();  // the upload's read ends, the exchange answers 408
    if (c.upstream)
      c.upstream->close(true);  // so does its write, if it is the upstream that is slow
    return;
  }
  if (c.phase == Phase::kStream || c.phase == Phase::kHeld || now < c.deadline) return;
  c.timed_out = true;
  if (c.phase == Phase::kUpstream || c.phase == Phase::kAnswer || c.phase == Phase::kReadOn) {
    c.given_up = true;
    end_waiting(c);
  } else if (c.phase == Phase::kHead || c.phase == Phase::kBody) {
    c.stream.cancel();  // whoever reads answers 408 and closes
  } else if (c.phase == Phase::kTunnel) {
    if (c.upstream) c.upstream->close(true);
    c.stream.close(true);
  } else {
    c.stream.close();
  }
}

void Worker::cut(Connection& c) {
  c.agent_gone = c.given_up = true;  // nothing is sent or tried again for it
  if (!read_on(c)) end_waiting(c);
  c.stream.close(true);
}

bool Worker::read_on(Connection& c) {
  if (stopping_ || c.reads_on.count() == 0) return false;
  if (c.phase == Phase::kReadOn) return true;
  if (reading_on_ >= kMostReadingOn) return false;
  ++reading_on_;
  set_phase(c, Phase::kReadOn, c.reads_on);
  return true;
}

void Worker::end_read_on(Connection& c) {
  c.reads_on = std::chrono::milliseconds(0);
  if (c.phase != Phase::kReadOn) return;
  c.phase = Phase::kStream;
  --reading_on_;
}

// Whatever it is that the call waits for on its upstream's side.
void Worker::end_waiting(Connection& c) {
  if (c.waiting) c.waiting->cancel();
  c.connecting.close();
  if (c.upstream) c.upstream->close(true);
}

void Worker::publish_status(Steady now) {
  auto statuses = std::make_shared<UpstreamStatuses>();
  const policy::Time wall = wall_now();
  for (const auto& upstream : upstreams_) statuses->push_back(upstream->status(now, wall));
  std::lock_guard lock(status_mutex_);
  status_ = std::move(statuses);
}

std::shared_ptr<const UpstreamStatuses> Worker::upstream_statuses() const {
  std::lock_guard lock(status_mutex_);
  return status_;
}

void Worker::replace_snapshot(std::shared_ptr<const Snapshot> snapshot) {
  // A control block of its own for this worker: reference counts stay on its core.
  auto own = std::make_shared<const Snapshot>(*snapshot);
  net::asio::post(context_, [this, own = std::move(own)]() mutable { snapshot_ = std::move(own); });
}

void Worker::drain() {
  net::asio::post(context_, [this] {
    for (auto& [acceptor, listener] : acceptors_) {
      net::ErrorCode ignored;
      acceptor.close(ignored);
    }
    for (const auto& connection : connections_) {
      const bool idle = connection->phase == Phase::kIdle && !connection->inner;
      if (idle || connection->phase == Phase::kHandshake) {
        connection->stream.close();
      }
    }
    for (const auto& upstream : upstreams_) upstream->close_idle();
  });
}

void Worker::stop() {
  net::asio::post(context_, [this] {
    stopping_ = true;
    for (auto& [acceptor, listener] : acceptors_) {
      net::ErrorCode ignored;
      acceptor.close(ignored);
    }
    for (const auto& connection : connections_) cut(*connection);
    for (const auto& upstream : upstreams_) upstream->close_idle();
    sweep_timer_.cancel();
  });
}

}  // namespace reeve
