// When an address is left out, for how long, and who tries it again: time is a number here.
#include <catch2/catch.hpp>

#include "proxy/upstream/health.h"

namespace reeve {
namespace {

using std::chrono::milliseconds;
using State = Health::State;

const Steady kStart = Steady{} + std::chrono::hours(1);
Steady at(int ms) { return kStart + milliseconds(ms); }

TEST_CASE("one refused connect ejects, of other failures three on end") {
  Health health;
  CHECK(health.state() == State::kUp);
  CHECK(health.failed(Trouble::kConnect, "refused", at(0), true, 0));
  CHECK(health.state() == State::kEjected);
  CHECK(health.last_error() == "connect: refused");
  CHECK(health.ejected_until() == at(1000));

  for (const Trouble trouble :
       {Trouble::kTimeout, Trouble::kProtocol, Trouble::kClosed, Trouble::kGateway}) {
    Health other;
    CHECK_FALSE(other.failed(trouble, "x", at(0), true, 0));
    CHECK_FALSE(other.failed(trouble, "x", at(1), true, 0));
    CHECK(other.state() == State::kFailing);
    CHECK(other.wanted(at(2)));
    other.succeeded(at(2));
    CHECK(other.state() == State::kUp);
    CHECK_FALSE(other.failed(trouble, "x", at(3), true, 0));
    CHECK_FALSE(other.failed(trouble, "x", at(4), true, 0));
    CHECK(other.failed(trouble, "x", at(5), true, 0));
    CHECK(other.failures() == 3);
  }
}

TEST_CASE("after an ejection one call is the probe, and its end decides") {
  Health health;
  CHECK_FALSE(health.begin(at(0)));
  health.failed(Trouble::kConnect, "refused", at(0), true, 0);
  CHECK_FALSE(health.wanted(at(999)));
  CHECK_FALSE(health.begin(at(999)));
  CHECK(health.wanted(at(1000)));
  CHECK(health.begin(at(1000)));
  CHECK(health.state() == State::kProbing);
  CHECK_FALSE(health.wanted(at(1000)));
  CHECK_FALSE(health.begin(at(1001)));  // only one

  SECTION("it succeeds") {
    health.succeeded(at(1002));
    CHECK(health.state() == State::kUp);
    health.failed(Trouble::kConnect, "refused", at(1003), true, 0);
    CHECK(health.ejected_until() == at(2003));  // from the beginning
  }
  SECTION("it fails, in whatever way") {
    CHECK(health.failed(Trouble::kGateway, "answered 503", at(1002), true, 0));
    CHECK(health.ejected_until() == at(3002));
    CHECK(health.ejections() == 2);
  }
  SECTION("its agent hangs up") {
    health.forgone();
    CHECK(health.state() == State::kEjected);
    CHECK(health.begin(at(1003)));
  }
}

TEST_CASE("ejections double up to half a minute, and end spread") {
  Health health;
  int now = 0;
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30, 30}) {
    health.failed(Trouble::kConnect, "refused", at(now), true, 0);
    CHECK(health.ejected_until() == at(now + seconds * 1000));
    now += seconds * 1000;
    REQUIRE(health.begin(at(now)));
  }
  for (const uint32_t random : {0u, 77u, 250u, 4'000'000'000u}) {
    Health spread;
    spread.failed(Trouble::kConnect, "refused", at(0), true, random);
    CHECK(spread.ejected_until() >= at(1000));
    CHECK(spread.ejected_until() <= at(1250));
  }
}

TEST_CASE("a call that comes though all are ejected makes it no longer") {
  Health health;
  health.failed(Trouble::kConnect, "refused", at(0), true, 0);
  CHECK_FALSE(health.failed(Trouble::kConnect, "refused", at(500), true, 0));
  CHECK(health.ejected_until() == at(1000));
  CHECK(health.failures() == 2);
  health.succeeded(at(600));
  CHECK(health.state() == State::kUp);
}

TEST_CASE("the only address is never ejected, but shown as down") {
  Health health;
  CHECK_FALSE(health.failed(Trouble::kConnect, "refused", at(0), false, 0));
  CHECK(health.state() == State::kDown);
  CHECK(health.wanted(at(1)));
  health.succeeded(at(2));
  CHECK(health.state() == State::kUp);
  CHECK_FALSE(health.failed(Trouble::kGateway, "answered 502", at(3), false, 0));
  CHECK(health.state() == State::kFailing);
}

}  // namespace
}  // namespace reeve
