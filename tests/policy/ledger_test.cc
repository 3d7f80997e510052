// The ledger by scripts; threads and the simulation have files of their own.
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

#include "tests/support/account_specs.h"

namespace reeve::policy {
namespace {

constexpr Micros kCall = kMicrosPerUnit;
using std::chrono::minutes;

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
    if (verb == "reserve") return reserve(words, false);
    if (verb == "approved") return reserve(words, true);
    if (verb == "sent" || verb == "settle" || verb == "release" || verb == "drop") {
      return resolve(verb, words);
    }
    if (verb == "show") {
      std::string all;
      for (const AccountState& state : ledger_->snapshot(now_)) {
        all += fmt::format("{}{}={}+{}/{}", all.empty() ? "" : " ", state.key.budget,
                           format_decimal(state.settled), format_decimal(state.reserved),
                           format_decimal(state.limit));
        if (state.approved > 0) all += "+" + format_decimal(state.approved);
      }
      return all;
    }
    if (verb == "trim") return ledger_->trim(false) ? "again" : "done";
    if (verb == "close") return ledger_->trim(true) ? "again" : "done";
    if (verb == "store" || verb == "lose") return answer(verb == "store");
    if (verb == "keep") return answer(true), "";  // `store`, whatever it is
    if (verb == "crash") {
      for (auto& [name, reservation] : reservations_) keep_.push_back(std::move(reservation));
      reservations_.clear();
      std::vector<Mark> marks;
      for (const auto& [key, mark] : store_) marks.push_back(mark);
      ledgers_.push_back(std::make_unique<Ledger>(marks, 4));
      ledger_ = ledgers_.back().get();
      binding_ = ledger_->bind(specs_, now_);
      return "";
    }
    return "unknown step";
  }

  // policy NAME:LIMIT:PERIOD[:UNIT[:ask]] …
  std::string bind(std::istringstream& words) {
    specs_.clear();
    for (std::string word; words >> word;) {
      std::istringstream parts(word);
      std::string name, limit, period, unit;
      std::getline(parts, name, ':');
      std::getline(parts, limit, ':');
      std::getline(parts, period, ':');
      std::getline(parts, unit, ':');
      std::string ask;
      std::getline(parts, ask, ':');
      const Period which = period == "hour"    ? Period::kHour
                           : period == "total" ? Period::kTotal
                                               : Period::kDay;
      specs_.push_back(
          spec_of(name, *parse_decimal(limit), which, unit == "usd" ? Unit::kMoney : Unit::kCalls));
      if (ask == "ask") specs_.back().ask = AskTerms{};
    }
    binding_ = ledger_->bind(specs_, now_);
    return "";
  }

