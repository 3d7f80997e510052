// What every store of a fleet's leases must do (policy/leases.h), whatever it is made of.
#ifndef REEVE_TESTS_SUPPORT_LEASE_STORE_SUITE_H_
#define REEVE_TESTS_SUPPORT_LEASE_STORE_SUITE_H_

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "policy/leases.h"

namespace reeve::policy {

// A member as a test drives it: without a ledger, its holdings by hand.
class SuiteMember {
 public:
  SuiteMember(LeaseStore& store, std::string name, MemberState state = {})
      : store_(&store), member_(std::move(state), name, [name] {
          static int ids = 0;
          return name + "-" + std::to_string(++ids);
        }) {}

  void move_to(LeaseStore& store) { store_ = &store; }
  const MemberState& state() const { return member_.state(); }

  Reply join(std::vector<LeaseLine> lines = {}) { return send(member_.next({}), std::move(lines)); }
  // Joins where it must, and until more can be had, which a store may put off for a moment.
  Reply ask(const LeaseLine& line) {
    Reply reply;
    for (int round = 0; round < 200; ++round) {
      const bool joined = member_.joined();
      reply = joined ? send(member_.next({}), {line}) : join({holding(line)});
      if (joined && reply.outcome == Reply::Outcome::kDone && reply.safe) return reply;
      if (reply.outcome == Reply::Outcome::kFenced) return reply;
      if (joined) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return reply;
  }
  Reply leave(const LeaseLine& line) { return send(member_.leave(), {line}); }
  Exchange prepared(const LeaseLine& line) {
    Exchange exchange = member_.next({});
    exchange.lines = {line};
    return exchange;
  }

 private:
  static LeaseLine holding(LeaseLine line) {
    line.want = line.held;
    line.least = line.need = 0;
    return line;
  }
  Reply send(Exchange exchange, std::vector<LeaseLine> lines) {
    exchange.lines = std::move(lines);
    auto reply = store_->exchange(exchange);
    REQUIRE(reply);
    member_.take(*reply, {});
    return *reply;
  }

  LeaseStore* store_;
  LeaseMember member_;
};

// Long after any test runs: a store may forget windows that ended days ago.
inline constexpr Time kSuiteDay{std::chrono::hours(24 * 365 * 130)};

inline LeaseLine suite_line(std::string budget, Micros held, Micros want, Micros limit = 100,
                            Micros least = 0) {
  LeaseLine line;
  line.key = {std::move(budget), "everyone", Unit::kMoney, "USD", Period::kDay};
  line.window = {kSuiteDay, kSuiteDay + std::chrono::hours(24)};
  line.limit = limit;
  line.held = held;
  line.want = line.need = want;
  line.least = least;
  return line;
}

// `b` is a budget that the store has not seen.
inline void lease_store_suite(LeaseStore& store, const std::string& b) {
  const auto held = [](const Reply& reply) {
    REQUIRE(reply.outcome == Reply::Outcome::kDone);
    REQUIRE(reply.answers.size() == 1);
    return std::pair{reply.answers[0].held, reply.answers[0].taken};
  };
  using Pair = std::pair<Micros, Micros>;
  SuiteMember one(store, b + "-one");
  SuiteMember two(store, b + "-two");

  // All together never have more than the limit; what is left is given in part, unless that is of
  // no use.
  CHECK(held(one.ask(suite_line(b, 0, 60))) == Pair{60, 60});
  CHECK(held(two.ask(suite_line(b, 0, 60))) == Pair{40, 100});
  CHECK(held(one.ask(suite_line(b, 60, 50))) == Pair{50, 90});
  CHECK(held(two.ask(suite_line(b, 40, 80, 100, 51))) == Pair{40, 90});
  // Said twice, it is as said once; a limit that was lowered gives nothing, and takes nothing.
  CHECK(held(one.ask(suite_line(b, 50, 50))) == Pair{50, 90});
  CHECK(held(two.ask(suite_line(b, 40, 45, 80))) == Pair{40, 90});

  // One that was given up and arrives late changes nothing.
  const Exchange late = one.prepared(suite_line(b, 50, 10));
  CHECK(held(one.ask(suite_line(b, 50, 55))) == Pair{55, 95});
  const auto too_late = store.exchange(late);
  REQUIRE(too_late);
  CHECK(too_late->outcome == Reply::Outcome::kTooLate);
  CHECK(held(one.ask(suite_line(b, 55, 55))) == Pair{55, 95});

  // Who comes back with its state says what it used at most; with older state it is somebody else.
  const MemberState before = one.state();
  SuiteMember again(store, b + "-one", before);
  REQUIRE(again.join({suite_line(b, 20, 20)}).outcome == Reply::Outcome::kDone);
  CHECK(held(again.ask(suite_line(b, 20, 20))) == Pair{20, 60});
  CHECK(one.ask(suite_line(b, 55, 55)).outcome == Reply::Outcome::kFenced);
  SuiteMember old(store, b + "-one", before);
  CHECK(old.join({suite_line(b, 5, 5)}).outcome == Reply::Outcome::kFenced);
  CHECK(held(again.ask(suite_line(b, 20, 20))) == Pair{20, 60});

  // A later window is an account of its own, and what is held of earlier ones stays counted.
  LeaseLine next = suite_line(b, 0, 100);
  next.window = {kSuiteDay + std::chrono::hours(24), kSuiteDay + std::chrono::hours(48)};
  CHECK(held(two.ask(next)) == Pair{100, 100});
  CHECK(held(again.ask(suite_line(b, 20, 20))) == Pair{20, 60});
  LeaseLine back = next;
  back.held = back.want = back.need = 0;
  CHECK(held(two.ask(back)) == Pair{0, 0});

  // Who leaves is not counted as a member, and what it used stays.
  REQUIRE(again.leave(suite_line(b, 20, 20)).outcome == Reply::Outcome::kDone);
  const Reply left = two.ask(suite_line(b, 40, 80));
  CHECK(held(left) == Pair{80, 100});
  for (const FleetMember& member : left.members) CHECK(member.instance != b + "-one");
  REQUIRE(two.leave(suite_line(b, 80, 80)).outcome == Reply::Outcome::kDone);
}

}  // namespace reeve::policy

#endif  // REEVE_TESTS_SUPPORT_LEASE_STORE_SUITE_H_
