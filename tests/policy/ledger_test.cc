// The ledger: scripts, many threads, and a simulation by seed with crashes, I/O errors and clocks.
//
// A script is one step per line, its result after `->`. The store of a script is a map; `store`
// answers everything that is on its way, `lose` answers it as failed, `crash` starts anew from it.
#include "policy/ledger.h"

#include <fmt/core.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace reeve::policy {
namespace {

constexpr Micros kCall = kMicrosPerUnit;
using std::chrono::minutes;

AccountSpec spec_of(std::string budget, Micros limit, Period period = Period::kDay,
                    Unit unit = Unit::kCalls) {
  AccountSpec spec;
  spec.budget = std::move(budget);
  spec.scope = "everyone";
  spec.unit = unit;
  if (unit == Unit::kMoney) spec.currency = "USD";
  spec.limit = limit;
  spec.period = period;
  return spec;
}

// ---------------------------------------------------------------------------------------------

class Script {
 public:
  // Runs all lines; each must give its result.
  void run(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const size_t arrow = line.find(" -> ");
      const std::string step = line.substr(0, arrow);
      std::istringstream words(step);
      std::string verb;
      if (!(words >> verb)) continue;
      INFO(line);
      const std::string result = do_step(verb, words);
      if (arrow == std::string::npos) {
        CHECK(result.empty());
      } else {
        CHECK(result == line.substr(arrow + 4));
      }
    }
  }

 private:
  std::string do_step(const std::string& verb, std::istringstream& words) {
    std::string word;
    if (verb == "policy") return bind(words);
    if (verb == "at") {  // minutes since 1970
      int64_t minute = 0;
      words >> minute;
      now_ = Time{minutes{minute}};
      return "";
    }
    if (verb == "reserve") return reserve(words);
    if (verb == "sent" || verb == "settle" || verb == "release" || verb == "drop") {
      return resolve(verb, words);
    }
    if (verb == "show") {
      std::string all;
      for (const AccountState& state : ledger_->snapshot(now_)) {
        all += fmt::format("{}{}={}+{}/{}", all.empty() ? "" : " ", state.key.budget,
                           format_decimal(state.settled), format_decimal(state.reserved),
                           format_decimal(state.limit));
      }
      return all;
    }
    if (verb == "trim") return ledger_->trim(false) ? "again" : "done";
    if (verb == "close") return ledger_->trim(true) ? "again" : "done";
    if (verb == "store" || verb == "lose") return answer(verb == "store");
    if (verb == "crash") {
      for (auto& [name, reservation] : reservations_) keep_.push_back(std::move(reservation));
      reservations_.clear();
      std::vector<Mark> marks;
      for (const auto& [key, mark] : store_) marks.push_back(mark);
      ledgers_.push_back(std::make_unique<Ledger>(marks));
      ledger_ = ledgers_.back().get();
      binding_ = ledger_->bind(specs_, now_);
      return "";
    }
    return "unknown step";
  }

  // policy NAME:LIMIT:PERIOD[:UNIT] …
  std::string bind(std::istringstream& words) {
    specs_.clear();
    for (std::string word; words >> word;) {
      std::istringstream parts(word);
      std::string name, limit, period, unit;
      std::getline(parts, name, ':');
      std::getline(parts, limit, ':');
      std::getline(parts, period, ':');
      std::getline(parts, unit, ':');
      const Period which = period == "hour"    ? Period::kHour
                           : period == "total" ? Period::kTotal
                                               : Period::kDay;
      specs_.push_back(
          spec_of(name, *parse_decimal(limit), which, unit == "usd" ? Unit::kMoney : Unit::kCalls));
    }
    binding_ = ledger_->bind(specs_, now_);
    return "";
  }

