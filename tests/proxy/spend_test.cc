// The treasury: memory first, the store when it must, and what happens when the store is slow,
// broken or killed. Stores here are a map behind a gate, or real SQLite files.
#include "proxy/spend.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <future>
#include <map>
#include <string>
#include <thread>

#include "proxy/store/sqlite_store.h"

namespace reeve {
namespace {

namespace asio = boost::asio;
using policy::AccountSpec;
using policy::Draw;
using policy::Micros;
using policy::Reservation;
using policy::Time;

constexpr Micros kCall = policy::kMicrosPerUnit;
constexpr std::chrono::milliseconds kNever{1'000'000'000};  // no account is ever quiet

AccountSpec calls_per_day(std::string budget, int64_t limit) {
  AccountSpec spec;
  spec.budget = std::move(budget);
  spec.scope = "everyone";
  spec.unit = policy::Unit::kCalls;
  spec.limit = limit * kCall;
  return spec;
}

// What a test knows of its store; outlives it.
struct Shelf {
  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  std::map<policy::AccountKey, policy::Mark> marks;
  int writes = 0;
  bool closed = false;  // persist() waits while it is
  bool broken = false;  // persist() fails while it is

  void set(bool Shelf::* what, bool value) {
    const std::lock_guard lock(mutex);
    this->*what = value;
    changed.notify_all();
  }
  int write_count() {
    const std::lock_guard lock(mutex);
    return writes;
  }
  // Waits until the only mark is `mark`.
  void wait_for_mark(Micros mark) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return marks.size() == 1 && marks.begin()->second.mark == mark; });
  }
};

class ShelfStore : public store::Store {
 public:
  explicit ShelfStore(Shelf& shelf) : shelf_(shelf) {}

  Result<std::vector<policy::Mark>> load() override {
    const std::lock_guard lock(shelf_.mutex);
    std::vector<policy::Mark> marks;
    for (const auto& [key, mark] : shelf_.marks) marks.push_back(mark);
    return marks;
  }

  Result<store::Done> persist(std::span<const policy::MarkWrite> writes) override {
    std::unique_lock lock(shelf_.mutex);
    ++shelf_.writes;
    shelf_.changed.notify_all();
    shelf_.changed.wait(lock, [this] { return !shelf_.closed; });
    if (shelf_.broken) return Error{"the shelf is broken"};
    for (const policy::MarkWrite& write : writes) {
      const policy::AccountKey& key = write.account->key();
      shelf_.marks[key] = {key, write.window, write.mark};
    }
    shelf_.changed.notify_all();
    return store::Done{};
  }

 private:
  Shelf& shelf_;
};

std::unique_ptr<Treasury> treasury_on(Shelf& shelf, std::chrono::milliseconds quiet = kNever) {
  auto treasury = Treasury::open(std::make_unique<ShelfStore>(shelf), {.quiet = quiet});
  REQUIRE(treasury);
  return std::move(*treasury);
}

net::Task<void> reserve_into(Treasury& treasury, const Treasury::Binding& binding, Micros amount,
                             std::optional<Treasury::Outcome>& outcome) {
  const Draw draw{0, amount};
  outcome.emplace(co_await treasury.reserve({&draw, 1}, binding, Time{}));
}

// One reservation on a loop of its own, to its end.
Treasury::Outcome reserve(Treasury& treasury, const Treasury::Binding& binding, Micros amount) {
  asio::io_context loop;
  std::optional<Treasury::Outcome> outcome;
  net::spawn(loop, reserve_into(treasury, binding, amount, outcome));
  loop.run();
  REQUIRE(outcome);
  return std::move(*outcome);
}

TEST_CASE("a slice is written before it is used, then memory serves", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const AccountSpec specs[] = {calls_per_day("b", 800)};
  const auto binding = treasury->bind(specs, Time{});
  const Draw draw{0, kCall};

  CHECK(!treasury->try_reserve({&draw, 1}, binding, Time{}));
  auto first = reserve(*treasury, binding, kCall);
  REQUIRE(first);
  const int writes = shelf.write_count();
  CHECK(writes >= 1);
  for (int i = 0; i < 20; ++i) {
    auto next = treasury->try_reserve({&draw, 1}, binding, Time{});
    REQUIRE((next && next->ok()));
    (*next)->mark_sent();  // and settled in full by its end
  }
  CHECK(shelf.write_count() == writes);
  CHECK(first->settle());
  const auto states = treasury->snapshot(Time{});
  REQUIRE(states.size() == 1);
  CHECK(states[0].settled == 21 * kCall);
  CHECK(states[0].reserved == 0);
  CHECK(!treasury->trouble());
}

