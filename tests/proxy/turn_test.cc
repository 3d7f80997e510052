// The lines that the calls of one turn write together: before which moment they are with the
// kernel, and what their callers learn when the disk is full.
#include "proxy/turn.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include "proxy/clock.h"

namespace reeve {
namespace {

namespace asio = boost::asio;

struct Bench {
  explicit Bench(AuditSync sync = AuditSync::kCall) {
    std::string name = (std::filesystem::temp_directory_path() / "reeve-turn-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    auto opened = Journal::open({.path = file(), .sync = sync});
    REQUIRE(opened);
    journal = std::move(*opened);
    turn.emplace(*journal, context);
  }
  ~Bench() { std::filesystem::remove_all(folder); }
  std::string file() const { return (folder / "audit.jsonl").string(); }
  std::string text() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t lines() const {
    const std::string all = text();
    return static_cast<size_t>(std::count(all.begin(), all.end(), '\n'));
  }
  // A call that records its decision, looks at the file, and records its outcome.
  net::Task<void> call(size_t number) {
    const Turn::Call under_way(*turn);
    const std::string members = ",\"call\":\"" + std::to_string(number) + "\"";
    const bool written = co_await turn->record("decision", members, wall_now());
    if (!written) ++refused;
    if (written && text().find(members) == std::string::npos) ++too_early;
    if (written) turn->record_soon("outcome", members, wall_now());
  }
  void run(size_t calls) {
    std::optional<Turn::Call> another;
    if (calls > 1) another.emplace(*turn);  // nobody is alone
    for (size_t i = 0; i < calls; ++i) net::spawn(context, call(i));
    context.run();
    context.restart();
  }

  std::filesystem::path folder;
  asio::io_context context{1};
  std::unique_ptr<Journal> journal;
  std::optional<Turn> turn;
  size_t refused = 0, too_early = 0;
};

TEST_CASE("a call goes on when its line is with the kernel, alone or with others") {
  const size_t calls = GENERATE(1, 2, 64, 1000);  // 1000: more than one write takes
  const AuditSync sync = GENERATE(AuditSync::kCall, AuditSync::kDisk);
  Bench bench(sync);
  bench.run(calls);
  bench.journal->finish();
  CHECK(bench.too_early == 0);
  CHECK(bench.refused == 0);
  CHECK(bench.lines() == 2 * calls);
  CHECK(bench.journal->lines() == 2 * calls);
}

TEST_CASE("sync: disk: who waits for a disk that fails is refused, also when it is stuck or ends") {
  static std::atomic<int> mode;
  static std::timed_mutex stuck;
  static const FileCalls kFaulty{::pwrite, [](int fd) {
                                   {
                                     std::lock_guard wait(stuck);
                                   }
                                   errno = EIO;
                                   return mode == 1 ? -1 : ::fdatasync(fd);
                                 }};
  Bench bench;
  bench.turn.reset();
  auto opened = Journal::open({.path = bench.file(),
                               .sync = AuditSync::kDisk,
                               .deadline = std::chrono::milliseconds(200),
                               .calls = &kFaulty});
  REQUIRE(opened);
  bench.journal = std::move(*opened);
  bench.turn.emplace(*bench.journal, bench.context);
  std::unique_lock hold(stuck, std::defer_lock);
  mode = GENERATE(1, 2);
  if (mode == 2) hold.lock();
  bench.run(8);
  CHECK(bench.refused == 8);
  // The call's own patience may have ended a moment before the journal's.
  const Steady patience = steady_now() + std::chrono::seconds(20);
  while (bench.journal->healthy() && steady_now() < patience) std::this_thread::yield();
  CHECK_FALSE(bench.journal->healthy());
  bench.turn.reset();  // before the journal's thread says what became of the lines
  if (mode == 2) hold.unlock();
  bench.journal.reset();
}

TEST_CASE("lines that were written together are read back as one chain") {
  Bench bench;
  bench.run(64);
  bench.turn.reset();
  bench.journal.reset();
  auto again = Journal::open(bench.file());
  REQUIRE(again);
  CHECK_FALSE((*again)->found_torn_line());
  CHECK((*again)->append("start", "", wall_now()));
  CHECK(bench.text().find("\"seq\":129,") != std::string::npos);
}

TEST_CASE("calls whose lines did not fit on the disk are refused, and the file holds whole lines") {
  Bench bench;
  bench.run(8);
  const std::string before = bench.text();
  struct rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const struct rlimit full{before.size() + 700, limit.rlim_max};  // some lines, and no more
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
  bench.run(8);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(bench.refused == 8);
  CHECK(bench.text() == before);
  CHECK_FALSE(bench.journal->healthy());
  bench.run(8);
  CHECK(bench.refused == 8);
  CHECK(bench.lines() == 32);
}

}  // namespace
}  // namespace reeve