  // reserve RESERVATION ACCOUNT:AMOUNT …; `approved` the same, let through by people on all that
  // ask
  std::string reserve(std::istringstream& words, bool approved) {
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
    std::vector<const Account*> beyond;
    for (uint32_t i = 0; approved && i < specs_.size(); ++i) {
      if (specs_[i].ask) beyond.push_back(binding_[i]);
    }
    Attempt attempt = ledger_->reserve(draws, binding_, now_, beyond);
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
      case Attempt::Outcome::kNeedsLease:
        return "lease";  // which this ledger has not
      case Attempt::Outcome::kInvalid:
        return "invalid";
      case Attempt::Outcome::kTooMany:
        return "too many";
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
      if (ok) store_[key] = {key, write.window, write.mark, write.approved};
      ok ? ledger_->written(write) : ledger_->failed(write);
    }
    return all.empty() ? "nothing" : all;
  }

  std::map<AccountKey, Mark> store_;
  std::vector<std::unique_ptr<Ledger>> ledgers_;
  Ledger* ledger_ = (ledgers_.push_back(std::make_unique<Ledger>(std::span<const Mark>{}, 4)),
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

TEST_CASE("what a lane has left of a window is not for the next", "[ledger]") {
  Script().run(R"(
    policy b:100000:hour
    at 59
    reserve r b:1 -> wait
    store -> b=12500.875
    reserve r b:1 -> ok
    reserve s b:1 -> ok
    show -> b=0+2/100000
    at 60
    reserve t b:1 -> wait
    store -> b=12500.875
    reserve t b:1 -> ok
    show -> b=0+1/100000
    at 59
    reserve u b:1 -> ok
    show -> b=0+2/100000
  )");
}

TEST_CASE("a limit that was lowered and raised again grants what is marked", "[ledger]") {
  Script().run(R"(
    policy b:100000:day
    reserve r b:1 -> wait
    store -> b=12500.875
    reserve r b:1 -> ok
    policy b:2:day
    reserve s b:2 -> over b: 1 of 2 used, 2 asked, until 1440
    reserve s b:1 -> ok
    reserve t b:1 -> over b: 2 of 2 used, 1 asked, until 1440
    policy b:100000:day
    reserve t b:8000 -> ok
    store -> b=19501.75
    show -> b=0+8002/100000
  )");
}

TEST_CASE("what is forgotten is charged in full after its time, once", "[ledger]") {
  using Steady = Ledger::Steady;
  constexpr std::chrono::seconds kTtl{60};
  Ledger ledger({});
  const std::vector<AccountSpec> specs = {spec_of("b", 100 * kCall)};
  const auto binding = ledger.bind(specs, Time{});
  const Draw draw{0, 5 * kCall};
  (void)ledger.reserve({&draw, 1}, binding, Time{});
  std::vector<MarkWrite> writes;
  ledger.take_writes(writes);
  ledger.written(writes.at(0));

  Attempt forgotten = ledger.reserve({&draw, 1}, binding, Time{});
  CHECK(ledger.expire(Steady{}, kTtl) == 0);
  Attempt younger = ledger.reserve({&draw, 1}, binding, Time{});
  CHECK(ledger.expire(Steady{std::chrono::seconds{59}}, kTtl) == 0);
  CHECK(ledger.expire(Steady{std::chrono::seconds{60}}, kTtl) == 1);
  CHECK_FALSE(forgotten.reservation.open());
  CHECK(younger.reservation.open());
  forgotten.reservation.mark_sent();
  CHECK_FALSE(forgotten.reservation.release());
  CHECK(ledger.snapshot(Time{})[0].settled == 5 * kCall);

  // Its place is another's now, whom the old owner cannot reach.
  Attempt next = ledger.reserve({&draw, 1}, binding, Time{});
  CHECK_FALSE(forgotten.reservation.settle());
  forgotten.reservation = Reservation();
  CHECK(next.reservation.open());
  CHECK(younger.reservation.release());
  CHECK(ledger.snapshot(Time{})[0].reserved == 5 * kCall);
}

TEST_CASE("who may let a call through beyond the limit is told", "[ledger]") {
  Ledger ledger({});
  std::vector<AccountSpec> specs = {spec_of("b", 0)};
  specs[0].ask = AskTerms{.group = 3, .within = std::chrono::seconds{60}};
  const auto binding = ledger.bind(specs, Time{});
  const Draw draw{0, 1};
  const Attempt attempt = ledger.reserve({&draw, 1}, binding, Time{});
  REQUIRE(attempt.shortfall.ask);
  CHECK(attempt.shortfall.ask->group == 3);
}

TEST_CASE("all that ask are told at once, and none beside one that does not", "[ledger]") {
  Ledger ledger({});
  std::vector<AccountSpec> specs = {spec_of("a", 1), spec_of("wide", 100), spec_of("b", 2),
                                    spec_of("hard", 3)};
  specs[0].ask = specs[2].ask = AskTerms{};
  const auto binding = ledger.bind(specs, Time{});
  const Draw three[] = {{0, 3}, {1, 3}, {2, 3}, {3, 3}};
  Attempt attempt = ledger.reserve(three, binding, Time{});
  REQUIRE(attempt.outcome == Attempt::Outcome::kOverLimit);
  REQUIRE(attempt.asks.size() == 2);
  CHECK(attempt.asks[0].account == binding[0]);
  CHECK(attempt.asks[1].account == binding[2]);
  CHECK(attempt.asks[1].limit == 2);
  CHECK(attempt.asks[1].asked == 3);
  CHECK(attempt.shortfall.account == binding[0]);
  const Draw four[] = {{0, 4}, {2, 4}, {3, 4}};
  attempt = ledger.reserve(four, binding, Time{});
  REQUIRE(attempt.outcome == Attempt::Outcome::kOverLimit);
  CHECK(attempt.asks.empty());
  CHECK(attempt.shortfall.account == binding[3]);
  // A yes raises no limit of one that asks nobody.
  const Account* const beyond[] = {binding[0], binding[2]};
  attempt = ledger.reserve(four, binding, Time{}, beyond);
  REQUIRE(attempt.outcome == Attempt::Outcome::kOverLimit);
  CHECK(attempt.shortfall.account == binding[3]);
  CHECK(ledger.snapshot(Time{})[0].approved == 0);
}

TEST_CASE("what people let through raises the limit for exactly that call", "[ledger]") {
  Script script;
  script.run(R"(
    policy b:10:day:calls:ask
    reserve r b:8 -> wait
    keep
    reserve r b:8 -> ok
    settle r -> ok
    reserve x b:5 -> over b: 8 of 10 used, 5 asked, until 1440
    approved a b:5 -> wait
    reserve y b:3 -> over b: 8 of 10 used, 3 asked, until 1440
    keep
    show -> b=8+0/10
    approved a b:5 -> ok
    show -> b=8+5/10+3
    reserve y b:0.000001 -> over b: 13 of 10 used, 0.000001 asked, until 1440
    approved c b:2 -> wait
    keep
    approved c b:2 -> ok
    show -> b=8+7/10+5
    release c -> ok
    show -> b=8+5/10+3
    reserve y b:1 -> over b: 13 of 10 used, 1 asked, until 1440
    sent a
    settle a 4 -> ok
    show -> b=12+0/10+2
    reserve y b:1 -> over b: 12 of 10 used, 1 asked, until 1440
  )");
}

TEST_CASE("a yes that is not needed raises nothing", "[ledger]") {
  Script script;
  script.run(R"(
    policy b:10:day:calls:ask
    approved a b:10 -> wait
    keep
    approved a b:10 -> ok
    show -> b=0+10/10
    approved c b:4 -> wait
    keep
    approved c b:4 -> ok
    show -> b=0+14/10+4
    release a -> ok
    show -> b=0+4/10+4
    reserve d b:10 -> ok
    reserve e b:1 -> over b: 14 of 10 used, 1 asked, until 1440
    release c -> ok
    show -> b=0+10/10
    reserve e b:1 -> over b: 10 of 10 used, 1 asked, until 1440
  )");
}

TEST_CASE("what was let through is known after a restart, and ends with its window", "[ledger]") {
  Script script;
  script.run(R"(
    policy b:10:day:calls:ask
    reserve r b:10 -> wait
    keep
    reserve r b:10 -> ok
    settle r -> ok
    approved a b:3 -> wait
    lose -> b=13
    approved a b:3 -> wait
    keep
    approved a b:3 -> ok
    sent a
    crash
    show -> b=13+0/10+3
    reserve y b:1 -> over b: 13 of 10 used, 1 asked, until 1440
    approved c b:1 -> wait
    keep
    approved c b:1 -> ok
    at 1440
    reserve y b:10 -> wait
    keep
    reserve y b:10 -> ok
    show -> b=0+10/10
    release c -> ok
    show -> b=0+10/10
    reserve z b:1 -> over b: 10 of 10 used, 1 asked, until 2880
  )");
}

TEST_CASE("a limit that was lowered below what is used can be let pass, by the call alone",
          "[ledger]") {
  Script script;
  script.run(R"(
    policy b:10:day:calls:ask
    reserve r b:10 -> wait
    keep
    reserve r b:10 -> ok
    policy b:4:day:calls:ask
    approved a b:2 -> wait
    keep
    approved a b:2 -> ok
    show -> b=0+12/4+2
    release r -> ok
    show -> b=0+2/4+2
    release a -> ok
    show -> b=0+0/4
  )");
}

TEST_CASE("what was let through and forgotten is charged in full", "[ledger]") {
  Ledger ledger({});
  std::vector<AccountSpec> specs = {spec_of("b", 0)};
  specs[0].ask = AskTerms{};
  const auto binding = ledger.bind(specs, Time{});
  const Draw draw{0, 5};
  const Account* const beyond[] = {binding[0]};
  REQUIRE(ledger.reserve({&draw, 1}, binding, Time{}, beyond).outcome ==
          Attempt::Outcome::kNeedsMark);
  std::vector<MarkWrite> writes;
  ledger.take_writes(writes);
  REQUIRE(writes.size() == 1);
  CHECK(writes[0].mark == 5);
  CHECK(writes[0].approved == 5);
  ledger.written(writes[0]);
  Attempt attempt = ledger.reserve({&draw, 1}, binding, Time{}, beyond);
  REQUIRE(attempt.outcome == Attempt::Outcome::kReserved);
  const Ledger::Steady start{};
  CHECK(ledger.expire(start, minutes(1)) == 0);
  CHECK(ledger.expire(start + minutes(2), minutes(1)) == 1);
  const AccountState state = ledger.snapshot(Time{})[0];
  CHECK(state.settled == 5);
  CHECK(state.approved == 5);
}

TEST_CASE("a warning, the end of a budget and its turnover are each told once", "[ledger]") {
  Ledger ledger({});
  std::vector<AccountSpec> specs = {spec_of("b", 100, Period::kHour), spec_of("quiet", 100)};
  specs[0].warn_percent = 80;
  const auto binding = ledger.bind(specs, Time{});
  const auto spend = [&](Micros amount, Time now) {
    const Draw draw{0, amount};
    while (true) {
      Attempt attempt = ledger.reserve({&draw, 1}, binding, now);
      if (attempt.outcome != Attempt::Outcome::kNeedsMark) return attempt.reservation.settle();
      std::vector<MarkWrite> writes;
      ledger.take_writes(writes);
      for (const MarkWrite& write : writes) ledger.written(write);
    }
  };
  const auto told = [&](Time now) {
    (void)ledger.snapshot(now);  // turns windows over
    std::vector<Notice> notices;
    ledger.take_notices(notices);
    std::string all;
    for (const Notice& notice : notices) {
      constexpr const char* kNames[] = {"warned", "spent", "turned"};
      all += fmt::format("{} {} {}/{} ", notice.account->key().budget,
                         kNames[static_cast<int>(notice.kind)], notice.used, notice.limit);
    }
    return all;
  };
  const Time later{std::chrono::hours{1}};
  CHECK(spend(79, Time{}));
  CHECK(told(Time{}).empty());
  CHECK(spend(1, Time{}));
  CHECK(told(Time{}) == "b warned 80/100 ");
  CHECK(told(Time{}).empty());
  CHECK_FALSE(spend(30, Time{}));
  CHECK(told(Time{}) == "b spent 80/100 ");
  CHECK(spend(20, Time{}));
  CHECK(told(Time{}).empty());
  CHECK(told(later) == "b turned 0/100 ");
  CHECK(told(later + std::chrono::hours{1}).empty());
  CHECK(spend(100, later));
  CHECK(told(later) == "b warned 100/100 b spent 100/100 ");
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

}  // namespace
}  // namespace reeve::policy
