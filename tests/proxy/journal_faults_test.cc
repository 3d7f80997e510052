// The record when its disk fails, fills up, blocks or is taken away, and what its three ways of
// keeping a line promise.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <mutex>
#include <thread>

#include "audit_record.h"
#include "proxy/clock.h"

namespace reeve::audit {
namespace {

// What the next calls of the system do.
std::atomic<int> write_error{0}, sync_error{0}, syncs{0};
std::atomic<bool> short_writes{false};
std::timed_mutex blocked;  // held: writes wait

ssize_t faulty_pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  {
    std::lock_guard wait(blocked);
  }
  if (const int error = write_error) {
    // Half of it is written before it fails.
    if (short_writes.exchange(false)) return ::pwrite(fd, bytes, size / 2, offset);
    errno = error;
    return -1;
  }
  return ::pwrite(fd, bytes, size, offset);
}
int faulty_fdatasync(int fd) {
  ++syncs;
  if (const int error = sync_error) {
    errno = error;
    return -1;
  }
  return ::fdatasync(fd);
}
const FileCalls kFaulty{faulty_pwrite, faulty_fdatasync};

struct Bench {
  TempFolder folder;
  std::string path = folder.file("audit.jsonl");
  ~Bench() { write_error = sync_error = 0; }

  std::unique_ptr<Journal> open(AuditSync sync, uint64_t rotate = 0, size_t queue = 1024 * 1024) {
    auto journal = Journal::open({.path = path,
                                  .sync = sync,
                                  .rotate = rotate,
                                  .deadline = std::chrono::milliseconds(300),
                                  .queue_bytes = queue,
                                  .calls = &kFaulty});
    REQUIRE(journal.ok());
    return std::move(*journal);
  }
  VerifyReport verify() const {
    VerifyOptions options;
    options.files = record_files(path);
    return Verifier(options).run();
  }
};

void until(const std::function<bool()>& condition) {
  for (int i = 0; i < 10'000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  REQUIRE(condition());
}

std::future<bool> durable(Journal& journal, const std::string& members = "") {
  auto promise = std::make_shared<std::promise<bool>>();
  const JournalLine line{"decision", members, wall_now()};
  auto future = promise->get_future();
  if (!journal.append_durable({&line, 1}, [promise](bool kept) { promise->set_value(kept); })) {
    promise->set_value(false);
  }
  return future;
}

TEST_CASE("batch: lines are in order, all of them there after a clean end") {
  Bench bench;
  {
    const auto journal = bench.open(AuditSync::kBatch, 64 * 1024);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) journal->append("decision", ",\"call\":\"x\"", wall_now());
      });
    }
    for (auto& thread : threads) thread.join();
    journal->finish();
    CHECK_FALSE(journal->append("stop", "", wall_now()));
  }
  const VerifyReport report = bench.verify();
  CHECK(report.sound());
  CHECK(report.lines == 2000);
}

TEST_CASE("batch: a disk that fails refuses what comes, and loses nothing that was taken") {
  Bench bench;
  uint64_t taken = 0;
  {
    const auto journal = bench.open(AuditSync::kBatch);
    write_error = EIO;
    short_writes = true;
    until([&] {
      taken += journal->append("decision", "", wall_now()) ? 1 : 0;
      return !journal->healthy();
    });
    CHECK_FALSE(journal->append("decision", "", wall_now()));
    write_error = 0;
    until([&] { return journal->healthy(); });
    CHECK(journal->append("decision", "", wall_now()));
  }
  const VerifyReport report = bench.verify();
  CHECK(report.sound());
  CHECK(report.lines == taken + 1);
}

TEST_CASE("batch: a queue that is full refuses, and so does a write that takes too long") {
  Bench bench;
  const auto journal = bench.open(AuditSync::kBatch, 0, 4096);
  std::unique_lock hold(blocked);
  const std::string filler = ",\"target\":\"" + std::string(900, 'x') + "\"";
  uint64_t taken = 0;
  while (journal->append("decision", filler, wall_now())) REQUIRE(++taken < 100);
  CHECK(taken >= 4);
  until([&] { return !journal->healthy(); });
  hold.unlock();
  until([&] { return journal->healthy(); });
  until([&] { return journal->lines() == taken; });
  CHECK(bench.verify().sound());
}