  // reserve RESERVATION ACCOUNT:AMOUNT …
  std::string reserve(std::istringstream& words) {
    std::string name;
    words >> name;
    std::vector<Draw> draws;
    for (std::string word; words >> word;) {
      const size_t colon = word.find(':');
      uint32_t index = 99;
      for (uint32_t i = 0; i < specs_.size(); ++i) {
        if (specs_[i].budget == word.substr(0, colon)) index = i;
      }
      const std::string amount = word.substr(colon + 1);
      draws.push_back({index, amount == "-1" ? -1 : *parse_decimal(amount)});
    }
    Attempt attempt = ledger_->reserve(draws, binding_, now_);
    switch (attempt.outcome) {
      case Attempt::Outcome::kReserved:
        reservations_[name] = std::move(attempt.reservation);
        return "ok";
      case Attempt::Outcome::kOverLimit:
        return fmt::format(
            "over {}: {} of {} used, {} asked, until {}", attempt.shortfall.account->key().budget,
            format_decimal(attempt.shortfall.used), format_decimal(attempt.shortfall.limit),
            format_decimal(attempt.shortfall.asked),
            std::chrono::floor<minutes>(attempt.shortfall.window.end).time_since_epoch().count());
      case Attempt::Outcome::kNeedsMark:
        CHECK(ledger_->is_pending(*attempt.account, attempt.write));
        return "wait";
      case Attempt::Outcome::kInvalid:
        return "invalid";
    }
    return "";
  }

  std::string resolve(const std::string& verb, std::istringstream& words) {
    std::string name;
    std::string amount;
    words >> name >> amount;
    if (verb == "drop") {
      reservations_.erase(name);
      return "";
    }
    Reservation& reservation = reservations_.at(name);
    if (verb == "sent") {
      reservation.mark_sent();
      return "";
    }
    Cost cost;
    if (!amount.empty()) cost.calls = *parse_decimal(amount);
    const bool done = verb == "settle" ? reservation.settle(cost) : reservation.release();
    return done ? "ok" : "was resolved";
  }

  std::string answer(bool ok) {
    std::vector<MarkWrite> writes;
    ledger_->take_writes(writes);
    std::string all;
    for (const MarkWrite& write : writes) {
      const AccountKey& key = write.account->key();
      all += fmt::format("{}{}={}", all.empty() ? "" : " ", key.budget, format_decimal(write.mark));
      if (ok) store_[key] = {key, write.window, write.mark};
      ok ? ledger_->written(write) : ledger_->failed(write);
    }
    return all.empty() ? "nothing" : all;
  }

  std::map<AccountKey, Mark> store_;
  std::vector<std::unique_ptr<Ledger>> ledgers_;
  Ledger* ledger_ = (ledgers_.push_back(std::make_unique<Ledger>(std::span<const Mark>{})),
                     ledgers_.back().get());
  std::vector<AccountSpec> specs_;
  std::vector<Account*> binding_;
  std::map<std::string, Reservation> reservations_;
  std::vector<Reservation> keep_;  // of crashed ledgers
  Time now_{};
};

TEST_CASE("reserve, settle, release", "[ledger]") {
  Script().run(R"(
    policy b:100:day
    reserve r b:10 -> wait
    store -> b=21.25
    reserve r b:10 -> ok
    show -> b=0+10/100
    settle r 4 -> ok
    show -> b=4+0/100
    settle r 4 -> was resolved
    release r -> was resolved
    show -> b=4+0/100
    reserve r b:5 -> ok
    release r -> ok
    settle r -> was resolved
    show -> b=4+0/100
    reserve r b:5 -> ok
    settle r 99 -> ok
    show -> b=9+0/100
  )");
}

TEST_CASE("what is left unresolved is free if it was not sent, else charged in full", "[ledger]") {
  Script().run(R"(
    policy b:100:day
    reserve r b:10 -> wait
    store -> b=21.25
    reserve r b:10 -> ok
    drop r
    show -> b=0+0/100
    reserve r b:10 -> ok
    sent r
    drop r
    show -> b=10+0/100
    reserve r b:1 -> ok
    sent r
    release r -> ok
    drop r
    show -> b=10+0/100
  )");
}

TEST_CASE("all budgets or none", "[ledger]") {
  Script().run(R"(
    policy a:10:day b:3:day
    reserve r a:2 b:2 -> wait
    store -> a=3 b=2.125
    reserve r a:2 b:2 -> ok
    show -> a=0+2/10 b=0+2/3
    reserve s a:2 b:2 -> over b: 2 of 3 used, 2 asked, until 1440
    show -> a=0+2/10 b=0+2/3
    store -> nothing
  )");
}

