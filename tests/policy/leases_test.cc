// The store in memory passes the suite that PostgreSQL passes (tests/proxy/fleet_test.cc).
#include "policy/leases.h"

#include <catch2/catch.hpp>

#include "tests/support/account_specs.h"
#include "tests/support/lease_store_suite.h"
#include "tests/support/memory_leases.h"

namespace reeve::policy {
namespace {

TEST_CASE("leases in memory keep what every store must", "[fleet]") {
  MemoryLeases store("one");
  lease_store_suite(store, "first");
  lease_store_suite(store, "second");
}

TEST_CASE("a failover that lost what it had allowed waits for whoever has it", "[fleet]") {
  MemoryLeases primary("one");
  primary.add_replica();
  SuiteMember one(primary, "one");
  SuiteMember two(primary, "two");
  (void)one.join();
  (void)two.join();
  primary.replicate();
  REQUIRE(one.ask(suite_line("b", 0, 90)).answers.at(0).held == 90);

  const auto replica = primary.promote("two");
  two.move_to(*replica);
  CHECK(two.ask(suite_line("b", 0, 50)).waited_for == std::vector<std::string>{"one"});
  CHECK(two.ask(suite_line("b", 0, 50)).answers.at(0).held == 0);
  one.move_to(*replica);
  (void)one.ask(suite_line("b", 90, 90));
  const Reply after = two.ask(suite_line("b", 0, 50));
  CHECK(after.grants);
  CHECK(after.answers.at(0).held == 10);
  CHECK(after.answers.at(0).taken == 100);
}

TEST_CASE("what people approved before is not beyond what a fleet allows", "[fleet]") {
  const AccountSpec spec = spec_of("b", 100, Period::kTotal);
  Ledger before({});
  const auto keys = before.bind({&spec, 1}, Time{});
  const AccountState state = before.snapshot(Time{}).at(0);
  const Mark mark{.key = state.key, .window = state.window, .mark = 60, .approved = 5};
  Ledger ledger({&mark, 1});
  ledger.use_leases();
  const auto binding = ledger.bind({&spec, 1}, Time{});
  const Draw one{0, 1};
  CHECK(ledger.reserve({&one, 1}, binding, Time{}).outcome == Attempt::Outcome::kNeedsLease);
}

TEST_CASE("a ledger asks ahead, gives back what is idle and refuses by what all hold", "[fleet]") {
  MemoryLeases store("one");
  SuiteMember other(store, "other");
  Ledger ledger({});
  ledger.use_leases();
  const AccountSpec spec = spec_of("b", 1000, Period::kTotal);
  const auto binding = ledger.bind({&spec, 1}, Time{});
  LeaseMember member({}, "mine", [] { return std::string("id"); });
  std::vector<LeaseLine> lines;
  const auto talk = [&] {
    Exchange exchange = member.next({});
    if (member.joined()) {
      ledger.take_leases(1, true, exchange.lines);
    } else {
      ledger.all_leases(exchange.lines);
    }
    const bool joined = member.joined();
    const auto reply = store.exchange(exchange);
    REQUIRE(reply);
    member.take(*reply, {});
    if (!joined) return ledger.lease_joined(exchange.lines);
    for (size_t i = 0; i < exchange.lines.size(); ++i) {
      ledger.leased(exchange.lines[i], reply->answers[i]);
    }
  };
  const auto write = [&] {
    std::vector<MarkWrite> writes;
    ledger.take_writes(writes);
    for (const MarkWrite& each : writes) ledger.written(each);
  };
  const auto reserve = [&](Micros amount) {
    const Draw draw{0, amount};
    return ledger.reserve({&draw, 1}, binding, Time{});
  };
  talk();
  Attempt first = reserve(10);
  REQUIRE(first.outcome == Attempt::Outcome::kNeedsLease);
  CHECK(first.has_asks);
  CHECK(ledger.is_pending(*first.account, first.write));
  talk();
  CHECK_FALSE(ledger.is_pending(*first.account, first.write));
  // A quarter of what is left, for one member.
  CHECK(ledger.snapshot(Time{})[0].allowance == 250);
  REQUIRE(reserve(10).outcome == Attempt::Outcome::kNeedsMark);
  write();
  Attempt held = reserve(10);
  REQUIRE(held.outcome == Attempt::Outcome::kReserved);
  held.reservation.mark_sent();

  // The other takes nearly all; what is idle here goes back, and what is used stays.
  write();
  (void)ledger.trim(true);
  write();
  ledger.idle_leases();
  talk();
  CHECK(ledger.snapshot(Time{})[0].allowance == 10);
  LeaseLine most = suite_line("b", 0, 985, 1000);
  most.key = {"b", "everyone", Unit::kCalls, "", Period::kTotal};
  most.window = ledger.snapshot(Time{})[0].window;
  CHECK(other.ask(most).answers.at(0).held == 985);

  REQUIRE(reserve(20).outcome == Attempt::Outcome::kNeedsLease);
  talk();
  const Attempt refused = reserve(20);
  REQUIRE(refused.outcome == Attempt::Outcome::kOverLimit);
  CHECK(refused.shortfall.used == 995);
  CHECK(refused.shortfall.limit == 1000);
  // Until it is forgotten, a denial stands without another question.
  CHECK(reserve(20).outcome == Attempt::Outcome::kOverLimit);
  ledger.forget_denials();
  CHECK(reserve(5).outcome == Attempt::Outcome::kNeedsLease);
  talk();
  CHECK(reserve(5).outcome == Attempt::Outcome::kNeedsMark);
  write();
  CHECK(reserve(5).outcome == Attempt::Outcome::kReserved);
}

}  // namespace
}  // namespace reeve::policy
