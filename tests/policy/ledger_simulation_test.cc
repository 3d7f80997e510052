// The ledger by simulation: a sidecar, its store and its clock, driven by a seed, with crashes, I/O
// errors, a full disk, writes that are answered late and in any order, clock jumps both ways,
// changed limits, forgotten reservations and calls that people let through beyond a
// limit. What must hold is looked at after every step.
//
// REEVE_SEED is the first seed and REEVE_ROUNDS how many; 1,000, or 100,000 with REEVE_TEST_LONG=1.
#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "policy/ledger.h"
#include "tests/support/account_specs.h"

namespace reeve::policy {
namespace {

using std::chrono::minutes;

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// `truth_` is what was really spent: known to the simulation, not to the ledger, and kept across
// crashes.
class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    now_ = Time{kStarts[below(std::size(kStarts))]} + minutes{below(3 * 24 * 60)};
    for (int i = 0; i < 3; ++i) {
      specs_.push_back(spec_of(fmt::format("b{}", i), limit(), static_cast<Period>(below(8))));
      specs_.back().zone = kZones[below(std::size(kZones))];
      specs_.back().warn_percent = 80;
      if (below(2) == 0) specs_.back().ask = AskTerms{};
    }
    start();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      check();
    }
    finish();
  }

 private:
  using Steady = Ledger::Steady;
  static constexpr std::chrono::seconds kTtl{600};
  // Before a leap day, both changes to and from daylight saving, a new year, a day that was
  // skipped in Apia, and a quiet day.
  static constexpr std::chrono::seconds kStarts[] = {
      std::chrono::seconds{1835222400}, std::chrono::seconds{1806105600},
      std::chrono::seconds{1824854400}, std::chrono::seconds{1830124800},
      std::chrono::seconds{1325116800}, std::chrono::seconds{1794700800}};
  static constexpr const char* kZones[] = {"UTC", "Europe/Berlin", "America/New_York",
                                           "Pacific/Apia", "Asia/Kathmandu"};

  struct Held {
    Reservation reservation;
    std::vector<std::pair<AccountKey, Time>> windows;  // one per hold
    std::vector<Micros> amounts;
    bool sent = false;
    std::optional<Steady> seen;  // by expire()
    bool expired = false;
    bool approved = false;  // by people, beyond limits
  };
  struct Truth {
    Micros settled = 0;
    Micros reserved = 0;
    Micros approved = 0;   // of both, by calls that people let through: all that they hold and cost
    bool crashed = false;  // in this window: the ledger may count more
  };

  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  void start() {
    std::vector<Mark> marks;
    for (const auto& [key, mark] : store_) marks.push_back(mark);
    ledgers_.push_back(std::make_unique<Ledger>(marks, uint32_t{1} << below(3)));
    ledger_ = ledgers_.back().get();
    binding_ = ledger_->bind(specs_, now_);
    set_ceilings();
  }

  // Small ones run out; of large ones lanes are filled.
  Micros limit() { return below(2) == 0 ? 10 + below(200) : 1000 + below(20'000); }

  void step() {
    Ledger::use_lane(static_cast<uint32_t>(below(4)));
    switch (below(20)) {
      case 16:
        return expire();
      case 17:
        return reload();
      case 18:
        full_ = below(3) == 0;
        return;
      case 0:
        return move_clock();
      case 1:
        return crash();
      case 2:
        (void)ledger_->trim(below(4) == 0);
        return;
      case 3:
      case 4:
      case 5:
      case 6:
        return answer();
      case 7:
      case 8:
      case 9:
        return resolve();
      default:
        return reserve();
    }
  }

  void move_clock() {
    const minutes jumps[] = {
        minutes{0},   minutes{1},       minutes{20}, minutes{24 * 60}, minutes{40 * 24 * 60},
        minutes{-60}, minutes{-24 * 60}};
    now_ += jumps[below(7)] + std::chrono::seconds{below(20)};
    steady_ += std::chrono::seconds{below(200)};
  }

  // What was forgotten is charged in full; what is known of time here is only how long it took.
  void expire() {
    size_t due = 0;
    for (Held& held : held_) {
      if (held.expired) continue;
      if (!held.seen) {
        held.seen = steady_;
      } else if (steady_ - *held.seen >= kTtl) {
        ++due;
        held.expired = true;
        for (size_t i = 0; i < held.windows.size(); ++i) {
          truth_[held.windows[i]].reserved -= held.amounts[i];
          truth_[held.windows[i]].settled += held.amounts[i];
        }
      }
    }
    REQUIRE(ledger_->expire(steady_, kTtl) == due);
  }

  // Limits change; what is used stays used.
  void reload() {
    for (AccountSpec& spec : specs_) {
      if (below(3) == 0) spec.limit = limit();
    }
    binding_ = ledger_->bind(specs_, now_);
    set_ceilings();
  }

  // From here on nothing may be used beyond the limit, or beyond what is used already.
  void set_ceilings() {
    // Another window may be entered again, or for the first time after a crash, with the new limit.
    for (auto& [window, ceiling] : ceiling_) {
      for (const AccountSpec& spec : specs_) {
        if (spec.budget == window.first.budget) ceiling = std::max(ceiling, spec.limit);
      }
    }
    for (const AccountState& state : ledger_->snapshot(now_)) {
      ceiling_[{state.key, state.window.start}] =
          std::max(state.limit, state.settled + state.reserved - state.approved);
    }
  }

  void reserve() {
    std::vector<Draw> draws;
    for (uint32_t i = 0; i < 3; ++i) {
      if (below(2) == 0) draws.push_back({i, below(40)});
    }
    // People say yes to some, whether it is needed or not.
    std::vector<const Account*> beyond;
    for (uint32_t i = 0; below(3) == 0 && i < 3; ++i) {
      if (specs_[i].ask) beyond.push_back(binding_[i]);
    }
    Attempt attempt = ledger_->reserve(draws, binding_, now_, beyond);
    REQUIRE(attempt.outcome != Attempt::Outcome::kInvalid);
    if (attempt.outcome == Attempt::Outcome::kNeedsMark && !beyond.empty() && below(2) == 0) {
      answer();
      attempt = ledger_->reserve(draws, binding_, now_, beyond);
    }
    if (attempt.outcome == Attempt::Outcome::kOverLimit) {
      const Shortfall& shortfall = attempt.shortfall;
      const Truth& truth = truth_[{shortfall.account->key(), shortfall.window.start}];
      // No false refusal: without a crash the ledger counts exactly what was spent.
      if (!truth.crashed) REQUIRE(shortfall.used == truth.settled + truth.reserved);
      REQUIRE(shortfall.used + shortfall.asked > shortfall.limit);
      REQUIRE(attempt.asks.empty() == !shortfall.ask);
      for (const Shortfall& each : attempt.asks) {
        REQUIRE(std::find(beyond.begin(), beyond.end(), each.account) == beyond.end());
        REQUIRE(each.used + each.asked > each.limit);
      }
    }
    if (attempt.outcome != Attempt::Outcome::kReserved) return;

    Held held;
    held.approved = !beyond.empty();
    const auto states = ledger_->snapshot(now_);
    for (uint32_t i = 0; i < attempt.reservation.size(); ++i) {
      const AccountKey& key = attempt.reservation.account(i).key();
      for (const AccountState& state : states) {
        if (state.key == key) held.windows.emplace_back(key, state.window.start);
      }
      held.amounts.push_back(attempt.reservation.amount(i));
      truth_[held.windows.back()].reserved += held.amounts.back();
      if (held.approved) truth_[held.windows.back()].approved += held.amounts.back();
    }
    held.reservation = std::move(attempt.reservation);
    held_.push_back(std::move(held));
  }

  void resolve() {
    if (held_.empty()) return;
    std::swap(held_[static_cast<size_t>(below(static_cast<int64_t>(held_.size())))], held_.back());
    Held held = std::move(held_.back());
    held_.pop_back();
    if (!held.sent && below(3) > 0) {
      held.reservation.mark_sent();
      held.sent = true;
      held_.push_back(std::move(held));
      return;
    }
    if (held.expired) {  // resolved once, whoever tries again
      held.reservation.mark_sent();
      REQUIRE_FALSE((below(2) == 0 ? held.reservation.settle() : held.reservation.release()));
      return;
    }
    const int64_t actual = below(60);
    const int64_t way = below(3);
    for (size_t i = 0; i < held.windows.size(); ++i) {
      Truth& truth = truth_[held.windows[i]];
      const Micros charged = way == 0                ? std::min<Micros>(actual, held.amounts[i])
                             : way == 1 && held.sent ? held.amounts[i]
                                                     : 0;
      truth.reserved -= held.amounts[i];
      truth.settled += charged;
      if (held.approved) truth.approved -= held.amounts[i] - charged;
    }
    if (way == 0) REQUIRE(held.reservation.settle({.money = {}, .calls = actual, .tokens = {}}));
    if (way == 2) REQUIRE(held.reservation.release());
    // way 1: its destruction resolves it.
  }

  // Answers what is on its way, some of it, some as failed: which may or may not have been written.
  void answer() {
    ledger_->take_writes(writes_);
    while (!writes_.empty() && below(4) > 0) {
      std::swap(writes_[static_cast<size_t>(below(static_cast<int64_t>(writes_.size())))],
                writes_.back());
      const MarkWrite write = writes_.back();
      writes_.pop_back();
      const bool ok = !full_ && below(5) > 0;
      if (ok || (!full_ && below(2) == 0)) apply(write);
      ok ? ledger_->written(write) : ledger_->failed(write);
    }
  }

  void apply(const MarkWrite& write) {
    const AccountKey& key = write.account->key();
    store_[key] = {key, write.window, write.mark, write.approved};
  }

  void crash() {
    ledger_->take_writes(writes_);
    for (const MarkWrite& write : writes_) {
      if (below(2) == 0) apply(write);
    }
    writes_.clear();
    for (Held& held : held_) {
      for (size_t i = 0; i < held.windows.size(); ++i) {
        if (held.expired) continue;
        Truth& truth = truth_[held.windows[i]];
        truth.reserved -= held.amounts[i];
        if (held.sent) truth.settled += held.amounts[i];  // the upstream has it
        if (held.approved && !held.sent) truth.approved -= held.amounts[i];
      }
    }
    held_.clear();
    for (auto& [window, truth] : truth_) truth.crashed = true;
    start();
    crashed_ = true;
  }

  void check() {
    for (const AccountState& state : ledger_->snapshot(now_)) {
      REQUIRE(state.settled >= 0);
      REQUIRE(state.reserved >= 0);
      const std::pair window{state.key, state.window.start};
      const Micros ceiling = ceiling_.try_emplace(window, state.limit).first->second;
      REQUIRE(state.approved >= 0);
      REQUIRE(state.settled + state.reserved <= ceiling + state.approved);
      Truth& truth = truth_[window];
      if (crashed_) truth.crashed = true;
      // A limit is raised by what was approved, and by no more.
      if (!truth.crashed) REQUIRE(state.approved <= truth.approved);
      REQUIRE(truth.settled + truth.reserved <= state.settled + state.reserved);
      if (!truth.crashed) REQUIRE(truth.settled == state.settled);
      REQUIRE(truth.reserved == state.reserved);
      // The store is never behind what is used.
      const auto mark = store_.find(state.key);
      const bool stored = mark != store_.end() && mark->second.window.start == state.window.start;
      REQUIRE(truth.settled + truth.reserved <= (stored ? mark->second.mark : 0));
    }
    crashed_ = false;
    for (const auto& [window, truth] : truth_) {
      REQUIRE(truth.settled + truth.reserved <= ceiling_.at(window) + truth.approved);
    }
  }

  // Everything resolves, the sidecar ends cleanly: nothing is leaked, nothing is lost.
  void finish() {
    held_.clear();
    const auto drain = [this] {
      ledger_->take_writes(writes_);
      for (const MarkWrite& write : writes_) {
        apply(write);
        ledger_->written(write);
      }
      writes_.clear();
    };
    drain();
    const auto before = ledger_->snapshot(now_);
    (void)ledger_->trim(true);
    drain();
    REQUIRE_FALSE(ledger_->trim(true));
    start();
    const auto after = ledger_->snapshot(now_);
    for (size_t i = 0; i < before.size(); ++i) {
      REQUIRE(before[i].reserved == 0);
      // After a step back of the clock an earlier window may be open again: with what it had used.
      if (after[i].window == before[i].window) REQUIRE(after[i].settled == before[i].settled);
    }
  }

  std::mt19937_64 random_;
  Time now_;
  std::vector<AccountSpec> specs_;
  std::map<AccountKey, Mark> store_;
  std::vector<std::unique_ptr<Ledger>> ledgers_;  // crashed ones stay for their reservations
  Ledger* ledger_ = nullptr;
  std::vector<Account*> binding_;
  std::vector<MarkWrite> writes_;
  std::vector<Held> held_;
  std::map<std::pair<AccountKey, Time>, Truth> truth_;
  std::map<std::pair<AccountKey, Time>, Micros> ceiling_;
  Steady steady_{};
  bool full_ = false;     // the disk: writes fail and leave nothing
  bool crashed_ = false;  // since the last check()
};

TEST_CASE("simulated sidecars with crashes, I/O errors and clock jumps", "[ledger][simulation]") {
  const uint64_t first = from_environment("REEVE_SEED", 1);
  const uint64_t rounds = from_environment(
      "REEVE_ROUNDS", from_environment("REEVE_TEST_LONG", 0) == 1 ? 100'000 : 1000);
  for (uint64_t seed = first; seed < first + rounds; ++seed) {
    INFO("seed " << seed);
    Simulation(seed).run(300);
  }
}

}  // namespace
}  // namespace reeve::policy