TEST_CASE("call: while one write is stuck others are refused in time, and it goes on after") {
  Bench bench;
  const auto journal = bench.open(AuditSync::kCall);
  std::unique_lock hold(blocked);
  auto stuck =
      std::async(std::launch::async, [&] { return journal->append("decision", "", wall_now()); });
  until([&] { return !journal->healthy(); });
  CHECK_FALSE(journal->append("decision", "", wall_now()));
  CHECK_FALSE(journal->sync_head().ok());
  journal->look_after(wall_now());
  hold.unlock();
  CHECK(stuck.get());
  CHECK(journal->append("decision", "", wall_now()));
  CHECK(journal->healthy());
  CHECK(bench.verify().sound());
}

TEST_CASE("call: after a failure the record says what failed, and is used again without a call") {
  Bench bench;
  const auto journal = bench.open(AuditSync::kCall);
  const int error = GENERATE(EIO, ENOSPC, EROFS);
  REQUIRE(journal->append("decision", "", wall_now()));
  write_error = error;
  short_writes = true;
  CHECK_FALSE(journal->append("decision", "", wall_now()));
  journal->look_after(wall_now());
  CHECK_FALSE(journal->healthy());
  CHECK(lines_of(bench.path).size() == 1);
  write_error = 0;
  journal->look_after(wall_now());
  CHECK(journal->healthy());
  const auto lines = lines_of(bench.path);
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].find("\"kind\":\"audit\"") != std::string::npos);
  CHECK(lines[1].find("\"refused\":1") != std::string::npos);
  CHECK(bench.verify().sound());
}

TEST_CASE("disk: a line counts when it is on the disk, and many share one sync") {
  Bench bench;
  const auto journal = bench.open(AuditSync::kDisk, 64 * 1024);
  std::unique_lock hold(blocked);
  auto first = durable(*journal);
  std::vector<std::future<bool>> others;
  for (int i = 0; i < 100; ++i) others.push_back(durable(*journal));
  const int before = syncs;
  CHECK(first.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  hold.unlock();
  CHECK(first.get());
  for (auto& other : others) CHECK(other.get());
  CHECK(syncs - before <= 3);
  CHECK(bench.verify().lines == 101);
}

TEST_CASE("disk: a sync that fails counts as lost, and what was to be there is written again") {
  Bench bench;
  {
    const auto journal = bench.open(AuditSync::kDisk);
    CHECK(durable(*journal).get());
    sync_error = EIO;
    CHECK_FALSE(durable(*journal).get());
    CHECK_FALSE(journal->healthy());
    CHECK_FALSE(durable(*journal).get());
    // As if the kernel had dropped the page.
    const auto lines = lines_of(bench.path);
    REQUIRE(lines.size() == 2);
    const int fd = ::open(bench.path.c_str(), O_WRONLY);
    const std::string zeros(lines[1].size(), '\0');
    REQUIRE(::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(lines[0].size() + 1)) > 0);
    ::close(fd);
    sync_error = 0;
    until([&] { return journal->healthy(); });
    CHECK(durable(*journal).get());
  }
  const VerifyReport report = bench.verify();
  CHECK(report.sound());
  CHECK(report.lines == 3);
}

TEST_CASE("files are rotated by size, and the chain goes on, also after a crash in between") {
  Bench bench;
  for (int run = 0; run < 3; ++run) {
    const auto journal = bench.open(AuditSync::kCall, 2000);
    for (int i = 0; i < 20; ++i)
      REQUIRE(journal->append("decision", ",\"call\":\"x\"", wall_now()));
  }
  const auto files = record_files(bench.path);
  CHECK(files.size() > 5);
  for (const auto& file : files) CHECK(std::filesystem::file_size(file) <= 2000);
  CHECK(bench.verify().lines == 60);
  // The crash came after the renaming: with and without an empty new file.
  const uint64_t first = read_line(lines_of(bench.path)[0])->seq;
  std::filesystem::rename(bench.path, rotated_path(bench.path, first));
  if (GENERATE(true, false)) std::ofstream(bench.path).flush();
  CHECK(bench.open(AuditSync::kCall)->append("start", "", wall_now()));
  const VerifyReport report = bench.verify();
  CHECK(report.sound());
  CHECK(report.lines == 61);
}

TEST_CASE("a rotation that is not possible refuses nobody") {
  Bench bench;
  const auto journal = bench.open(AuditSync::kCall, 1000);
  REQUIRE(journal->append("decision", "", wall_now()));
  std::filesystem::create_directory(rotated_path(bench.path, 1));  // the name is taken
  for (int i = 0; i < 20; ++i) CHECK(journal->append("decision", "", wall_now()));
  CHECK(lines_of(bench.path).size() == 21);
}