TEST_CASE("a draw above the limit, of nothing, twice on one account, or that is no draw",
          "[ledger]") {
  Script().run(R"(
    policy b:10:day
    reserve r b:11 -> over b: 0 of 10 used, 11 asked, until 1440
    reserve r b:0 -> ok
    settle r -> ok
    show -> b=0+0/10
    reserve r b:6 b:5 -> over b: 0 of 10 used, 5 asked, until 1440
    reserve r b:5 b:5 -> wait
    store -> b=10
    reserve r b:5 b:5 -> ok
    show -> b=0+10/10
    reserve s b:-1 -> invalid
    reserve s nowhere:1 -> invalid
    show -> b=0+10/10
  )");
}

TEST_CASE("a budget of nothing allows nothing", "[ledger]") {
  Script().run(R"(
    policy b:0:day
    reserve r b:0.000001 -> over b: 0 of 0 used, 0.000001 asked, until 1440
    reserve r b:0 -> ok
    store -> nothing
  )");
}

TEST_CASE("slices shrink to the call near the limit and are asked ahead before", "[ledger]") {
  Script().run(R"(
    policy b:80:day
    reserve r b:8 -> wait
    store -> b=17
    reserve r b:8 -> ok
    settle r -> ok
    reserve r b:5 -> ok
    store -> b=21.375
    settle r -> ok
    reserve r b:62 -> wait
    store -> b=75.625
    reserve r b:62 -> ok
    settle r -> ok
    reserve r b:4 -> wait
    store -> b=79.125
    reserve r b:4 -> ok
    store -> nothing
    reserve s b:1 -> wait
    store -> b=80
    reserve s b:1 -> ok
    reserve t b:1 -> over b: 80 of 80 used, 1 asked, until 1440
    store -> nothing
  )");
}

TEST_CASE("who comes while a write is on its way is in the next slice", "[ledger]") {
  Script().run(R"(
    policy b:80:day
    reserve r b:40 -> wait
    reserve s b:10 -> wait
    reserve t b:10 -> wait
    store -> b=45
    reserve r b:40 -> ok
    reserve s b:10 -> wait
    store -> b=70
    reserve s b:10 -> ok
    reserve t b:10 -> ok
    show -> b=0+60/80
  )");
}

TEST_CASE("a crash counts the mark as spent, never less than was reserved", "[ledger]") {
  Script().run(R"(
    policy b:100:day
    reserve r b:10 -> wait
    store -> b=21.25
    reserve r b:10 -> ok
    crash
    show -> b=21.25+0/100
    reserve r b:78.75 -> wait
    store -> b=100
    reserve r b:78.75 -> ok
    reserve s b:0.000001 -> over b: 100 of 100 used, 0.000001 asked, until 1440
    crash
    show -> b=100+0/100
  )");
}

TEST_CASE("a quiet account gives the rest of its slice back", "[ledger]") {
  Script().run(R"(
    policy b:100:day
    trim -> done
    reserve r b:10 -> wait
    trim -> again
    store -> b=21.25
    reserve r b:10 -> ok
    trim -> again
    store -> nothing
    trim -> again
    reserve s b:1 -> wait
    store -> b=10
    trim -> again
    settle r 4 -> ok
    trim -> again
    store -> b=4
    trim -> done
    crash
    show -> b=4+0/100
  )");
}

TEST_CASE("a clean end keeps exactly what is used", "[ledger]") {
  Script().run(R"(
    policy a:100:day b:50:hour
    reserve r a:10 b:10 -> wait
    store -> a=21.25 b=15
    reserve r a:10 b:10 -> ok
    settle r 3 -> ok
    reserve r a:1 b:1 -> ok
    close -> again
    store -> a=4 b=4
    crash
    show -> a=4+0/100 b=4+0/50
  )");
}

TEST_CASE("a write that fails gives nothing and is asked for again", "[ledger]") {
  Script().run(R"(
    policy b:100:day
    reserve r b:10 -> wait
    lose -> b=21.25
    reserve r b:10 -> wait
    store -> b=21.25
    reserve r b:10 -> ok
    settle r -> ok
    trim -> again
    trim -> again
    lose -> b=10
    trim -> again
    store -> b=10
    trim -> done
  )");
}

TEST_CASE("windows turn over by the clock; what was reserved before is settled there", "[ledger]") {
  Script().run(R"(
    policy b:100:hour
    at 59
    reserve r b:80 -> wait
    store -> b=82.5
    reserve r b:80 -> ok
    reserve s b:30 -> over b: 80 of 100 used, 30 asked, until 60
    at 60
    show -> b=0+0/100
    reserve s b:30 -> wait
    store -> b=38.75
    reserve s b:30 -> ok
    settle r 70 -> ok
    show -> b=0+30/100
    release s -> ok
    show -> b=0+0/100
  )");
}

