// Limits by scripts: one step per line, its result after `->`. Times are seconds.
#include "policy/limits.h"

#include <fmt/core.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <random>
#include <sstream>
#include <thread>

namespace reeve::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = Limits::Steady;

RateLimit limit_of(RateLimit::Kind kind, uint32_t count, seconds window = seconds{0}) {
  RateLimit limit;
  limit.kind = kind;
  limit.count = count;
  limit.window = window;
  limit.text = fmt::format("{}/{}", count, window.count());
  return limit;
}
RateLimit calls(uint32_t count, seconds window) {
  return limit_of(RateLimit::Kind::kCalls, count, window);
}

Sha256 print_of(uint32_t number) {
  Sha256 print{};
  for (size_t i = 0; i < 4; ++i) print[i] = static_cast<uint8_t>(number >> (8 * i));
  return print;
}

// Calls of one agent by its limits.
struct Caller {
  Limits limits;
  std::vector<RateLimit> of;
  std::string agent = "casey";
  Time date{};

  // "ok", or the text of the limit and when it opens.
  std::string call(double at, uint32_t print = 0, std::string session = "s",
                   Admission* keep = nullptr, bool forwarded = true) {
    const Steady now{milliseconds{static_cast<int64_t>(at * 1000)}};
    auto admitted = limits.admit({agent, of, now, date, print_of(print), session});
    if (!admitted) {
      const LimitRefusal& why = admitted.error();
      return why.retry_after ? fmt::format("{} in {}", why.limit->text, why.retry_after->count())
                             : why.limit->text + " never";
    }
    if (forwarded) admitted->mark_forwarded();
    if (keep) *keep = std::move(*admitted);
    return "ok";
  }
};

TEST_CASE("calls per time: a window that slides, to the millisecond", "[limits]") {
  Caller caller{{}, {calls(3, seconds{10})}};
  CHECK(caller.call(0) == "ok");
  CHECK(caller.call(1) == "ok");
  CHECK(caller.call(2) == "ok");
  CHECK(caller.call(2.5) == "3/10 in 8");
  CHECK(caller.call(9.999) == "3/10 in 1");
  CHECK(caller.call(10) == "ok");
  CHECK(caller.call(10) == "3/10 in 1");
  CHECK(caller.call(11) == "ok");
  CHECK(caller.call(11) == "3/10 in 1");
  CHECK(caller.call(100) == "ok");
}

TEST_CASE(
    "each limit must hold, the one that opens last is told, and a refused call counts nowhere",
    "[limits]") {
  Caller caller{{}, {calls(2, seconds{10}), calls(3, seconds{60})}};
  CHECK(caller.call(0) == "ok");
  CHECK(caller.call(1) == "ok");
  for (int i = 0; i < 5; ++i) CHECK(caller.call(2) == "2/10 in 8");
  CHECK(caller.call(10) == "ok");
  CHECK(caller.call(10.5) == "3/60 in 50");
  CHECK(caller.call(59) == "3/60 in 1");
  CHECK(caller.call(60) == "ok");
}

TEST_CASE("a limit of two roles counts a call once; of none there is none", "[limits]") {
  Caller caller{{}, {calls(2, seconds{10}), calls(2, seconds{10})}};
  CHECK(caller.call(0) == "ok");
  CHECK(caller.call(0) == "ok");
  CHECK(caller.call(0) == "2/10 in 10");
  caller.of.clear();
  CHECK(caller.call(0) == "ok");
  caller.of = {calls(0, seconds{10})};
  CHECK(caller.call(0) == "0/10 never");
}

TEST_CASE("agents have counters of their own", "[limits]") {
  Caller caller{{}, {calls(1, seconds{10})}};
  CHECK(caller.call(0) == "ok");
  CHECK(caller.call(0) == "1/10 in 10");
  caller.agent = "robin";
  CHECK(caller.call(0) == "ok");
}

TEST_CASE("at once: a place is free when its call has ended", "[limits]") {
  Caller caller{{}, {limit_of(RateLimit::Kind::kConcurrent, 2)}};
  Admission first, second;
  CHECK(caller.call(0, 0, "s", &first) == "ok");
  CHECK(caller.call(0, 0, "s", &second) == "ok");
  CHECK(caller.call(0) == "2/0 in 1");
  first = Admission();
  CHECK(caller.call(0) == "ok");  // and ended
  CHECK(caller.call(0, 0, "s", &first) == "ok");
  CHECK(caller.call(0) == "2/0 in 1");
  second = std::move(first);
  CHECK(caller.call(0) == "ok");
}

