// Tasks: what comes out of them, in which order they end, and what they take with them.
#include "proxy/net/task.h"

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/asio.h"
#include "proxy/net/loop.h"

namespace reeve::net {
namespace {

Task<int> number(int value) { co_return value; }
Task<std::unique_ptr<int>> owned(int value) { co_return std::make_unique<int>(value); }
Task<int> failing() {
  throw std::runtime_error("no");
  co_return 0;
}

Task<void> sum(int& total) {
  total += co_await number(1);
  total += *co_await owned(2);
  try {
    total += co_await failing();
  } catch (const std::runtime_error&) {
    total += 4;
  }
}

TEST_CASE("results and exceptions come out of the await") {
  asio::io_context context;
  int total = 0;
  bool failed = true;
  spawn(context, sum(total), [&](const std::exception_ptr& why) { failed = why != nullptr; });
  CHECK(total == 0);  // not before the loop runs
  context.run();
  CHECK(total == 7);
  CHECK_FALSE(failed);
}

Task<void> throws_at_last(Timer& timer) {
  ErrorCode ec;
  co_await timer.async_wait(asio::redirect_error(kAwait, ec));
  throw std::runtime_error("at last");
}

TEST_CASE("what a spawned task throws is told at its end") {
  asio::io_context context;
  Timer timer(context, std::chrono::milliseconds(1));
  std::string told;
  spawn(context, throws_at_last(timer), [&](const std::exception_ptr& why) {
    try {
      if (why) std::rethrow_exception(why);
    } catch (const std::runtime_error& e) {
      told = e.what();
    }
  });
  context.run();
  CHECK(told == "at last");
}

Task<int> deep(int left) {
  if (left == 0) co_return 0;
  co_return 1 + co_await deep(left - 1);
}

Task<void> many(int rounds, int& sum) {
  for (int i = 0; i < rounds; ++i) sum += co_await number(1);
}

TEST_CASE("chains of any depth and loops of any length need no stack") {
  constexpr int kDeep = 200'000;  // some 100 MB of stack if each resumed within the other
  asio::io_context context;
  int depth = 0, rounds = 0;
  const auto measure = [](int& into) -> Task<void> { into = co_await deep(kDeep); };
  spawn(context, measure(depth));
  spawn(context, many(1'000'000, rounds));
  context.run();
  CHECK(depth == kDeep);
  CHECK(rounds == 1'000'000);
}

// Tells when it is destroyed.
struct Mark {
  std::vector<int>& marks;
  int number;
  ~Mark() { marks.push_back(number); }
};

Task<void> inner(Waits& waits, std::vector<int>& marks) {
  const Mark mark{marks, 1};
  co_await Waiting(waits);
  marks.push_back(100);
}
Task<void> outer(Waits& waits, std::vector<int>& marks) {
  const Mark mark{marks, 2};
  co_await inner(waits, marks);
  marks.push_back(200);
}

TEST_CASE("a list that ends takes the chains that wait in it along, inside out") {
  asio::io_context context;
  std::vector<int> marks;
  bool told = false;
  {
    Waits waits;
    spawn(context, outer(waits, marks), [&](const std::exception_ptr&) { told = true; });
    context.run();
    CHECK_FALSE(waits.empty());
    CHECK(marks.empty());
  }
  CHECK(marks == std::vector<int>{1, 2});
  CHECK_FALSE(told);
}

Task<void> wait_for(Timer& timer, std::vector<int>& marks) {
  const Mark mark{marks, 3};
  co_await timer.async_wait(kAwait);
  marks.push_back(300);
}

TEST_CASE("a context that ends takes along what waits for its operations, or has not begun") {
  std::vector<int> marks;
  {
    asio::io_context context;
    Timer timer(context, std::chrono::hours(1));
    spawn(context, wait_for(timer, marks));
    context.poll();
    CHECK(marks.empty());
    Waits unused;
    spawn(context, outer(unused, marks));  // never begun: its frame is given back
  }
  CHECK(marks == std::vector<int>{3});
}

TEST_CASE("an operation's error is thrown, or told where it was asked for") {
  asio::io_context context;
  std::string seen;
  const auto both = [](asio::io_context& on, std::string& told) -> Task<void> {
    Timer timer(on, std::chrono::hours(1));
    asio::post(on, [&timer] { timer.cancel(); });
    ErrorCode ec;
    co_await timer.async_wait(asio::redirect_error(kAwait, ec));
    if (ec == asio::error::operation_aborted) told += "told ";
    asio::post(on, [&timer] { timer.cancel(); });
    try {
      co_await timer.async_wait(kAwait);
    } catch (const boost::system::system_error&) {
      told += "thrown";
    }
  };
  spawn(context, both(context, seen));
  context.run();
  CHECK(seen == "told thrown");
}

TEST_CASE("frames are used again, and only so many are kept") {
  if (!Frames::kKeeps) return;
  bool again = false, large_kept = true;
  size_t most = 0;
  std::thread([&] {  // with lists of its own
    void* const frame = Frames::take(300);
    Frames::give(frame, 300);
    again = Frames::kept_bytes() > 0 && Frames::take(310) == frame && Frames::kept_bytes() == 0;
    Frames::give(frame, 310);

    std::vector<void*> all;
    for (size_t i = 0; i < 2 * Frames::kMostBytes / 1024; ++i) all.push_back(Frames::take(1024));
    for (void* const one : all) Frames::give(one, 1024);
    most = Frames::kept_bytes();

    Frames::give(Frames::take(1024), 1024);
    Frames::give(Frames::take(Frames::kLargest + 1), Frames::kLargest + 1);
    large_kept = Frames::kept_bytes() != most;
  })
      .join();
  CHECK(again);
  CHECK(most <= Frames::kMostBytes);
  CHECK(most > Frames::kMostBytes / 2);
  CHECK_FALSE(large_kept);
}

TEST_CASE("a frame may be given back on another thread, which ends") {
  void* const frame = Frames::take(256);
  std::thread([frame] { Frames::give(frame, 256); }).join();
  // Nothing to see but a leak or a double free, for the sanitizers.
  SUCCEED();
}

}  // namespace
}  // namespace reeve::net