TEST_CASE("a clock that steps back stays in the later window", "[ledger]") {
  Script().run(R"(
    policy b:100:hour
    at 130
    reserve r b:80 -> wait
    store -> b=82.5
    reserve r b:80 -> ok
    settle r -> ok
    at 70
    show -> b=80+0/100
    reserve s b:30 -> over b: 80 of 100 used, 30 asked, until 180
    crash
    show -> b=82.5+0/100
    reserve s b:30 -> over b: 82.5 of 100 used, 30 asked, until 180
    at 179
    show -> b=82.5+0/100
    at 180
    show -> b=0+0/100
  )");
}

TEST_CASE("a write for a window that has ended gives nothing to the next", "[ledger]") {
  Script().run(R"(
    policy b:100:hour
    at 59
    reserve r b:80 -> wait
    at 60
    reserve r b:80 -> wait
    store -> b=82.5
    reserve r b:80 -> wait
    store -> b=100
    reserve r b:80 -> ok
    show -> b=0+80/100
  )");
}

TEST_CASE("a reload keeps what was used where unit and period are the same", "[ledger]") {
  Script().run(R"(
    policy b:100:day
    reserve r b:40 -> wait
    store -> b=47.5
    reserve r b:40 -> ok
    settle r -> ok
    policy b:50:day c:7:day
    show -> b=40+0/50 c=0+0/7
    reserve r b:20 -> over b: 40 of 50 used, 20 asked, until 1440
    policy b:30:day
    show -> b=40+0/30
    reserve r b:1 -> over b: 40 of 30 used, 1 asked, until 1440
    policy b:100:hour
    show -> b=0+0/100
    policy b:100:day:usd
    show -> b=0+0/100
    policy b:100:day
    show -> b=40+0/100
    reserve r b:5 -> ok
  )");
}

TEST_CASE("a total never turns over", "[ledger]") {
  Script().run(R"(
    policy b:10:total
    reserve r b:10 -> wait
    store -> b=10
    reserve r b:10 -> ok
    settle r -> ok
    at 99999999
    show -> b=10+0/10
  )");
}

TEST_CASE("amounts at the end of their range do not wrap", "[ledger]") {
  Script().run(R"(
    policy b:9223372036854.775807:total
    reserve r b:9223372036854.775807 -> wait
    reserve s b:9223372036854.775807 -> wait
    reserve t b:9223372036854.775807 -> wait
    store -> b=9223372036854.775807
    reserve r b:9223372036854.775807 -> ok
    reserve s b:0.000001 -> over b: 9223372036854.775807 of 9223372036854.775807 used, 0.000001 asked, until 153722867280
    settle r 1 -> ok
    reserve s b:9223372036854.775807 b:9223372036854.775807 -> over b: 1 of 9223372036854.775807 used, 9223372036854.775807 asked, until 153722867280
  )");
}

TEST_CASE("more draws than fit are refused", "[ledger]") {
  Ledger ledger({});
  const std::vector<AccountSpec> specs = {spec_of("b", 100 * kCall)};
  const auto binding = ledger.bind(specs, Time{});
  const std::vector<Draw> draws(Spend::kMaxDraws + 1, Draw{0, 0});
  CHECK(ledger.reserve(draws, binding, Time{}).outcome == Attempt::Outcome::kInvalid);
  CHECK(ledger.reserve(std::span(draws).first(Spend::kMaxDraws), binding, Time{}).outcome ==
        Attempt::Outcome::kReserved);
}

