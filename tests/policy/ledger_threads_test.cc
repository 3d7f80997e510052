// Many threads on one ledger: what they hold and have spent, counted beside it, never passes a
// limit, and in the end the ledger has exactly that. REEVE_TEST_LONG=1 for the full numbers.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "policy/ledger.h"
#include "tests/support/account_specs.h"

namespace reeve::policy {
namespace {

constexpr Micros kCall = kMicrosPerUnit;

bool is_long() {
  const char* value = std::getenv("REEVE_TEST_LONG");
  return value != nullptr && std::string(value) == "1";
}

// What the threads hold and have settled of one account: counted in after a reservation and out
// before its end, so that it is never more than the ledger knows of.
struct Truth {
  std::atomic<Micros> held{0};
  std::atomic<Micros> settled{0};
};

class Crowd {
 public:
  Crowd(std::vector<AccountSpec> specs, uint32_t lanes)
      : specs_(std::move(specs)),
        ledger_({}, lanes),
        binding_(ledger_.bind(specs_, Time{})),
        truth_(specs_.size()) {}

  void run(uint32_t threads, int calls, Micros most, uint64_t seed) {
    std::atomic<bool> ended{false};
    std::thread watcher([this, &ended] {
      while (!ended) watch();
    });
    std::vector<std::thread> crowd;
    for (uint32_t i = 0; i < threads; ++i) {
      crowd.emplace_back([this, calls, most, at = seed + i] { work(calls, most, at); });
    }
    for (std::thread& thread : crowd) thread.join();
    ended = true;
    watcher.join();

    CHECK(overruns_ == 0);
    CHECK(twice_ == 0);
    const auto states = ledger_.snapshot(Time{});
    for (size_t i = 0; i < states.size(); ++i) {
      CHECK(states[i].reserved == 0);
      CHECK(states[i].settled == truth_[i].settled);
      CHECK(states[i].settled <= states[i].limit);
    }
  }
  Micros settled(size_t account) const { return truth_[account].settled; }

 private:
  void serve() {
    const std::lock_guard lock(store_);  // one store at a time, as in the proxy
    std::vector<MarkWrite> writes;
    ledger_.take_writes(writes);
    for (const MarkWrite& write : writes) ledger_.written(write);
  }

  void watch() {
    for (const AccountState& state : ledger_.snapshot(Time{})) {
      if (state.settled < 0 || state.reserved < 0) ++overruns_;
      if (state.settled + state.reserved > state.limit) ++overruns_;
    }
    (void)ledger_.trim(false);
    serve();
    std::this_thread::yield();
  }

  void work(int calls, Micros most, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < calls; ++i) {
      const auto amount = static_cast<Micros>(random() % static_cast<uint64_t>(most)) + 1;
      std::vector<Draw> draws;
      for (uint32_t account = 0; account < specs_.size(); ++account) {
        if (account == 0 || random() % 2 == 0) draws.push_back({account, amount});
      }
      Attempt attempt = ledger_.reserve(draws, binding_, Time{});
      while (attempt.outcome == Attempt::Outcome::kNeedsMark) {
        serve();
        attempt = ledger_.reserve(draws, binding_, Time{});
      }
      if (attempt.outcome != Attempt::Outcome::kReserved) continue;
      for (const Draw& draw : draws) {
        Truth& truth = truth_[draw.account];
        if (truth.held.fetch_add(amount) + amount > specs_[draw.account].limit) ++overruns_;
      }
      finish(attempt.reservation, draws, amount, random);
    }
  }

  void finish(Reservation& reservation, const std::vector<Draw>& draws, Micros amount,
              std::mt19937_64& random) {
    const uint64_t way = random() % 4;
    const Micros cost = way == 0   ? static_cast<Micros>(random()) % (amount + 1) / 64
                        : way == 1 ? amount
                                   : 0;
    const Micros actual = std::max<Micros>(cost, 0);
    for (const Draw& draw : draws) {
      Truth& truth = truth_[draw.account];
      truth.held.fetch_sub(amount - actual);
      truth.settled.fetch_add(actual);
    }
    if (way == 0 && !reservation.settle({.money = {}, .calls = actual, .tokens = {}})) ++twice_;
    if (way == 1) reservation.mark_sent();
    if (way == 2 && !reservation.release()) ++twice_;
    reservation = Reservation();
    if (reservation.settle() || reservation.release()) ++twice_;
  }

