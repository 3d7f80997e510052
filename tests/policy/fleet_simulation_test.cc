// A fleet by simulation: sidecars with disks and clocks of their own, one store that they share,
// driven by a seed, with crashes, lost disks, I/O errors, partitions, questions and answers that
// are lost, late or carried out after they were given up, failovers to a replica that lacks what
// was acknowledged, a former primary that lives on, and clock jumps both ways. That all of them
// together never spend more than a limit is looked at after every step; at the end, that nothing
// has leaked.
//
// REEVE_SEED is the first seed and REEVE_ROUNDS how many; 1,000, or 100,000 with REEVE_TEST_LONG=1.
#include <fmt/core.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "policy/leases.h"
#include "policy/ledger.h"
#include "tests/support/account_specs.h"
#include "tests/support/memory_leases.h"

namespace reeve::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

using AccountWindow = std::pair<AccountKey, Time>;

// What was really spent, by all sidecars: known to the simulation alone.
struct Spent {
  Micros settled = 0;
  Micros reserved = 0;
};

struct World {
  explicit World(uint64_t seed) : random(seed) {}

  int64_t below(int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }
  std::string new_id() { return fmt::format("id{}", ++ids); }

  std::mt19937_64 random;
  uint64_t ids = 0;
  Micros most_drawn = 0;
  Time now{seconds{1806105600}};  // of the stores; those of sidecars differ
  LeaseMember::Steady steady{};
  std::vector<AccountSpec> specs;
  std::map<AccountWindow, Spent> spent;
  std::vector<std::unique_ptr<MemoryLeases>> stores;  // the last is the primary
  std::vector<std::unique_ptr<Ledger>> ledgers;  // of those that crashed, for their reservations
};

class Sidecar {
 public:
  Sidecar(World& world, std::string name) : world_(world), name_(std::move(name)) { start(); }

  bool alive() const { return ledger_ != nullptr; }
  bool lost_disk() const { return lost_disk_; }
  bool crashed() const { return crashed_; }
  Ledger& ledger() { return *ledger_; }
  const std::vector<Account*>& binding() const { return binding_; }
  Time now() const { return world_.now + clock_; }

  void start() {
    std::vector<Mark> marks;
    for (const auto& [key, mark] : disk_.marks) marks.push_back(mark);
    world_.ledgers.push_back(std::make_unique<Ledger>(marks, 1u << world_.below(3)));
    ledger_ = world_.ledgers.back().get();
    ledger_->use_leases();
    binding_ = ledger_->bind(world_.specs, now());
    member_.emplace(disk_.member, name_, [this] { return world_.new_id(); });
  }

  void crash() {
    ledger_->take_writes(writes_);
    for (const MarkWrite& write : writes_) {
      if (world_.one_in(2)) apply(write);
    }
    for (Held& held : held_) {
      for (size_t i = 0; i < held.windows.size(); ++i) {
        Spent& spent = world_.spent[held.windows[i]];
        spent.reserved -= held.amounts[i];
        if (held.sent) spent.settled += held.amounts[i];  // the upstream has it
      }
    }
    forget();
    crashed_ = true;
  }

  void lose_disk() {
    disk_ = {};
    lost_disk_ = true;
  }

  // In good order: everything is settled, written and given back, if the store can be reached.
  void stop(MemoryLeases* store) {
    while (!held_.empty()) resolve();
    write_all();
    (void)ledger_->trim(true);
    write_all();
    ledger_->idle_leases();
    if (store != nullptr && member_->joined()) {
      Exchange exchange = member_->leave();
      ledger_->take_leases(member_->members(), true, exchange.lines);
      (void)store->exchange(exchange);
    }
    forget();
  }

  void step(MemoryLeases* store) {
    Ledger::use_lane(static_cast<uint32_t>(world_.below(4)));
    for (int64_t i = world_.below(8); i >= 0; --i) act(store);
  }

  void act(MemoryLeases* store) {
    switch (world_.below(16)) {
      case 0:
        if (world_.one_in(8)) (void)ledger_->trim(world_.one_in(4));
        if (world_.one_in(40)) ledger_->idle_leases();
        return;
      case 1:
        ledger_->forget_denials();
        return;
      case 2:
      case 3:
        return write_some();
      case 4:
      case 5:
      case 6:
        return resolve();
      case 7:
      case 8:
      case 9:
      case 10:
        return talk(store);
      default:
        return reserve();
    }
  }

  void jump() {
    const minutes jumps[] = {minutes{1},  minutes{61},      minutes{25 * 60},
                             minutes{-1}, minutes{-61},     minutes{-25 * 60},
                             minutes{0},  minutes{-1 - 60}, minutes{32 * 24 * 60}};
    clock_ = jumps[world_.below(std::size(jumps))];
  }
  void set_clock_right() { clock_ = {}; }