TEST_CASE("each unit settles by its own cost", "[ledger]") {
  Ledger ledger({});
  const std::vector<AccountSpec> specs = {
      spec_of("money", 100 * kCall, Period::kDay, Unit::kMoney),
      spec_of("calls", 100 * kCall, Period::kDay, Unit::kCalls),
      spec_of("tokens", 100 * kCall, Period::kDay, Unit::kTokens)};
  const auto binding = ledger.bind(specs, Time{});
  const std::vector<Draw> draws = {{0, 5 * kCall}, {1, kCall}, {2, 50 * kCall}};
  Attempt attempt = ledger.reserve(draws, binding, Time{});
  std::vector<MarkWrite> writes;
  ledger.take_writes(writes);
  for (const MarkWrite& write : writes) ledger.written(write);
  attempt = ledger.reserve(draws, binding, Time{});
  REQUIRE(attempt.outcome == Attempt::Outcome::kReserved);
  CHECK(attempt.reservation.size() == 3);
  CHECK(attempt.reservation.account(2).key().budget == "tokens");
  CHECK(attempt.reservation.amount(2) == 50 * kCall);

  Reservation moved = std::move(attempt.reservation);
  CHECK_FALSE(attempt.reservation.settle());
  CHECK(moved.settle({.money = 2 * kCall, .calls = {}, .tokens = -7}));
  const auto states = ledger.snapshot(Time{});
  CHECK(states[0].settled == 2 * kCall);
  CHECK(states[1].settled == kCall);
  CHECK(states[2].settled == 0);
  for (const AccountState& state : states) CHECK(state.reserved == 0);
}