TEST_CASE("over budget says which, how much and until when", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  AccountSpec spec = calls_per_day("support", 10);
  spec.unit = policy::Unit::kMoney;
  spec.currency = "USD";
  spec.scope = "team:it";
  const auto binding = treasury->bind({&spec, 1}, Time{});
  auto held = reserve(*treasury, binding, 9'500'000);
  REQUIRE(held);

  const auto refused = reserve(*treasury, binding, 750'000);
  REQUIRE(!refused);
  const SpendRefusal& refusal = refused.error();
  CHECK(refusal.kind == SpendRefusal::Kind::kOverBudget);
  CHECK(refusal.budget == "support");
  CHECK(refusal.scope == "team:it");
  CHECK(refusal.currency == "USD");
  CHECK(refusal.limit == 10 * kCall);
  CHECK(refusal.used == 9'500'000);
  CHECK(refusal.asked == 750'000);
  CHECK(refusal.resets == Time{std::chrono::hours{24}});
  CHECK(refusal.message ==
        "budget `support` (team:it) has used 9.5 of 10 USD per day, this call may take 0.75; it "
        "resets at 1970-01-02T00:00:00Z");
}

TEST_CASE("a draw on no account is refused, never free", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const auto refused = reserve(*treasury, {}, kCall);
  REQUIRE(!refused);
  CHECK(refused.error().kind == SpendRefusal::Kind::kUnavailable);
}

TEST_CASE("a store that fails refuses, and serves again when it is well", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const AccountSpec specs[] = {calls_per_day("b", 100)};
  const auto binding = treasury->bind(specs, Time{});
  shelf.set(&Shelf::broken, true);
  for (int i = 0; i < 3; ++i) {
    const auto refused = reserve(*treasury, binding, kCall);
    REQUIRE(!refused);
    CHECK(refused.error().kind == SpendRefusal::Kind::kUnavailable);
    CHECK(refused.error().message == "the shelf is broken");
    CHECK(treasury->trouble() == "the shelf is broken");
  }
  CHECK(treasury->snapshot(Time{})[0].reserved == 0);
  shelf.set(&Shelf::broken, false);
  CHECK(reserve(*treasury, binding, kCall));
  CHECK(!treasury->trouble());
}

TEST_CASE("an end that cannot be written is an error", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const AccountSpec specs[] = {calls_per_day("b", 100)};
  const auto binding = treasury->bind(specs, Time{});
  CHECK(reserve(*treasury, binding, kCall));
  shelf.set(&Shelf::broken, true);
  const auto done = treasury->stop();
  REQUIRE(!done);
  CHECK(done.error().message == "the shelf is broken");
}

TEST_CASE("64 at once against a cap of 100: exactly 100", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const AccountSpec specs[] = {calls_per_day("b", 100)};
  const auto binding = treasury->bind(specs, Time{});
  std::atomic<int> passed{0};
  std::atomic<int> refused{0};
  const auto client = [](Treasury& from, const Treasury::Binding& to, std::atomic<int>& good,
                         std::atomic<int>& bad) -> net::Task<void> {
    for (int i = 0; i < 5; ++i) {
      const Draw draw{0, kCall};
      auto outcome = co_await from.reserve({&draw, 1}, to, Time{});
      if (outcome) outcome->mark_sent();
      outcome ? ++good : ++bad;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      asio::io_context loop(1);
      for (int i = 0; i < 16; ++i) {
        net::spawn(loop, client(*treasury, binding, passed, refused));
      }
      loop.run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(passed == 100);
  CHECK(refused == 64 * 5 - 100);
  REQUIRE(treasury->stop());
  CHECK(shelf.marks.begin()->second.mark == 100 * kCall);
}

TEST_CASE("a quiet account gives back what it does not use; a restart counts the rest", "[spend]") {
  Shelf shelf;
  const AccountSpec specs[] = {calls_per_day("b", 100)};
  {
    const auto treasury = treasury_on(shelf, std::chrono::milliseconds(1));
    const auto binding = treasury->bind(specs, Time{});
    auto held = reserve(*treasury, binding, 10 * kCall);
    REQUIRE(held);
    shelf.wait_for_mark(10 * kCall);
    CHECK(held->settle({.money = {}, .calls = 3 * kCall, .tokens = {}}));
    shelf.wait_for_mark(3 * kCall);
  }
  const auto treasury = treasury_on(shelf);
  (void)treasury->bind(specs, Time{});
  CHECK(treasury->snapshot(Time{})[0].settled == 3 * kCall);
}

TEST_CASE("what is forgotten is charged, and budgets that run out are told of", "[spend]") {
  Shelf shelf;
  using std::chrono::milliseconds;
  auto opened = Treasury::open(
      std::make_unique<ShelfStore>(shelf),
      {.quiet = milliseconds(1), .ttl = milliseconds(1), .ttl_check = milliseconds(1)});
  REQUIRE(opened);
  Treasury& treasury = **opened;
  std::promise<std::string> heard;
  std::atomic<bool> told{false};
  treasury.listen([&](const policy::Notice& notice) {
    if (notice.kind != policy::Notice::Kind::kSpent || told.exchange(true)) return;
    heard.set_value(notice.account->key().budget);
  });
  AccountSpec spec = calls_per_day("b", 10);
  spec.period = policy::Period::kTotal;
  const auto binding = treasury.bind({&spec, 1}, Time{});
  auto forgotten = reserve(treasury, binding, 10 * kCall);
  REQUIRE(forgotten);
  CHECK(heard.get_future().get() == "b");
  while (forgotten->open()) std::this_thread::yield();
  CHECK_FALSE(forgotten->release());
  CHECK(treasury.snapshot(Time{})[0].settled == 10 * kCall);
}

TEST_CASE("who waits at the end is refused", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const AccountSpec specs[] = {calls_per_day("b", 100)};
  const auto binding = treasury->bind(specs, Time{});
  shelf.set(&Shelf::closed, true);
  shelf.set(&Shelf::broken, true);

  asio::io_context loop;
  std::vector<std::optional<Treasury::Outcome>> outcomes(8);
  for (auto& outcome : outcomes) {
    net::spawn(loop, reserve_into(*treasury, binding, kCall, outcome));
  }
  loop.poll();  // all wait for the store
  for (const auto& outcome : outcomes) CHECK(!outcome);
  auto stopped = std::async(std::launch::async, [&treasury] { return treasury->stop(); });
  shelf.set(&Shelf::closed, false);
  loop.run();
  for (const auto& outcome : outcomes) {
    REQUIRE(outcome);
    REQUIRE(!*outcome);
    CHECK(outcome->error().kind == SpendRefusal::Kind::kUnavailable);
  }
  CHECK(!stopped.get());
  const auto late = reserve(*treasury, binding, kCall);
  REQUIRE(!late);
  CHECK(late.error().kind == SpendRefusal::Kind::kUnavailable);
}

TEST_CASE("loops that end while their calls wait take nothing with them", "[spend]") {
  Shelf shelf;
  const auto treasury = treasury_on(shelf);
  const AccountSpec specs[] = {calls_per_day("b", 100)};
  const auto binding = treasury->bind(specs, Time{});
  shelf.set(&Shelf::closed, true);
  asio::io_context loop;
  std::optional<Treasury::Outcome> outcome;
  net::spawn(loop, reserve_into(*treasury, binding, kCall, outcome));
  loop.poll();
  loop.stop();
  shelf.set(&Shelf::closed, false);
  CHECK(treasury->stop());
  CHECK(!outcome);
  CHECK(treasury->snapshot(Time{})[0].reserved == 0);
}

// ---------------------------------------------------------------------------------------------

// A process that reserves and "calls upstream" (a byte into the pipe) until its cap or its death.
[[noreturn]] void spend_until_killed(const std::string& path, std::span<const AccountSpec> specs,
                                     int upstream) {
  auto store = store::SqliteStore::open(path);
  if (!store) ::_exit(2);
  auto treasury = Treasury::open(std::move(*store));
  if (!treasury) ::_exit(3);
  const auto binding = (*treasury)->bind(specs, Time{});
  asio::io_context loop;
  while (true) {
    std::optional<Treasury::Outcome> outcome;
    loop.restart();
    net::spawn(loop, reserve_into(**treasury, binding, kCall, outcome));
    loop.run();
    if (!outcome || !*outcome) ::_exit(outcome ? 0 : 4);
    (*outcome)->mark_sent();
    if (::write(upstream, "x", 1) != 1) ::_exit(5);
  }
}

TEST_CASE("kill -9 at any moment: the cap holds over all lives", "[spend][kill]") {
  std::string name = (std::filesystem::temp_directory_path() / "reeve-spend-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::string path = name + "/ledger.db";
  constexpr int64_t kLimit = 2000;
  const AccountSpec specs[] = {calls_per_day("b", kLimit)};

  int64_t calls = 0;
  int lives = 0;
  bool capped = false;
  for (; lives < 100 && !capped; ++lives) {
    int upstream[2];
    REQUIRE(::pipe(upstream) == 0);
    const pid_t child = ::fork();
    if (child == 0) spend_until_killed(path, specs, upstream[1]);
    ::close(upstream[1]);
    // Killed after a number of calls that differs from life to life.
    char byte;
    int64_t seen = 0;
    while (seen < (lives * 37) % 101 + 1 && ::read(upstream[0], &byte, 1) == 1) ++seen;
    ::kill(child, SIGKILL);
    while (::read(upstream[0], &byte, 1) == 1) ++seen;
    ::close(upstream[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    capped = WIFEXITED(status);
    if (capped) CHECK(WEXITSTATUS(status) == 0);
    calls += seen;

    // The file never knows of less than what left.
    auto store = store::SqliteStore::open(path);
    REQUIRE(store);
    const auto marks = (*store)->load();
    REQUIRE(marks);
    const Micros mark = marks->empty() ? 0 : marks->front().mark;
    CHECK(mark >= calls * kCall);
    CHECK(mark <= kLimit * kCall);
  }
  CHECK(capped);
  CHECK(calls <= kLimit);
  CHECK(calls > 0);
  CHECK(lives > 5);
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace reeve
