// kill -9 at named points of a call and of its store's writes, with the real SQLite: what left is
// never forgotten, nothing is charged twice, nothing stays reserved, and the cap holds.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "proxy/spend.h"
#include "proxy/store/sqlite_store.h"
#include "tests/support/faulty_vfs.h"

namespace reeve {
namespace {

namespace asio = boost::asio;
using policy::Micros;
using policy::Time;

constexpr Micros kCall = policy::kMicrosPerUnit;
constexpr int64_t kLimit = 80;
constexpr Micros kSlice = kLimit * kCall / 8;
// A call may cost less than it reserved: half, when it is answered.
constexpr Micros kReserved = 2 * kCall;

struct Point {
  const char* name;  // of the call: reserve, reserved, sent, accepted, streaming, settled, stopped;
                     // of the store: write, torn, written, sync, synced
  int nth;
};

// In the child: dies when the n-th time at this point.
Point fatal{"", 0};
int seen = 0;
void at(const char* name) {
  if (std::strcmp(name, fatal.name) == 0 && ++seen == fatal.nth) ::raise(SIGKILL);
}

policy::AccountSpec cap() {
  policy::AccountSpec spec;
  spec.budget = "cap";
  spec.scope = "everyone";
  spec.unit = policy::Unit::kCalls;
  spec.limit = kLimit * kCall;
  return spec;
}

net::Task<void> reserve_into(Treasury& treasury, const Treasury::Binding& binding,
                             std::optional<Treasury::Outcome>& outcome) {
  const policy::Draw draw{0, kReserved};
  outcome.emplace(co_await treasury.reserve({&draw, 1}, binding, Time{}));
}

// Calls until the cap, or until the end of the process. A byte into the pipe is a call that the
// upstream accepted, a second one that it ended, which alone makes it cheaper.
[[noreturn]] void live(const std::string& path, int upstream, std::chrono::milliseconds quiet) {
  auto store = store::SqliteStore::open(path, store::faulty_vfs());
  if (!store) ::_exit(2);
  store::faults.at = at;
  auto treasury = Treasury::open(std::move(*store), {.quiet = quiet});
  if (!treasury) ::_exit(3);
  const policy::AccountSpec spec = cap();
  const auto binding = (*treasury)->bind({&spec, 1}, Time{});
  asio::io_context loop;
  while (true) {
    at("reserve");
    std::optional<Treasury::Outcome> outcome;
    loop.restart();
    net::spawn(loop, reserve_into(**treasury, binding, outcome));
    loop.run();
    if (!outcome) ::_exit(4);
    if (!*outcome) break;
    at("reserved");
    (*outcome)->mark_sent();
    at("sent");
    if (::write(upstream, "c", 1) != 1) ::_exit(5);
    at("accepted");
    at("streaming");
    if (::write(upstream, "e", 1) != 1) ::_exit(6);
    if (!(*outcome)->settle({.money = {}, .calls = kCall, .tokens = {}})) ::_exit(7);
    at("settled");
  }
  if (!(*treasury)->stop()) ::_exit(8);
  at("stopped");
  ::_exit(0);
}

// What the upstream saw of one life.
struct Seen {
  int64_t calls = 0;
  int64_t ended = 0;
  int status = 0;
};

Seen live_and_die(const std::string& path, std::chrono::milliseconds quiet) {
  int upstream[2];
  REQUIRE(::pipe(upstream) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(upstream[0]);
    live(path, upstream[1], quiet);
  }
  ::close(upstream[1]);
  Seen seen_here;
  char byte = 0;
  while (::read(upstream[0], &byte, 1) == 1) ++(byte == 'c' ? seen_here.calls : seen_here.ended);
  ::close(upstream[0]);
  ::waitpid(child, &seen_here.status, 0);
  return seen_here;
}

Micros mark_in(const std::string& path) {
  auto store = store::SqliteStore::open(path);
  REQUIRE(store);
  const auto marks = (*store)->load();
  REQUIRE(marks);
  return marks->empty() ? 0 : marks->front().mark;
}

TEST_CASE("kill -9 at each named point: nothing lost, nothing twice", "[spend][kill]") {
  const Point points[] = {
      {"reserve", 1}, {"reserve", 9},  {"reserved", 1}, {"reserved", 12}, {"sent", 1},
      {"sent", 20},   {"accepted", 1}, {"accepted", 7}, {"streaming", 3}, {"streaming", 30},
      {"settled", 1}, {"settled", 15}, {"write", 1},    {"write", 4},     {"write", 9},
      {"torn", 1},    {"torn", 5},     {"torn", 10},    {"written", 1},   {"written", 6},
      {"sync", 1},    {"sync", 3},     {"synced", 1},   {"synced", 3},    {"stopped", 1}};
  for (const int64_t quiet : {1, 1'000'000}) {
    for (const Point& point : points) {
      CAPTURE(point.name, point.nth, quiet);
      std::string name = (std::filesystem::temp_directory_path() / "reeve-kill-XXXXXX").string();
      REQUIRE(::mkdtemp(name.data()) != nullptr);
      const std::string path = name + "/ledger.db";
      REQUIRE(store::SqliteStore::open(path));

      fatal = point;
      const std::chrono::milliseconds pace(quiet);
      const Seen first = live_and_die(path, pace);
      CHECK(WIFSIGNALED(first.status));
      // What left is known: in full, or what it cost if it was answered.
      const Micros least = first.ended * kCall + (first.calls - first.ended) * kReserved;
      const Micros mark = mark_in(path);
      CHECK(mark >= least);
      // What is counted beyond that was written ahead: a slice and the call that asked for it.
      CHECK(mark <= least + kSlice + kReserved);

      fatal = {"", 0};
      const Seen second = live_and_die(path, pace);
      REQUIRE(WIFEXITED(second.status));
      CHECK(WEXITSTATUS(second.status) == 0);
      CHECK(second.calls == second.ended);
      // The rest is spent to the last call that fits, and not one more.
      CHECK(mark_in(path) == mark + second.calls * kCall);
      CHECK(mark_in(path) <= kLimit * kCall);
      CHECK(mark_in(path) > kLimit * kCall - kReserved);
      std::filesystem::remove_all(name);
    }
  }
}

}  // namespace
}  // namespace reeve