  const std::vector<AccountSpec> specs_;
  Ledger ledger_;
  const std::vector<Account*> binding_;
  std::vector<Truth> truth_;
  std::mutex store_;
  std::atomic<int> overruns_{0};
  std::atomic<int> twice_{0};
};

TEST_CASE("64 threads and one cap: never over, nothing leaked, nothing twice",
          "[ledger][threads]") {
  const int calls = is_long() ? 10'000 : 500;
  const auto scale = static_cast<Micros>(calls);
  for (const uint32_t lanes : {1U, 4U, 16U}) {
    INFO("lanes " << lanes);
    // A cap that most calls meet, one that is never near, one that runs out early.
    Crowd crowd({spec_of("cap", 5 * scale * kCall), spec_of("wide", 10'000 * scale * kCall),
                 spec_of("narrow", 20 * kCall)},
                lanes);
    crowd.run(64, calls, 3 * kCall, lanes);
    CHECK(crowd.settled(0) > 4 * scale * kCall);
  }
}

TEST_CASE("threads that spend a cap to its last call leave nothing of it", "[ledger][threads]") {
  constexpr int kThreads = 16;
  for (const uint32_t lanes : {1U, 2U, 16U}) {
    Ledger ledger({}, lanes);
    const std::vector<AccountSpec> specs = {spec_of("cap", 20'000 * kCall)};
    const auto binding = ledger.bind(specs, Time{});
    std::mutex store;
    std::atomic<int> passed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        const Draw draw{0, kCall};
        while (true) {
          Attempt attempt = ledger.reserve({&draw, 1}, binding, Time{});
          if (attempt.outcome == Attempt::Outcome::kOverLimit) return;
          if (attempt.outcome == Attempt::Outcome::kNeedsMark) {
            const std::lock_guard lock(store);
            std::vector<MarkWrite> writes;
            ledger.take_writes(writes);
            for (const MarkWrite& write : writes) ledger.written(write);
            continue;
          }
          attempt.reservation.settle();
          ++passed;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(passed == 20'000);
  }
}

TEST_CASE("what people let through beyond a limit is nobody else's, on many threads",
          "[ledger][threads]") {
  constexpr int kThreads = 16;
  constexpr Micros kLimit = 50 * kCall;
  for (const uint32_t lanes : {1U, 4U, 16U}) {
    Ledger ledger({}, lanes);
    std::vector<AccountSpec> specs = {spec_of("cap", kLimit)};
    specs[0].ask = AskTerms{};
    const auto binding = ledger.bind(specs, Time{});
    const Account* const beyond[] = {binding[0]};
    std::mutex store;
    std::atomic<bool> ended{false};
    std::atomic<int> overruns{0};
    std::atomic<Micros> settled{0}, approved{0};  // approved: by calls that were let through
    std::thread watcher([&] {
      while (!ended) {
        const AccountState state = ledger.snapshot(Time{})[0];
        if (state.settled + state.reserved > state.limit + state.approved) ++overruns;
      }
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, random = std::mt19937_64(lanes * 100 + t)]() mutable {
        for (int i = 0; i < (is_long() ? 20'000 : 1000); ++i) {
          const Draw draw{0, static_cast<Micros>(1 + random() % 5) * kCall};
          const bool asks = random() % 8 == 0;
          const auto raised =
              asks ? std::span<const Account* const>(beyond) : std::span<const Account* const>();
          Attempt attempt = ledger.reserve({&draw, 1}, binding, Time{}, raised);
          while (attempt.outcome == Attempt::Outcome::kNeedsMark) {
            {
              const std::lock_guard lock(store);
              std::vector<MarkWrite> writes;
              ledger.take_writes(writes);
              for (const MarkWrite& write : writes) ledger.written(write);
            }
            attempt = ledger.reserve({&draw, 1}, binding, Time{}, raised);
          }
          if (attempt.outcome != Attempt::Outcome::kReserved) continue;
          // Most cost nothing in the end, so that the cap is met again and again.
          const Micros cost = random() % 64 == 0 ? draw.amount / 2 : 0;
          settled += cost;
          if (asks) approved += cost;
          attempt.reservation.settle({.money = {}, .calls = cost, .tokens = {}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ended = true;
    watcher.join();
    CHECK(overruns == 0);
    const AccountState state = ledger.snapshot(Time{})[0];
    CHECK(state.reserved == 0);
    CHECK(state.settled == settled);
    CHECK(state.settled <= kLimit + state.approved);
    CHECK(state.approved <= approved);
  }
}

TEST_CASE("a call that finds its second budget short gives the first one back",
          "[ledger][threads]") {
  // The second is so small that it is nearly always all held, by threads that come and go.
  constexpr uint64_t kThreads = 8;
  const int rounds = is_long() ? 2'000'000 : 100'000;
  Ledger ledger({}, 1);
  const std::vector<AccountSpec> specs = {spec_of("wide", 1'000'000), spec_of("narrow", 24)};
  const auto binding = ledger.bind(specs, Time{});
  const auto serve = [&ledger, store = std::make_shared<std::mutex>()] {
    const std::lock_guard lock(*store);
    std::vector<MarkWrite> writes;
    ledger.take_writes(writes);
    for (const MarkWrite& write : writes) ledger.written(write);
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      std::vector<Reservation> open(8);
      for (int i = 0; i < rounds; ++i) {
        const Draw draws[] = {{0, 1}, {1, 1}};
        Attempt attempt = ledger.reserve(draws, binding, Time{});
        if (attempt.outcome == Attempt::Outcome::kNeedsMark) serve();
        open[random() % open.size()] = std::move(attempt.reservation);  // and releases what was
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const AccountState& state : ledger.snapshot(Time{})) {
    CHECK(state.settled == 0);
    CHECK(state.reserved == 0);
  }
}

TEST_CASE("a closed lane gives nothing and forgets nothing", "[ledger]") {
  Lane lane;
  lane.reopen(7);
  lane.give(10);
  CHECK(lane.take(4));
  lane.close();
  CHECK_FALSE(lane.take(1));
  CHECK_FALSE(lane.has(1));
  CHECK(lane.drain(100) == 0);
  CHECK(lane.free() == 6);
  lane.give(3);
  lane.settle(1);
  CHECK_FALSE(lane.take(1));
  CHECK(lane.free() == 9);
  CHECK(lane.settled() == 8);
  lane.reopen(0);
  CHECK(lane.free() == 0);
  CHECK_FALSE(lane.take(1));
}

TEST_CASE("slots are handed out once, by many threads, until there is none", "[ledger][threads]") {
  Slots slots(4);
  constexpr uint32_t kMost = Slots::kPerChunk * Slots::kChunks;
  std::vector<std::atomic<int>> held(kMost + 1);
  std::atomic<int> twice{0};
  const auto work = [&](uint32_t lane) {
    std::vector<Slot*> mine;
    for (int i = 0; i < 100'000; ++i) {
      if (mine.size() < 50 || i % 3 == 0) {
        mine.push_back(slots.acquire(lane));
        if (held[mine.back()->number]++ != 0) ++twice;
      } else {
        --held[mine.back()->number];
        slots.release(*mine.back(), (lane + 1) % 4);
        mine.pop_back();
        if (mine.size() > 80) mine.resize(80);  // lost to nobody: the others still work
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t lane = 0; lane < 4; ++lane) threads.emplace_back(work, lane);
  for (std::thread& thread : threads) thread.join();
  CHECK(twice == 0);
  uint32_t more = 0;
  while (slots.acquire(0) != nullptr) ++more;
  CHECK(more > 0);
  CHECK(slots.size() == kMost);
}

TEST_CASE("calls that end while windows turn over are settled in theirs", "[ledger][threads]") {
  // Each thread has a clock of its own, minutes ahead of and behind the others'.
  Ledger ledger({}, 4);
  const std::vector<AccountSpec> specs = {spec_of("minute", 1000 * kCall, Period::kMinute),
                                          spec_of("total", 10'000'000 * kCall, Period::kTotal)};
  const auto binding = ledger.bind(specs, Time{});
  std::mutex store;
  std::atomic<Micros> settled{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      std::vector<Reservation> open;
      for (int i = 0; i < 5000; ++i) {
        const Time now{std::chrono::seconds{i / 10 + static_cast<int>(random() % 90)}};
        const Draw draws[] = {{0, kCall}, {1, kCall}};
        Attempt attempt = ledger.reserve(draws, binding, now);
        if (attempt.outcome == Attempt::Outcome::kNeedsMark) {
          const std::lock_guard lock(store);
          std::vector<MarkWrite> writes;
          ledger.take_writes(writes);
          for (const MarkWrite& write : writes) ledger.written(write);
        }
        if (attempt.outcome == Attempt::Outcome::kReserved) {
          open.push_back(std::move(attempt.reservation));
        }
        if (open.size() > 20) {
          std::swap(open[random() % open.size()], open.back());
          if (open.back().settle()) settled += kCall;
          open.pop_back();
        }
      }
      for (Reservation& reservation : open) settled += reservation.settle() ? kCall : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto states = ledger.snapshot(Time{std::chrono::hours{1}});
  CHECK(states[1].settled == settled);
  CHECK(states[1].reserved == 0);
  CHECK(states[0].settled + states[0].reserved == 0);  // a later minute
}

}  // namespace
}  // namespace reeve::policy