  // A step of a world in which nothing goes wrong any more.
  void settle_down(MemoryLeases& store) {
    while (!held_.empty()) resolve();
    give_up();
    late_.clear();
    write_all();
    (void)ledger_->trim(true);
    write_all();
    ledger_->forget_denials();
    ledger_->idle_leases();
    ask();
    if (asked_) deliver(store);
    hear();
  }

  bool reserve_exactly(uint32_t account, Micros amount, MemoryLeases& store) {
    const Draw draw{account, amount};
    for (int round = 0; round < 20; ++round) {
      Attempt attempt = ledger_->reserve({&draw, 1}, binding_, now());
      if (attempt.outcome == Attempt::Outcome::kReserved) {
        keep(std::move(attempt.reservation));
        return true;
      }
      if (attempt.outcome == Attempt::Outcome::kOverLimit) return false;
      write_all();
      ask();
      if (asked_) deliver(store);
      hear();
    }
    return false;
  }

 private:
  struct Held {
    Reservation reservation;
    std::vector<AccountWindow> windows;
    std::vector<Micros> amounts;
    bool sent = false;
  };
  struct Disk {
    std::map<AccountKey, Mark> marks;
    MemberState member;
  };

  void forget() {
    writes_.clear();
    held_.clear();
    if (asked_ && world_.one_in(2)) late_.push_back(*asked_);
    asked_.reset();
    reply_.reset();
    ledger_ = nullptr;
    // What is still on the wire may be carried out long after.
  }

  void keep(Reservation reservation) {
    Held held;
    const auto states = ledger_->snapshot(now());
    for (uint32_t i = 0; i < reservation.size(); ++i) {
      const AccountKey& key = reservation.account(i).key();
      for (const AccountState& state : states) {
        if (state.key == key) held.windows.emplace_back(key, state.window.start);
      }
      held.amounts.push_back(reservation.amount(i));
      world_.spent[held.windows.back()].reserved += held.amounts.back();
    }
    held.reservation = std::move(reservation);
    held_.push_back(std::move(held));
  }

  void reserve() {
    std::vector<Draw> draws;
    for (uint32_t i = 0; i < world_.specs.size(); ++i) {
      if (world_.one_in(3)) draws.push_back({i, world_.below(world_.most_drawn)});
    }
    if (draws.empty()) draws.push_back({0, world_.below(world_.most_drawn)});
    Attempt attempt = ledger_->reserve(draws, binding_, now());
    REQUIRE(attempt.outcome != Attempt::Outcome::kInvalid);
    if (attempt.outcome == Attempt::Outcome::kReserved) keep(std::move(attempt.reservation));
    if (attempt.outcome == Attempt::Outcome::kNeedsLease) {
      REQUIRE(ledger_->is_pending(*attempt.account, attempt.write));
    }
  }

  void resolve() {
    if (held_.empty()) return;
    std::swap(held_[static_cast<size_t>(world_.below(static_cast<int64_t>(held_.size())))],
              held_.back());
    Held held = std::move(held_.back());
    held_.pop_back();
    if (!held.sent && world_.below(3) > 0) {
      held.reservation.mark_sent();
      held.sent = true;
      held_.push_back(std::move(held));
      return;
    }
    const Micros actual = world_.below(2 * world_.most_drawn);
    const int64_t way = world_.one_in(10) ? 2 : world_.below(2);
    for (size_t i = 0; i < held.windows.size(); ++i) {
      Spent& spent = world_.spent[held.windows[i]];
      spent.reserved -= held.amounts[i];
      if (way == 0) spent.settled += std::min(actual, held.amounts[i]);
      if (way == 1 && held.sent) spent.settled += held.amounts[i];
    }
    if (way == 0) REQUIRE(held.reservation.settle({.money = {}, .calls = actual, .tokens = {}}));
    if (way == 2) REQUIRE(held.reservation.release());
  }

  void apply(const MarkWrite& write) {
    const AccountKey& key = write.account->key();
    disk_.marks[key] = {key, write.window, write.mark};
  }

  void write_some() {
    ledger_->take_writes(writes_);
    while (!writes_.empty() && world_.below(5) > 0) {
      const MarkWrite write = writes_.back();
      writes_.pop_back();
      const bool ok = world_.below(6) > 0;
      if (ok || world_.one_in(2)) apply(write);
      ok ? ledger_->written(write) : ledger_->failed(write);
    }
  }

  void write_all() {
    ledger_->take_writes(writes_);
    for (const MarkWrite& write : writes_) {
      apply(write);
      ledger_->written(write);
    }
    writes_.clear();
  }