TEST_CASE("a file that others delete, cut, write to or move away is noticed") {
  Bench bench;
  const auto journal = bench.open(AuditSync::kCall);
  for (int i = 0; i < 3; ++i) REQUIRE(journal->append("decision", "", wall_now()));
  SECTION("deleted: the call that meets it is refused, the next line names the gap") {
    std::filesystem::remove(bench.path);
    CHECK_FALSE(journal->append("decision", "", wall_now()));
    CHECK(journal->append("decision", "", wall_now()));
    REQUIRE(lines_of(bench.path).size() == 1);
    CHECK(read_line(lines_of(bench.path)[0])->seq == 4);
  }
  SECTION("cut") {
    std::filesystem::resize_file(bench.path, std::filesystem::file_size(bench.path) - 10);
    CHECK_FALSE(journal->append("decision", "", wall_now()));
    CHECK(journal->append("decision", "", wall_now()));
    CHECK_FALSE(bench.verify().sound());
  }
  SECTION("written to") {
    std::ofstream(bench.path, std::ios::app) << "more\n";
    CHECK_FALSE(journal->append("decision", "", wall_now()));
    CHECK(journal->append("decision", "", wall_now()));
    CHECK_FALSE(bench.verify().sound());
  }
  SECTION("moved away") {
    std::filesystem::rename(bench.path, bench.path + ".old");
    journal->look_after(wall_now());
    CHECK(journal->append("decision", "", wall_now()));
    CHECK(lines_of(bench.path + ".old").size() == 3);
    CHECK(read_line(lines_of(bench.path)[0])->seq == 4);
  }
  SECTION("a FIFO put in its place: refused, nothing hangs") {
    std::filesystem::remove(bench.path);
    REQUIRE(::mkfifo(bench.path.c_str(), 0600) == 0);
    for (int i = 0; i < 3; ++i) CHECK_FALSE(journal->append("decision", "", wall_now()));
    std::filesystem::remove(bench.path);
    CHECK(journal->append("decision", "", wall_now()));
  }
}

TEST_CASE("a file system that becomes read-only refuses, and works again when it is writable") {
  TempFolder folder;
  if (::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=1m") != 0) {
    WARN("mounting is not permitted here: not tested");
    return;
  }
  {
    auto journal = Journal::open({.path = folder.file("audit.jsonl"), .rotate = 1000});
    REQUIRE(journal.ok());
    REQUIRE((*journal)->append("decision", "", wall_now()));
    // A file that is open for writing keeps its file system writable, so the whole of it is moved
    // out of the way: lazily, as an operator would, and what is mounted there then is read-only.
    ::mount("tmpfs", folder.path.c_str(), "tmpfs", MS_RDONLY, "size=1m");
    (*journal)->look_after(wall_now());
    CHECK_FALSE((*journal)->append("decision", "", wall_now()));
    CHECK_FALSE((*journal)->healthy());
    REQUIRE(::umount(folder.path.c_str()) == 0);
    (*journal)->look_after(wall_now());
    CHECK((*journal)->healthy());
    CHECK((*journal)->append("decision", "", wall_now()));
  }
  ::umount2(folder.path.c_str(), MNT_DETACH);
}

TEST_CASE(
    "lines that were sealed and are gone are missed at the start, and the chain goes past them") {
  Bench bench;
  JournalHead sealed;
  {
    const auto journal = bench.open(AuditSync::kCall);
    for (int i = 0; i < 5; ++i) REQUIRE(journal->append("decision", "", wall_now()));
    sealed = *journal->sync_head();
  }
  auto lines = lines_of(bench.path);
  lines.resize(3);
  write_lines(bench.path, lines);
  auto journal = Journal::open({.path = bench.path, .sealed = sealed});
  REQUIRE(journal.ok());
  CHECK((*journal)->lost_from() == 4);
  REQUIRE((*journal)->append("start", ",\"lost\":{\"from\":4,\"to\":5}", wall_now()));
  const VerifyReport report = bench.verify();
  REQUIRE(report.findings.count() == 1);
  CHECK(report.findings.all()[0].fault == Fault::kLost);
}

}  // namespace
}  // namespace reeve::audit
