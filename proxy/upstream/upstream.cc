// Before a kept connection is used its socket is looked at: an upstream that has hung up meanwhile
// costs a new connection, not the call. Tested by tests/proxy/upstream_pool_test.cc and end to end
// by tests/e2e/upstreams_test.mjs.
#include "proxy/upstream/upstream.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "proxy/log.h"

namespace reeve {
namespace {

using Endpoint = net::asio::ip::tcp::endpoint;

// An address that accepts gets at least this to do so, however many others there are.
constexpr std::chrono::milliseconds kLeastShare{100};

std::string text_of(const Endpoint& endpoint) {
  const auto address = endpoint.address();
  return fmt::format(fmt::runtime(address.is_v6() ? "[{}]:{}" : "{}:{}"), address.to_string(),
                     endpoint.port());
}

bool is_gateway_error(int status) { return status == 502 || status == 503 || status == 504; }

}  // namespace

Upstream::Upstream(const UpstreamConfig& config, Label label, const UpstreamMeans& means,
                   const tls::Credentials* credentials)
    : config_(config),
      label_(label),
      means_(means),
      addresses_(config, means),
      gate_(means.context, config.connections),
      random_(static_cast<uint32_t>(steady_now().time_since_epoch().count())) {
  if (credentials && !config.has_face()) client_.emplace(*credentials, config.server_name);
}

// For operators.
std::string Upstream::name_of(const UpstreamAddress& address) const {
  if (!config_.unix_path.empty()) return config_.unix_path;
  if (config_.events) return config_.authority;
  return config_.command.words.empty() ? text_of(address.endpoint) : config_.command.words.front();
}

// The next in turn that is wanted; when none is, the next at all: an address that failed is still
// better than no answer.
UpstreamAddress* Upstream::choose(const Tries& tries, Steady now) {
  const auto& list = addresses_.list();
  const auto untried = [&](const std::shared_ptr<UpstreamAddress>& address) {
    return std::find(tries.failed.begin(), tries.failed.end(), address) == tries.failed.end();
  };
  if (tries.prefer) {
    for (const auto& address : list) {
      if (address->endpoint == *tries.prefer && untried(address)) return address.get();
    }
  }
  for (const bool any : {false, true}) {
    for (size_t i = 0; i < list.size(); ++i) {
      const size_t at = (turn_ + i) % list.size();
      if (!untried(list[at]) || (!any && !list[at]->health.wanted(now))) continue;
      turn_ = at + 1;
      return list[at].get();
    }
  }
  return nullptr;
}

std::unique_ptr<UpstreamConnection> Upstream::kept(UpstreamAddress& address, Tries& tries,
                                                   Steady now) {
  while (!tries.fresh && !address.idle.empty()) {
    std::unique_ptr<UpstreamConnection> connection = std::move(address.idle.back());
    address.idle.pop_back();
    if (now >= connection->idle_until || connection->stream.spoiled()) continue;
    connection->reused = true;
    connection->probes = address.health.begin(now);
    ++tries.count;
    return connection;
  }
  return nullptr;
}

std::unique_ptr<UpstreamConnection> Upstream::try_kept(Tries& tries, Steady now) {
  addresses_.freshen(now);
  tries.next = choose(tries, now);
  return tries.next ? kept(*tries.next, tries, now) : nullptr;
}

// Waits for addresses: at first, and once more when all of them have failed. False when there are
// no others.
net::Task<bool> Upstream::look_up(Connection& caller, Tries& tries) {
  if (tries.looked_up) co_return false;
  tries.looked_up = true;
  while (addresses_.looking() && !caller.given_up && !caller.stopped) {
    co_await addresses_.wait(caller);
    if (tries.failed.empty() && !addresses_.list().empty()) break;  // one of several names will do
  }
  co_return !caller.given_up && !caller.stopped;
}

// What is left of the time for connecting, shared out among the addresses that are left.
std::chrono::milliseconds Upstream::share(const Tries& tries, Steady now) const {
  const size_t known = addresses_.list().size();
  const size_t failed = std::min(known, tries.failed.size());
  const size_t left = std::clamp<size_t>(known - failed, 1, kMostTries);
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(tries.connect_by - now);
  return std::max(time / static_cast<int>(left), std::min(kLeastShare, config_.connect_timeout));
}

net::Task<Result<net::Stream, Upstream::Unreached>> Upstream::connect_to(Endpoint endpoint,
                                                                         Connection& caller,
                                                                         Steady until) {
  if (config_.has_face()) co_return connect_to_face();
  net::Endpoint to = endpoint;
  if (!config_.unix_path.empty()) {
    to = net::asio::local::stream_protocol::endpoint(config_.unix_path);
  }
  caller.connecting_until = until;
  auto stream = co_await net::connect(to, means_.context.get_executor(),
                                      client_ ? &*client_ : nullptr, caller.connecting);
  caller.connecting_until = Steady::max();
  if (stream) co_return std::move(*stream);
  net::ConnectFailure& why = stream.error();
  co_return Unreached{why.ended, why.tls, std::move(why.message)};
}

Result<net::Stream, Upstream::Unreached> Upstream::connect_to_face() {
  const auto descriptor = means_.servers.open(config_.name);
  if (!descriptor) return Unreached{false, false, descriptor.error().message};
  net::Socket socket(means_.context.get_executor());
  net::ErrorCode ec;
  socket.assign({AF_UNIX, 0}, *descriptor, ec);
  if (ec) {
    ::close(*descriptor);
    return Unreached{false, false, ec.message()};
  }
  return net::Stream(std::move(socket));
}

net::Task<Upstream::Reached> Upstream::connect(Connection& caller, Tries& tries) {
  Unreached why;
  tries.connect_by = {};
  while (tries.count < kMostTries && !caller.given_up && !caller.stopped) {
    const Steady now = steady_now();
    UpstreamAddress* next = std::exchange(tries.next, nullptr);
    if (next == nullptr) next = choose(tries, now);
    if (next == nullptr) {
      if (!co_await look_up(caller, tries)) break;
      tries.connect_by = {};
      continue;
    }
    if (auto connection = kept(*next, tries, now)) co_return connection;
    if (tries.connect_by == Steady{}) tries.connect_by = now + config_.connect_timeout;
    if (now >= tries.connect_by) break;
    const auto address = next->shared_from_this();
    make_room();
    ++tries.count;
    const bool probes = address->health.begin(now);
    auto stream = co_await connect_to(address->endpoint, caller, now + share(tries, now));
    if (stream) {
      auto connection = std::make_unique<UpstreamConnection>(std::move(*stream), address,
                                                             means_.limits, means_.buffers);
      connection->probes = probes;
      co_return connection;
    }
    if (caller.given_up || caller.stopped) {
      if (probes) address->health.forgone();
      break;
    }
    const std::string& detail = stream.error().detail;
    why.timed_out = why.timed_out || stream.error().timed_out;
    why.tls = why.tls || stream.error().tls;
    why.detail +=
        fmt::format("{}{}: {}", why.detail.empty() ? "" : "; ", name_of(*address), detail);
    failed(*address, Trouble::kConnect, detail, steady_now());
    tries.failed.push_back(address);
    addresses_.doubt(*address, steady_now());
  }
  if (why.detail.empty()) why.detail = addresses_.error();
  co_return why;
}

void Upstream::answered(UpstreamConnection& over, int status, Steady now) {
  if (is_gateway_error(status)) {
    return failed(over, Trouble::kGateway, fmt::format("answered {}", status), now);
  }
  over.probes = false;
  UpstreamAddress& address = *over.address;
  const bool was_out = address.health.ejected_until() != Steady{};
  address.health.succeeded(now);
  if (was_out) {
    log(LogLevel::kInfo,
        fmt::format("upstream `{}`: {} answers again", config_.name, name_of(address)));
  }
}

void Upstream::failed(UpstreamConnection& over, Trouble trouble, std::string_view detail,
                      Steady now) {
  over.probes = false;
  failed(*over.address, trouble, detail, now);
}

void Upstream::failed(UpstreamAddress& address, Trouble trouble, std::string_view detail,
                      Steady now) {
  random_ = random_ * 1664525 + 1013904223;
  // Where there is nowhere else to go, nothing is left out.
  const bool eject = has_several_addresses() && !address.gone;
  if (!address.health.failed(trouble, detail, now, eject, random_ >> 8)) return;
  address.idle.clear();
  const std::chrono::duration<double> out = address.health.ejected_until() - now;
  log(LogLevel::kWarning,
      fmt::format("upstream `{}`: {} is left out for {:.1f} s: {}", config_.name, name_of(address),
                  out.count(), address.health.last_error()));
}

void Upstream::keep(std::unique_ptr<UpstreamConnection> connection, Steady now) {
  UpstreamAddress& address = *connection->address;
  // Bytes that nobody asked for are never the start of somebody's answer.
  const bool unasked = connection->begin != connection->end;
  if (unasked || connection->keep_for.count() == 0 || address.gone) return;
  if (!address.health.wanted(now) || idle() >= config_.idle_connections) return;
  connection->rest();
  connection->idle_until = now + connection->keep_for;
  address.idle.push_back(std::move(connection));
}

size_t Upstream::idle() const {
  size_t all = 0;
  for (const auto& address : addresses_.list()) all += address->idle.size();
  return all;
}

// For one connection more: the caller has its place already.
void Upstream::make_room() {
  for (size_t all = idle(); all > 0 && gate_.inside() + all > config_.connections; --all) {
    UpstreamAddress* oldest = nullptr;
    for (const auto& address : addresses_.list()) {
      if (address->idle.empty()) continue;
      if (oldest == nullptr ||
          address->idle.front()->idle_until < oldest->idle.front()->idle_until) {
        oldest = address.get();
      }
    }
    oldest->idle.erase(oldest->idle.begin());
  }
}

void Upstream::sweep(Steady now) {
  for (const auto& address : addresses_.list()) {
    std::erase_if(address->idle,
                  [now](const auto& connection) { return now >= connection->idle_until; });
  }
}

void Upstream::close_idle() {
  for (const auto& address : addresses_.list()) address->idle.clear();
}

UpstreamStatus Upstream::status(Steady now, policy::Time wall) const {
  const auto on_wall = [&](Steady time) {
    return wall + std::chrono::duration_cast<std::chrono::microseconds>(time - now);
  };
  UpstreamStatus status;
  status.name = config_.name;
  status.in_use = gate_.inside();
  status.waiting = gate_.waiting();
  for (const Addresses::Site& site : addresses_.sites()) {
    SiteStatus shown{site.host, site.named, site.error, {}};
    if (site.named && site.looked_up != Steady{}) shown.looked_up = on_wall(site.looked_up);
    status.sites.push_back(std::move(shown));
  }
  for (const auto& address : addresses_.list()) {
    const Health& health = address->health;
    AddressStatus shown;
    shown.address = name_of(*address);
    shown.host = addresses_.sites()[address->site].host;
    shown.state = health.state();
    shown.open = address->open;
    shown.idle = address->idle.size();
    shown.failures = health.failures();
    shown.ejections = health.ejections();
    shown.last_error = health.last_error();
    if (health.seen_at() != Steady{}) shown.seen_at = on_wall(health.seen_at());
    if (!shown.last_error.empty()) shown.last_error_at = on_wall(health.last_error_at());
    if (health.ejected_until() != Steady{}) shown.ejected_until = on_wall(health.ejected_until());
    status.addresses.push_back(std::move(shown));
  }
  return status;
}

}  // namespace reeve
