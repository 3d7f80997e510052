// Places for calls: how many there are, who is next, and that none is lost.
#include <string>

#include "proxy/upstream/gate.h"
#include "tests/proxy/upstream_bench.h"

namespace reeve {
namespace {

struct Guests {
  net::Task<void> enter(Gate& gate, Connection& caller, char name) {
    Gate::Place place = co_await gate.enter(caller);
    order += place ? name : '-';
    if (place) places.push_back(std::move(place));
  }
  std::string order;  // a letter for who came in, a dash for who did not
  std::vector<Gate::Place> places;
};

struct GateBench : UpstreamBench {
  void spawn(net::Task<void> task) {
    net::spawn(context, std::move(task), [](std::exception_ptr e) { REQUIRE(!e); });
    poll();
  }
  void poll() {
    context.poll();
    context.restart();
  }
};

TEST_CASE("places go to those who wait longest, and none is overtaken") {
  GateBench bench;
  Gate gate(bench.context, 2);
  Guests guests;
  std::vector<std::unique_ptr<Connection>> callers;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    callers.push_back(bench.caller());
    bench.spawn(guests.enter(gate, *callers.back(), name));
  }
  CHECK(guests.order == "ab");
  CHECK(gate.inside() == 2);
  CHECK(gate.waiting() == 2);
  guests.places.pop_back();
  // The place is c's already, though c has not noticed yet.
  CHECK_FALSE(gate.try_enter());
  bench.poll();
  CHECK(guests.order == "abc");
  guests.places.clear();
  bench.poll();
  CHECK(guests.order == "abcd");
  CHECK(gate.inside() == 1);
  guests.places.clear();
  CHECK(gate.inside() == 0);
  CHECK(gate.try_enter());
  CHECK(gate.inside() == 0);  // left at the end of the line above
}

TEST_CASE("as many may wait as may be inside, and not one more") {
  GateBench bench;
  Gate gate(bench.context, 2);
  Guests guests;
  std::vector<std::unique_ptr<Connection>> callers;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    callers.push_back(bench.caller());
    bench.spawn(guests.enter(gate, *callers.back(), name));
  }
  CHECK(guests.order == "ab-");
  CHECK(gate.waiting() == 2);
  guests.places.clear();
  bench.poll();
  CHECK(guests.order == "ab-cd");
}

TEST_CASE("who is given up while waiting takes no place with him") {
  GateBench bench;
  Gate gate(bench.context, 1);
  Guests guests;
  const auto a = bench.caller(), b = bench.caller(), c = bench.caller();
  bench.spawn(guests.enter(gate, *a, 'a'));
  SECTION("before there is one") {
    bench.spawn(guests.enter(gate, *b, 'b'));
    REQUIRE(b->waiting != nullptr);
    b->given_up = true;
    b->waiting->cancel();
    bench.poll();
    CHECK(b->waiting == nullptr);
    CHECK(gate.waiting() == 0);
    bench.spawn(guests.enter(gate, *c, 'c'));
    guests.places.clear();
    bench.poll();
    CHECK(guests.order == "a-c");
  }
  SECTION("just when there is one") {
    bench.spawn(guests.enter(gate, *b, 'b'));
    b->given_up = true;
    guests.places.clear();
    b->waiting->cancel();
    bench.poll();
    guests.places.clear();
    CHECK(gate.inside() == 0);
  }
  SECTION("and does not wait when it is known before") {
    b->given_up = true;
    bench.spawn(guests.enter(gate, *b, 'b'));
    CHECK(guests.order == "a-");
  }
}

}  // namespace
}  // namespace reeve