TEST_CASE("repeats of one call are counted, others are not", "[limits]") {
  Caller caller{{}, {limit_of(RateLimit::Kind::kRepeats, 2, seconds{60})}};
  CHECK(caller.call(0, 1) == "ok");
  CHECK(caller.call(1, 1) == "ok");
  CHECK(caller.call(2, 1) == "2/60 in 58");
  CHECK(caller.call(2, 2) == "ok");
  CHECK(caller.call(60, 1) == "ok");
  CHECK(caller.call(60, 1) == "2/60 in 1");
}

TEST_CASE("repeats cannot be made forgotten by other calls", "[limits]") {
  Caller caller{{}, {limit_of(RateLimit::Kind::kRepeats, 3, seconds{60})}};
  for (int i = 0; i < 3; ++i) CHECK(caller.call(0, 1) == "ok");
  for (uint32_t i = 0; i < Limits::kRepeatedCalls * 2; ++i) (void)caller.call(1, 100 + i);
  CHECK(caller.call(2, 1) == "3/60 in 58");
  // One that was pushed out comes back with no fewer than it had.
  Caller other{{}, {limit_of(RateLimit::Kind::kRepeats, 2, seconds{60})}};
  CHECK(other.call(0, 1) == "ok");
  for (uint32_t i = 0; i < Limits::kRepeatedCalls; ++i) CHECK(other.call(1, 100 + i) == "ok");
  CHECK(other.call(2, 1) == "ok");
  CHECK(other.call(2, 1) == "2/60 in 59");
  CHECK(other.call(62, 1) == "ok");
}

TEST_CASE("steps of a session: forwarded calls; another session has its own", "[limits]") {
  Caller caller{{}, {limit_of(RateLimit::Kind::kSteps, 2)}};
  CHECK(caller.call(0, 0, "a") == "ok");
  for (int i = 0; i < 5; ++i) CHECK(caller.call(0, 0, "a", nullptr, false) == "ok");
  CHECK(caller.call(0, 0, "a") == "ok");
  CHECK(caller.call(1e6, 0, "a") == "2/0 never");
  CHECK(caller.call(0, 0, "b") == "ok");
  for (size_t i = 0; i < Limits::kSessions; ++i) {
    CHECK(caller.call(0, 0, fmt::format("s{}", i)) == "ok");
  }
  CHECK(caller.call(0, 0, fmt::format("s{}", Limits::kSessions - 1)) == "ok");
  CHECK(caller.call(0, 0, fmt::format("s{}", Limits::kSessions - 1)) == "2/0 never");
}

TEST_CASE("a probation ends on its date", "[limits]") {
  Caller caller{{}, {calls(1, seconds{1000})}};
  caller.of[0].until = Time{seconds{50}};
  CHECK(caller.call(0) == "ok");
  caller.date = Time{seconds{50}} - std::chrono::microseconds{1};
  CHECK(caller.call(49) == "1/1000 in 951");
  caller.date = Time{seconds{50}};
  CHECK(caller.call(50) == "ok");
}

TEST_CASE("against a model that keeps every call: never more, and nearly as many", "[limits]") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    const auto count =
        static_cast<uint32_t>(seed % 3 == 0 ? 300 + random() % 700 : 1 + random() % 50);
    const seconds window{static_cast<int64_t>(1 + random() % 100)};
    Caller caller{{}, {calls(count, window)}};
    std::deque<int64_t> admitted;  // milliseconds
    int64_t now = 0;
    int refused_beside = 0;
    const int64_t gap = window.count() * 1000 / count;
    for (int i = 0; i < 5000; ++i) {
      now += static_cast<int64_t>(random() % static_cast<uint64_t>(gap * 2 + 1));
      while (!admitted.empty() && admitted.front() + window.count() * 1000 <= now) {
        admitted.pop_front();
      }
      const bool ok = caller.call(static_cast<double>(now) / 1000) == "ok";
      if (ok) {
        admitted.push_back(now);
        REQUIRE(admitted.size() <= count);
      } else if (admitted.size() < count) {
        ++refused_beside;
      }
    }
    if (count <= 256) REQUIRE(refused_beside == 0);
    REQUIRE(refused_beside < 500);
  }
}

TEST_CASE("many threads on one agent: exactly as many as may", "[limits][threads]") {
  Limits limits;
  const std::vector<RateLimit> of = {calls(500, seconds{60}),
                                     limit_of(RateLimit::Kind::kConcurrent, 3)};
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  std::atomic<int> passed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        auto admitted = limits.admit({"casey", of, Steady{}, Time{}, Sha256{}, ""});
        if (!admitted) continue;
        const int now = ++at_once;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) continue;
        ++passed;
        --at_once;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(passed == 500);
  CHECK(most <= 3);
}

}  // namespace
}  // namespace reeve::policy