  // One exchange at a time is waited for; those that were given up may still arrive.
  void talk(MemoryLeases* store) {
    if (!late_.empty() && store != nullptr && world_.one_in(3)) {
      (void)store->exchange(late_.back());
      late_.pop_back();
    }
    if (reply_) return hear();
    if (!asked_) return ask();
    if (world_.one_in(6)) return give_up();
    if (store == nullptr) return;
    deliver(*store);
    if (world_.one_in(6)) {  // its answer is lost
      reply_.reset();
      give_up();
    } else if (world_.one_in(8)) {
      late_.push_back(*asked_);  // sent twice
    }
  }

  void ask() {
    asked_ = member_->next(world_.steady);
    disk_.member = member_->state();
    if (member_->joined()) {
      ledger_->take_leases(member_->members(), world_.one_in(2), asked_->lines);
    } else {
      ledger_->all_leases(asked_->lines);
    }
  }

  void deliver(MemoryLeases& store) {
    auto reply = store.exchange(*asked_);
    REQUIRE(reply);
    reply_ = *reply;
  }

  void give_up() {
    if (!asked_) return;
    if (world_.one_in(3)) late_.push_back(*asked_);
    for (const LeaseLine& line : asked_->lines) ledger_->unanswered(line);
    asked_.reset();
    reply_.reset();
  }

  void hear() {
    if (!reply_) return;
    const Reply reply = *std::exchange(reply_, std::nullopt);
    const Exchange asked = *std::exchange(asked_, std::nullopt);
    const bool was_joined = member_->joined();
    member_->take(reply, world_.steady);
    disk_.member = member_->state();
    if (reply.outcome == Reply::Outcome::kFenced) ledger_->drop_leases();
    const bool done = reply.outcome == Reply::Outcome::kDone;
    if (done && !was_joined) ledger_->lease_joined(asked.lines);
    for (size_t i = 0; i < asked.lines.size() && was_joined; ++i) {
      if (done && (reply.grants || asked.lines[i].ask == 0)) {
        ledger_->leased(asked.lines[i], reply.answers[i]);
      } else if (world_.one_in(3)) {
        ledger_->unanswered(asked.lines[i]);
      }
    }
  }

  World& world_;
  const std::string name_;
  Disk disk_;
  minutes clock_{0};
  bool lost_disk_ = false;
  bool crashed_ = false;
  // Of the process:
  Ledger* ledger_ = nullptr;
  std::vector<Account*> binding_;
  std::optional<LeaseMember> member_;
  std::vector<MarkWrite> writes_;
  std::vector<Held> held_;
  std::optional<Exchange> asked_;
  std::optional<Reply> reply_;
  // Beyond it:
  std::vector<Exchange> late_;
};

