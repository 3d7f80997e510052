// What is dialled is what was judged and checked: one `host:port` for the rules, the record and the
// resolver, and one answer of the resolver for the check and the connect. Tested end to end by
// tests/e2e/forward_proxy_test.mjs.
#include "proxy/forward_proxy.h"

#include <fmt/format.h>

#include "proxy/dial.h"
#include "proxy/forward.h"
#include "proxy/log.h"
#include "proxy/origin.h"
#include "proxy/stops/cut.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr std::chrono::milliseconds kDialTime{10'000};  // for all addresses of a name
constexpr uint16_t kHttpPort = 80;

// Answers a call whose destination was not reached.
net::Task<void> fail(Exchange& x, DialFailure failure) {
  if (x.connection.timed_out) {
    failure = {"timeout", 504, "the host did not accept in time", {}};
  }
  if (!failure.log.empty()) {
    log(LogLevel::kWarning, fmt::format("`{}`: {}", x.destination->target, failure.log));
  }
  co_await answer_failure(x, {failure.error, failure.status, failure.detail});
}

net::Task<void> open_tunnel(Exchange& x, Endpoints endpoints) {
  Connection& c = x.connection;
  auto dialled = co_await dial(endpoints, x.worker.context().get_executor(),
                               &c.connecting.connecting, c.given_up);
  c.connecting = {};
  if (!dialled || c.agent_gone || c.timed_out || c.stopped) {
    co_return co_await fail(x, dialled ? DialFailure{"connect"} : dialled.error());
  }
  const std::unique_ptr<net::Stream> to = std::move(*dialled);
  c.upstream = to.get();
  x.upstream_started = steady_now();
  x.reservation.mark_sent();
  x.forwarded = x.answered = true;
  x.status = 200;
  c.work->out = fmt::format("HTTP/1.1 200 Connection established\r\nreeve-request-id: {}\r\n\r\n",
                            view(x.id));
  if (co_await c.stream.write(c.work->out)) {
    co_await relay_tunnel(x, *to);
  } else {
    x.error = c.stopped ? kStopped : "agent-gone";
  }
  c.upstream = nullptr;
  x.upstream_ended = steady_now();
}

// The call goes out like one to an upstream that has only these addresses, and that nobody else's
// call will use again.
net::Task<void> forward_call(Exchange& x, Endpoints endpoints) {
  UpstreamConfig config;
  config.name = x.destination->target;
  config.host = x.destination->host;
  config.port = x.destination->port;
  config.authority = x.destination->target;
  if (config.port == kHttpPort) config.authority.resize(config.authority.rfind(':'));
  Services& services = x.worker.services();
  Upstream once(
      config, kOtherLabel,
      {x.worker.context(), services.upstream_lookups, services.dial, services.stdio,
       http::HeadLimits{services.config.limits.header_bytes}, x.worker.upstream_buffers()});
  once.pin(std::move(endpoints));
  // No rule reads the path, so it goes on as it came.
  x.path.forward = x.head.path;
  x.upstream = &once;
  co_await forward(x);
  x.upstream = nullptr;
}

}  // namespace

bool asks_forward_proxy(const Exchange& x) {
  return x.head.connect || !names_listener(x.head, x.connection);
}

bool find_destination(Exchange& x) {
  if (http::iequals(x.head.scheme, "https")) {
    return x.refuse(501, "malformed",
                    "an https URL is not fetched for an agent; send `CONNECT host:443` and TLS "
                    "inside the tunnel, as clients do that have HTTPS_PROXY=http://LISTENER");
  }
  auto found = parse_destination(x.head.authority, x.head.connect ? 0 : kHttpPort);
  if (!found) return x.refuse(400, "malformed", found.error());
  x.destination = std::move(*found);
  return true;
}

void read_proxy_call(Exchange& x) {
  x.call.kind = policy::Kind::kConnect;
  x.call.action = x.head.method;
  x.call.target = x.destination->target;
  x.call.time = x.time;
}

bool may_dial(Exchange& x) {
  if (!x.destination || !x.destination->address) return true;
  const char* why =
      x.worker.services().dial.forbidden({*x.destination->address, x.destination->port});
  return why == nullptr || x.refuse(403, "address", why);
}

net::Task<void> forward_to_destination(Exchange& x) {
  Connection& c = x.connection;
  x.worker.set_phase(c, Phase::kUpstream, kDialTime);
  if (x.head.connect) x.keep_alive = false;
  Services& services = x.worker.services();
  auto endpoints = co_await find_addresses(services.dial, services.lookups, *x.destination);
  if (!endpoints || c.agent_gone || c.timed_out || c.stopped) {
    co_return co_await fail(x, endpoints ? DialFailure{"connect"} : endpoints.error());
  }
  if (x.head.connect) co_return co_await open_tunnel(x, std::move(*endpoints));
  co_await forward_call(x, std::move(*endpoints));
}

}  // namespace reeve