TEST_CASE("a change of zone neither loses nor repeats a window", "[ledger]") {
  std::vector<AccountSpec> specs = {spec_of("b", 100 * kCall)};
  Ledger ledger({});
  Time now{std::chrono::hours{23}};
  (void)ledger.bind(specs, now);
  specs[0].zone = "Asia/Tokyo";  // where the next day began at 15:00
  (void)ledger.bind(specs, now);
  CHECK(ledger.snapshot(now)[0].window.end == Time{std::chrono::hours{24}});
  now = Time{std::chrono::hours{24}};
  const Window window = ledger.snapshot(now)[0].window;
  CHECK(window.start == Time{std::chrono::hours{15}});
  CHECK(window.end == Time{std::chrono::hours{39}});
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("64 threads and one cap: never over, nothing leaked", "[ledger][threads]") {
  constexpr Micros kLimit = 50'000 * kCall;
  Ledger ledger({});
  const std::vector<AccountSpec> specs = {spec_of("cap", kLimit), spec_of("wide", 1000 * kLimit)};
  const auto binding = ledger.bind(specs, Time{});
  std::mutex store;  // one store at a time, as in the proxy
  const auto serve = [&ledger, &store] {
    const std::lock_guard lock(store);
    std::vector<MarkWrite> writes;
    ledger.take_writes(writes);
    for (const MarkWrite& write : writes) ledger.written(write);
  };

  // What the threads hold and have settled, never more than the ledger knows of.
  std::atomic<Micros> held{0};
  std::atomic<Micros> settled{0};
  std::atomic<int> overruns{0};
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 10'000; ++i) {
      const auto amount = static_cast<Micros>(random() % (3 * kCall));
      const Draw draws[] = {{0, amount}, {1, amount}};
      Attempt attempt = ledger.reserve(draws, binding, Time{});
      while (attempt.outcome == Attempt::Outcome::kNeedsMark) {
        serve();
        attempt = ledger.reserve(draws, binding, Time{});
      }
      if (attempt.outcome != Attempt::Outcome::kReserved) continue;
      if (held.fetch_add(amount) + amount > kLimit) ++overruns;
      const Micros actual = static_cast<Micros>(random() % (amount + 1)) / 64;
      held.fetch_sub(amount - actual);
      settled.fetch_add(actual);
      switch (random() % 3) {
        case 0:
          attempt.reservation.settle({.money = {}, .calls = actual, .tokens = {}});
          break;
        case 1:
          held.fetch_sub(actual);
          settled.fetch_sub(actual);
          attempt.reservation.release();
          break;
        default:
          attempt.reservation = Reservation();  // never sent
          held.fetch_sub(actual);
          settled.fetch_sub(actual);
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 64; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();

  CHECK(overruns == 0);
  for (const AccountState& state : ledger.snapshot(Time{})) {
    CHECK(state.reserved == 0);
    CHECK(state.settled == settled);
    CHECK(state.settled <= state.limit);
  }
}

// ---------------------------------------------------------------------------------------------

// A sidecar, its store and its clock, driven by a seed. `truth_` is what was really spent: known to
// the simulation, not to the ledger, and kept across crashes.
class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    now_ = Time{std::chrono::hours{24 * 20'000} + minutes{below(100'000)}};
    const Period periods[] = {Period::kMinute, Period::kHour, Period::kDay, Period::kTotal};
    for (int i = 0; i < 3; ++i) {
      specs_.push_back(spec_of(fmt::format("b{}", i), 10 + below(200), periods[below(4)]));
      if (below(3) == 0) specs_.back().zone = "Europe/Berlin";
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
  struct Held {
    Reservation reservation;
    std::vector<std::pair<AccountKey, Time>> windows;  // one per hold
    std::vector<Micros> amounts;
    bool sent = false;
  };
  struct Truth {
    Micros settled = 0;
    Micros reserved = 0;
    bool crashed = false;  // in this window: the ledger may count more
  };

  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  void start() {
    std::vector<Mark> marks;
    for (const auto& [key, mark] : store_) marks.push_back(mark);
    ledgers_.push_back(std::make_unique<Ledger>(marks));
    ledger_ = ledgers_.back().get();
    binding_ = ledger_->bind(specs_, now_);
  }

  void step() {
    switch (below(16)) {
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
    const minutes jumps[] = {minutes{0},       minutes{1},   minutes{20},
                             minutes{24 * 60}, minutes{-60}, minutes{-24 * 60}};
    now_ += jumps[below(6)] + std::chrono::seconds{below(20)};
  }

  void reserve() {
    std::vector<Draw> draws;
    for (uint32_t i = 0; i < 3; ++i) {
      if (below(2) == 0) draws.push_back({i, below(40)});
    }
    Attempt attempt = ledger_->reserve(draws, binding_, now_);
    REQUIRE(attempt.outcome != Attempt::Outcome::kInvalid);
    if (attempt.outcome == Attempt::Outcome::kOverLimit) {
      const Shortfall& shortfall = attempt.shortfall;
      const Truth& truth = truth_[{shortfall.account->key(), shortfall.window.start}];
      // No false refusal: without a crash the ledger counts exactly what was spent.
      if (!truth.crashed) REQUIRE(shortfall.used == truth.settled + truth.reserved);
      REQUIRE(shortfall.used + shortfall.asked > shortfall.limit);
    }
    if (attempt.outcome != Attempt::Outcome::kReserved) return;

    Held held;
    const auto states = ledger_->snapshot(now_);
    for (uint32_t i = 0; i < attempt.reservation.size(); ++i) {
      const AccountKey& key = attempt.reservation.account(i).key();
      for (const AccountState& state : states) {
        if (state.key == key) held.windows.emplace_back(key, state.window.start);
      }
      held.amounts.push_back(attempt.reservation.amount(i));
      truth_[held.windows.back()].reserved += held.amounts.back();
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
    const int64_t actual = below(60);
    const int64_t way = below(3);
    for (size_t i = 0; i < held.windows.size(); ++i) {
      Truth& truth = truth_[held.windows[i]];
      truth.reserved -= held.amounts[i];
      if (way == 0) truth.settled += std::min<Micros>(actual, held.amounts[i]);
      if (way == 1 && held.sent) truth.settled += held.amounts[i];
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
      const bool ok = below(5) > 0;
      if (ok || below(2) == 0) apply(write);
      ok ? ledger_->written(write) : ledger_->failed(write);
    }
  }

  void apply(const MarkWrite& write) {
    const AccountKey& key = write.account->key();
    store_[key] = {key, write.window, write.mark};
  }

  void crash() {
    ledger_->take_writes(writes_);
    for (const MarkWrite& write : writes_) {
      if (below(2) == 0) apply(write);
    }
    writes_.clear();
    for (Held& held : held_) {
      for (size_t i = 0; i < held.windows.size(); ++i) {
        Truth& truth = truth_[held.windows[i]];
        truth.reserved -= held.amounts[i];
        if (held.sent) truth.settled += held.amounts[i];  // the upstream has it
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
      REQUIRE(state.settled + state.reserved <= state.limit);
      Truth& truth = truth_[{state.key, state.window.start}];
      if (crashed_) truth.crashed = true;
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
      for (const AccountSpec& spec : specs_) {
        if (spec.budget == window.first.budget) {
          REQUIRE(truth.settled + truth.reserved <= spec.limit);
        }
      }
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
  bool crashed_ = false;  // since the last check()
};

TEST_CASE("1,000 simulated sidecars with crashes, I/O errors and clock jumps",
          "[ledger][simulation]") {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    INFO("seed " << seed);
    Simulation(seed).run(300);
  }
}

}  // namespace
}  // namespace reeve::policy