class Fleet {
 public:
  explicit Fleet(uint64_t seed)
      : world_(seed),
        jumps_(world_.one_in(2)),
        loses_disks_(world_.one_in(3)),
        calm_(1 + world_.below(12)),
        lag_(1 + world_.below(world_.one_in(3) ? 5 : 100)) {
    const Period periods[] = {Period::kTotal, Period::kDay, Period::kMinute};
    for (int i = 0; i < 3; ++i) {
      const Micros limit = 200 + world_.below(world_.one_in(2) ? 200 : 20'000);
      world_.specs.push_back(spec_of(fmt::format("b{}", i), limit, periods[i]));
    }
    world_.most_drawn = 10 + world_.below(world_.one_in(2) ? 100 : 1000);
    begin_store();
    const int64_t count = 2 + world_.below(4);
    for (int64_t i = 0; i < count; ++i) {
      sidecars_.push_back(std::make_unique<Sidecar>(world_, fmt::format("s{}", i)));
      reach_.push_back(0);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      check();
    }
    finish();
  }

 private:
  void begin_store() {
    world_.stores.push_back(std::make_unique<MemoryLeases>("system0"));
    if (world_.below(4) > 0) world_.stores.back()->add_replica();
  }

  MemoryLeases* reached_by(size_t i) {
    if (reach_[i] < 0) return nullptr;
    return world_.stores[static_cast<size_t>(reach_[i])].get();
  }

  void step() {
    const size_t i = static_cast<size_t>(world_.below(static_cast<int64_t>(sidecars_.size())));
    Sidecar& sidecar = *sidecars_[i];
    if (!sidecar.alive()) {
      if (world_.one_in(6)) sidecar.start();
    } else if (world_.one_in(40 * calm_)) {
      sidecar.crash();
      if (loses_disks_ && world_.one_in(3)) sidecar.lose_disk();
    } else if (world_.one_in(60 * calm_)) {
      sidecar.stop(reached_by(i));
    } else if (jumps_ && world_.one_in(40 * calm_)) {
      sidecar.jump();
    } else {
      sidecar.step(reached_by(i));
    }
    if (world_.one_in(lag_)) world_.stores.back()->replicate();
    if (world_.one_in(10 * calm_)) move_time();
    // Cut off, or back, or with a former primary.
    if (world_.one_in(5 * calm_)) {
      const int64_t last = static_cast<int64_t>(world_.stores.size()) - 1;
      reach_[i] = world_.one_in(3) ? -1 : world_.one_in(6) ? world_.below(last + 1) : last;
    }
    if (world_.stores.back()->has_replica() && world_.one_in(40 * calm_)) fail_over();
  }

  void move_time() {
    world_.now += seconds{world_.below(40)};
    if (world_.one_in(10)) world_.now += minutes{world_.below(26 * 60)};
    world_.steady += seconds{world_.below(40)};
    for (const auto& store : world_.stores) store->set_now(world_.now);
  }

  void fail_over() {
    MemoryLeases& former = *world_.stores.back();
    world_.stores.push_back(former.promote(fmt::format("system{}", world_.stores.size())));
    if (world_.below(4) > 0) world_.stores.back()->add_replica();
    const int64_t last = static_cast<int64_t>(world_.stores.size()) - 1;
    for (int64_t& reach : reach_) {
      if (reach >= 0 && world_.below(5) > 0) reach = last;
    }
  }

  void check() {
    for (const auto& [window, spent] : world_.spent) {
      for (const AccountSpec& spec : world_.specs) {
        if (spec.budget != window.first.budget) continue;
        REQUIRE(spent.settled + spent.reserved <= spec.limit);
      }
    }
  }

  // Everybody is well, and asks the primary; what is unused is free for any one of them.
  void finish() {
    MemoryLeases& store = *world_.stores.back();
    // A sidecar whose marks are of a window to come may join when it has begun.
    if (jumps_) world_.now += minutes{33 * 24 * 60};
    store.set_now(world_.now);
    for (size_t i = 0; i < sidecars_.size(); ++i) {
      if (!sidecars_[i]->alive()) sidecars_[i]->start();
      sidecars_[i]->set_clock_right();
    }
    for (int round = 0; round < 8; ++round) {
      world_.steady += seconds{1};
      for (const auto& sidecar : sidecars_) {
        sidecar->settle_down(store);
        store.replicate();
        check();
      }
    }
    // What was on a disk that is lost stays counted: nobody can tell what of it was used.
    bool exact = true;
    for (const auto& sidecar : sidecars_) exact &= !sidecar->lost_disk();
    for (uint32_t i = 0; i < world_.specs.size() && exact; ++i) {
      const AccountKey& key = sidecars_[0]->binding()[i]->key();
      Micros used = 0;
      bool same_window = true;
      const Time start = sidecars_[0]->ledger().snapshot(sidecars_[0]->now())[i].window.start;
      for (const auto& sidecar : sidecars_) {
        const AccountState state = sidecar->ledger().snapshot(sidecar->now())[i];
        REQUIRE(state.reserved == 0);
        // A clock that was ahead leaves its account in a later window.
        same_window &= state.window.start == start;
        used += state.settled;
      }
      if (jumps_ && key.period != Period::kTotal) continue;
      if (!same_window) continue;
      INFO(key.budget << " in " << store.describe(key, start));
      REQUIRE(store.taken(key, start) == used);
      const Spent spent = world_.spent[{key, start}];
      REQUIRE(spent.settled <= used);
      const Micros left = world_.specs[i].limit - used;
      REQUIRE(left >= 0);
      if (left > 0) REQUIRE(sidecars_.back()->reserve_exactly(i, left, store));
      check();
    }
  }

  World world_;
  const bool jumps_;
  const bool loses_disks_;
  const int64_t calm_;  // how seldom things go wrong
  const int64_t lag_;   // of a replica, in steps
  std::vector<std::unique_ptr<Sidecar>> sidecars_;
  std::vector<int64_t> reach_;  // the number of the store, or -1
};

TEST_CASE("simulated fleets with crashes, partitions, failovers and clock jumps",
          "[ledger][fleet][simulation]") {
  const uint64_t first = from_environment("REEVE_SEED", 1);
  const uint64_t rounds = from_environment(
      "REEVE_ROUNDS", from_environment("REEVE_TEST_LONG", 0) == 1 ? 100'000 : 1000);
  for (uint64_t seed = first; seed < first + rounds; ++seed) {
    INFO("seed " << seed);
    Fleet(seed).run(500);
  }
}

}  // namespace
}  // namespace reeve::policy
