// An upstream's pool against sockets on loopback: which address is next, which connection is used
// again, what is closed.
#include <algorithm>
#include <set>

#include "tests/proxy/upstream_bench.h"

namespace reeve {
namespace {

using std::chrono::milliseconds;
using State = Health::State;

http::Fields fields(std::string_view keep_alive) {
  http::Fields made;
  made.list.push_back({"keep-alive", keep_alive});
  return made;
}

TEST_CASE("Keep-Alive says how long, and whether at all") {
  CHECK(keep_alive_time({}) == milliseconds(4000));
  struct Row {
    const char* value;
    int ms;
  };
  static constexpr Row kRows[] = {{"timeout=5", 4000},
                                  {"timeout=5, max=99", 4000},
                                  {"max=1, timeout=7", 6000},
                                  {"Timeout = 3", 2000},
                                  {"timeout=1", 0},
                                  {"timeout=0", 0},
                                  {"timeout=100000", 60'000},
                                  {"max=0", 0},
                                  {"timeout=9, max=0", 0},
                                  {"timeout=", 4000},
                                  {"timeout=x", 4000},
                                  {"timeout=5x", 4000},
                                  {"timeout=99999999999", 60'000},
                                  {"", 4000},
                                  {",,max", 4000},
                                  {"xtimeout=1", 4000},
                                  {"max=00", 0}};
  for (const Row& row : kRows) {
    CAPTURE(row.value);
    CHECK(keep_alive_time(fields(row.value)) == milliseconds(row.ms));
  }
}

Upstream::Tries fresh() {
  Upstream::Tries tries;
  tries.fresh = true;
  return tries;
}
Upstream::Tries at(const net::asio::ip::tcp::endpoint& endpoint) {
  Upstream::Tries tries;
  tries.prefer = endpoint;
  return tries;
}

struct Pool : UpstreamBench {
  // An upstream of these, each with a URL.
  Upstream& of(std::vector<net::asio::ip::tcp::endpoint> at) {
    config.host = at.front().address().to_string();
    config.port = at.front().port();
    config.authority = "first";
    for (size_t i = 1; i < at.size(); ++i) {
      config.others.push_back({at[i].address().to_string(), at[i].port(), "other"});
    }
    upstream.emplace(config, kOtherLabel, means());
    return *upstream;
  }
  using Held = std::unique_ptr<UpstreamConnection>;
  // What forward() does until there is a connection; null when there is none.
  Held take(Upstream::Tries tries = {}) {
    Held held = upstream->try_kept(tries, steady_now());
    if (!held) run(connect(tries, held));
    return held;
  }
  void keep(Held held) {
    held->keep_for = milliseconds(60'000);
    upstream->keep(std::move(held), steady_now());
  }
  net::Task<void> connect(Upstream::Tries& tries, Held& held) {
    auto reached = co_await upstream->connect(*agent, tries);
    if (reached) {
      held = std::move(*reached);
    } else {
      error = reached.error().detail;
    }
    count = tries.count;
  }
  const AddressStatus& shown(size_t at) {
    status = upstream->status(steady_now(), wall_now());
    return status.addresses.at(at);
  }

  UpstreamConfig config;
  std::optional<Upstream> upstream;
  std::unique_ptr<Connection> agent = caller();
  std::string error;
  unsigned count = 0;
  UpstreamStatus status;
};

TEST_CASE("the connection used last is used first, unless it is spoiled or old") {
  Pool pool;
  QuietServer server(pool.context, "127.0.0.1");
  Upstream& upstream = pool.of({server.endpoint()});
  auto a = pool.take(), b = pool.take(), c = pool.take();
  REQUIRE((a && b && c));
  CHECK_FALSE(c->reused);
  const auto *first = a.get(), *second = b.get();
  pool.keep(std::move(a));
  pool.keep(std::move(b));
  SECTION("the last one") {
    auto again = pool.take();
    CHECK(again.get() == second);
    CHECK(again->reused);
  }
  SECTION("not where the server has spoken unasked, or hung up") {
    net::Socket one = server.acceptor.accept(), two = server.acceptor.accept();
    two.close();
    Pool::Held again;
    while (!again || again.get() == second) again = pool.take();  // the close is on its way
    CHECK(again.get() == first);
  }
  SECTION("not after its time") {
    c->keep_for = milliseconds(1);
    upstream.keep(std::move(c), steady_now() - milliseconds(10));
    CHECK(pool.take().get() == second);
    upstream.sweep(steady_now() + std::chrono::minutes(2));
    CHECK(pool.shown(0).idle == 0);
    CHECK(pool.shown(0).open == 0);
  }
  SECTION("none that has bytes nobody asked for, and none that is not to be kept") {
    c->end = 1;
    pool.keep(std::move(c));
    auto d = pool.take(fresh());
    REQUIRE(d);
    CHECK_FALSE(d->reused);
    upstream.keep(std::move(d), steady_now());
    CHECK(pool.shown(0).idle == 2);
  }
}

TEST_CASE("idle connections are bounded, and make room for new ones") {
  Pool pool;
  QuietServer one(pool.context, "127.0.0.1"), two(pool.context, "127.0.0.2");
  pool.config.connections = 3;
  pool.config.idle_connections = 2;
  Upstream& upstream = pool.of({one.endpoint(), two.endpoint()});
  auto a = pool.take(), b = pool.take(), c = pool.take();
  pool.keep(std::move(a));
  pool.keep(std::move(b));
  pool.keep(std::move(c));  // one too many
  CHECK(pool.shown(0).idle + pool.shown(1).idle == 2);
  // Two calls have places, so with the one kept connection more there would be four.
  const Gate::Place first = upstream.gate().try_enter(), second = upstream.gate().try_enter();
  const auto d = pool.take(fresh());
  CHECK(pool.shown(0).idle == 0);  // the oldest went
  CHECK(pool.shown(1).idle == 1);
}

TEST_CASE("calls go round the addresses, and past one that refuses") {
  Pool pool;
  QuietServer one(pool.context, "127.0.0.1"), two(pool.context, "127.0.0.2", one.port()),
      three(pool.context, "127.0.0.3", one.port());
  pool.of({one.endpoint(), two.endpoint(), three.endpoint()});
  const auto where = [&] {
    const auto held = pool.take();
    REQUIRE(held);
    const std::string host = held->address->endpoint.address().to_string();
    pool.keep(std::move(const_cast<Pool::Held&>(held)));
    return host;
  };
  CHECK(where() + where() + where() + where() == "127.0.0.1127.0.0.2127.0.0.3127.0.0.1");
  const auto second = two.endpoint();
  two.acceptor.close();
  pool.upstream->close_idle();
  CHECK(where() == "127.0.0.3");  // after 127.0.0.2
  CHECK(pool.count == 2);
  CHECK(pool.shown(1).state == State::kEjected);
  CHECK(pool.shown(1).last_error == "connect: Connection refused");
  CHECK(pool.shown(1).ejections == 1);
  for (int i = 0; i < 4; ++i) CHECK(where() != "127.0.0.2");
  CHECK(pool.count == 1);  // and nobody has knocked there again
  // A session stays where it is while that answers.
  const auto held = pool.take(at(three.endpoint()));
  CHECK(held->address->endpoint == three.endpoint());
  const auto lost = pool.take(at(second));
  CHECK(lost->address->endpoint != second);
}

TEST_CASE("when all are ejected all are tried, each once") {
  Pool pool;
  QuietServer one(pool.context, "127.0.0.1"), two(pool.context, "127.0.0.2", one.port());
  const auto first = one.endpoint(), second = two.endpoint();
  pool.of({first, second});
  one.acceptor.close();
  two.acceptor.close();
  CHECK_FALSE(pool.take());
  CHECK(pool.count == 2);
  CHECK_FALSE(pool.take());
  CHECK(pool.count == 2);
  CHECK(pool.error.find("127.0.0.1") != std::string::npos);
  CHECK(pool.error.find("127.0.0.2") != std::string::npos);
  CHECK_FALSE(pool.upstream->status(steady_now(), wall_now()).up());
  QuietServer back(pool.context, "127.0.0.2", second.port());
  const auto held = pool.take();
  REQUIRE(held);
  CHECK(held->address->endpoint == second);
  pool.upstream->answered(*held, 200, steady_now());
  CHECK(pool.shown(1).state == State::kUp);
}

TEST_CASE("three gateway errors on end eject, one good answer between forgets them") {
  Pool pool;
  QuietServer one(pool.context, "127.0.0.1"), two(pool.context, "127.0.0.2", one.port());
  Upstream& upstream = pool.of({one.endpoint(), two.endpoint()});
  auto held = pool.take(), idle = pool.take(at(one.endpoint()));
  pool.keep(std::move(idle));
  for (const int status : {502, 503, 200, 504, 502}) {
    upstream.answered(*held, status, steady_now());
    CHECK(pool.shown(0).state != State::kEjected);
  }
  CHECK(pool.shown(0).idle == 1);
  upstream.answered(*held, 503, steady_now());
  CHECK(pool.shown(0).state == State::kEjected);
  CHECK(pool.shown(0).idle == 0);  // what is kept would go on being used
  pool.keep(std::move(held));
  CHECK(pool.shown(0).open == 0);
}

TEST_CASE("a probe whose call ends without an answer leaves the next call to probe") {
  Pool pool;
  QuietServer one(pool.context, "127.0.0.1"), two(pool.context, "127.0.0.2", one.port());
  Upstream& upstream = pool.of({one.endpoint(), two.endpoint()});
  auto held = pool.take();
  const auto long_ago = steady_now() - std::chrono::minutes(1);
  upstream.failed(*held, Trouble::kConnect, "refused", long_ago);
  CHECK(pool.shown(0).state == State::kEjected);
  {
    const auto other = pool.take();  // it is the other's turn
    CHECK(other->address->endpoint == two.endpoint());
    const auto probe = pool.take();
    CHECK(probe->probes);
    CHECK(pool.shown(0).state == State::kProbing);
    for (int i = 0; i < 3; ++i) CHECK(pool.take()->address->endpoint == two.endpoint());
  }
  CHECK(pool.shown(0).state == State::kEjected);
  auto next = pool.take();
  if (!next->probes) next = pool.take();
  CHECK(next->probes);
}

TEST_CASE("addresses that a name loses are used no more, what is known of the others stays") {
  UpstreamBench bench;
  QuietServer one(bench.context, "127.0.0.1"), two(bench.context, "127.0.0.2", one.port());
  UpstreamConfig config;
  config.host = "crm.internal";
  Addresses addresses(config, bench.means());
  addresses.replace(0, {one.endpoint(), two.endpoint()});
  const auto first = addresses.list()[0], second = addresses.list()[1];
  first->health.failed(Trouble::kConnect, "refused", steady_now(), true, 0);
  const auto connection = [&](const std::shared_ptr<UpstreamAddress>& to) {
    return std::make_unique<UpstreamConnection>(net::Stream(net::Socket(bench.context)), to,
                                                http::HeadLimits{1024}, bench.buffers);
  };
  second->idle.push_back(connection(second));
  const auto in_use = connection(second);
  addresses.replace(0, {one.endpoint()});
  CHECK(addresses.list().size() == 1);
  CHECK(addresses.list()[0]->health.state() == State::kEjected);
  CHECK(second->gone);
  CHECK(second->idle.empty());
  CHECK(second->open == 1);
  addresses.replace(0, {two.endpoint(), one.endpoint()});
  CHECK(addresses.list().size() == 2);
  CHECK(addresses.list()[1] != second);  // begins anew
}

TEST_CASE("a name is looked up beside the loop, once for all who wait") {
  Pool pool;
  QuietServer server(pool.context, "127.0.0.1");
  pool.config.host = "localhost";
  pool.config.port = server.port();
  pool.upstream.emplace(pool.config, kOtherLabel, pool.means());
  CHECK(pool.take());
  CHECK(pool.upstream->status(steady_now(), wall_now()).sites[0].looked_up);
  pool.config.host = "no-such-host.invalid";
  pool.upstream.emplace(pool.config, kOtherLabel, pool.means());
  CHECK_FALSE(pool.take());
  CHECK(pool.error.find("`no-such-host.invalid` has no address") == 0);
  CHECK_FALSE(pool.upstream->status(steady_now(), wall_now()).up());
}

TEST_CASE("the sidecar itself is no upstream") {
  Pool pool;
  QuietServer server(pool.context, "127.0.0.1");
  pool.wiring.listeners.push_back({"local", {"127.0.0.1", server.port()}, {}});
  pool.dial = DialRules(pool.wiring);
  pool.of({server.endpoint()});
  CHECK_FALSE(pool.take());
  CHECK(pool.error.find("the sidecar itself") != std::string::npos);
}

}  // namespace
}  // namespace reeve
