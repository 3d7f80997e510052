// Checkpoints and the key that signs them: over restarts, torn writes, lost keys and clocks; the
// thread that seals, and what it deletes.
#include <sys/stat.h>

#include <mutex>
#include <thread>

#include "audit_record.h"
#include "proxy/audit/sealer.h"
#include "proxy/clock.h"

namespace reeve::audit {
namespace {

struct Bench {
  TempFolder folder;
  std::string path = folder.file("audit.jsonl");
  std::string key = folder.file("audit.key");
  std::unique_ptr<Sealing> open(int64_t second = 0, int64_t epoch = 10) {
    auto sealing = Sealing::open({.key_file = key,
                                  .checkpoints_file = checkpoints_path(path),
                                  .epoch = std::chrono::seconds(epoch)},
                                 at_second(second));
    REQUIRE(sealing.ok());
    return std::move(*sealing);
  }
  std::vector<std::string> checkpoints() const { return lines_of(checkpoints_path(path)); }
  size_t faults() const {
    Findings findings;
    CheckpointChain chain({}, findings);
    REQUIRE(chain.open(checkpoints_path(path)));
    while (chain.next()) {
    }
    return findings.count();
  }
};

const JournalHead kHead{7, std::string(64, 'a')};

TEST_CASE("a checkpoint is read as it was written, and by nobody's but its key") {
  auto key = SealingKey::create(at_second(0));
  REQUIRE(key.ok());
  Checkpoint c{.seq = 9, .head = std::string(64, 'b'), .time = "2026-11-22T01:02:03.000004Z"};
  c.key = key->public_key();
  c.prev = std::string(kNoPrevious);
  const std::string text = write_checkpoint(c, *key);
  const auto read = read_checkpoint(text);
  REQUIRE(read);
  CHECK(read->seq == 9);
  CHECK(signature_holds(*read));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == '0' ? '1' : '0';
    const auto other = read_checkpoint(changed);
    INFO(changed);
    CHECK((!other || !signature_holds(*other)));
    CHECK_FALSE(read_checkpoint(text.substr(0, i)));
  }
  CHECK(read_checkpoint_in("2026 info " + text + " \r"));
}

TEST_CASE("the key evolves, and nothing of an epoch that is over is in its file") {
  Bench bench;
  auto sealing = bench.open();
  CHECK(sealing->began_anew());
  auto loaded = SealingKey::load(bench.key);
  const SealingKey old = std::move(**loaded);
  std::ifstream in(bench.key);
  const std::string before(std::istreambuf_iterator<char>(in), {});
  for (int i = 0; i < 50; ++i)
    REQUIRE(sealing->seal({static_cast<uint64_t>(i), kHead.hash}, at_second(i)).ok());
  auto again = SealingKey::load(bench.key);
  const SealingKey now = std::move(**again);
  CHECK(now.epoch() > 3);
  CHECK(now.public_key() != old.public_key());
  CHECK(lines_of(bench.key)[2] != before.substr(before.find("seed"), 69));
  struct stat info{};
  REQUIRE(::stat(bench.key.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(bench.faults() == 0);
}

TEST_CASE(
    "sealing goes on after a restart, a torn checkpoint, a crash between key and checkpoint") {
  Bench bench;
  std::filesystem::copy_options over = std::filesystem::copy_options::overwrite_existing;
  bench.open()->seal(kHead, at_second(1)).ok();
  std::filesystem::copy_file(bench.key, bench.key + ".old");
  for (int64_t second = 2; second < 40; second += 3) {
    {
      auto sealing = bench.open(second);
      CHECK_FALSE(sealing->began_anew());
      REQUIRE(sealing->sealed());
      CHECK(sealing->sealed()->seq == 7);
      REQUIRE(sealing->seal(kHead, at_second(second)).ok());
    }
    std::ofstream(checkpoints_path(bench.path), std::ios::app) << "{\"v\":1,\"seq\":";
    // The key's file is that of a backup, epochs older.
    std::filesystem::copy_file(bench.key + ".old", bench.key, over);
  }
  CHECK_FALSE(bench.open(50)->began_anew());
  CHECK(bench.faults() == 0);
}

TEST_CASE("a lost key begins a new one, which only --key makes trusted") {
  Bench bench;
  bench.open()->seal(kHead, at_second(1)).ok();
  std::filesystem::remove(bench.key);
  auto sealing = bench.open(2);
  CHECK(sealing->began_anew());
  REQUIRE(sealing->seal(kHead, at_second(3)).ok());
  CHECK(bench.faults() == 1);
  Findings findings;
  CheckpointChain chain({sealing->public_key(), read_checkpoint(bench.checkpoints()[0])->key},
                        findings);
  REQUIRE(chain.open(checkpoints_path(bench.path)));
  while (chain.next()) {
  }
  CHECK(findings.count() == 0);
}

TEST_CASE("what is no key is refused, never overwritten") {
  Bench bench;
  std::ofstream(bench.key) << "hello\n";
  auto sealing =
      Sealing::open({.key_file = bench.key, .checkpoints_file = bench.path}, at_second(0));
  REQUIRE_FALSE(sealing.ok());
  CHECK(sealing.error().message.find("no sealing key") != std::string::npos);
  CHECK(lines_of(bench.key)[0] == "hello");
}

TEST_CASE("the sealer seals what is written while it is written, and all of it at its end") {
  Bench bench;
  auto journal = Journal::open({.path = bench.path, .rotate = 64 * 1024});
  REQUIRE(journal.ok());
  std::mutex mutex;
  std::vector<std::string> anchors;
  {
    Sealer sealer(**journal, bench.open(),
                  {.path = bench.path, .anchor = [&](const std::string& line) {
                     std::lock_guard lock(mutex);
                     anchors.push_back(line);
                   }});
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 3000; ++i) {
          (*journal)->append("decision", ",\"call\":\"x\"", wall_now());
          if (i % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(60));
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  REQUIRE(anchors.size() >= 2);
  CHECK(anchors == bench.checkpoints());
  VerifyOptions options;
  options.files = record_files(bench.path);
  options.checkpoints = checkpoints_path(bench.path);
  const VerifyReport report = Verifier(options).run();
  CHECK(report.sound());
  CHECK(report.sealed_seq == 9000);
}

TEST_CASE("files older than `keep` go, oldest first, once they are sealed, and verify knows") {
  Bench bench;
  auto journal = Journal::open({.path = bench.path, .rotate = 2000});
  REQUIRE(journal.ok());
  for (int i = 0; i < 60; ++i)
    REQUIRE((*journal)->append("decision", ",\"call\":\"x\"", wall_now()));
  const auto files = rotated_files(bench.path);
  REQUIRE(files.size() > 5);
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(48);
  for (size_t i = 0; i < 3; ++i) std::filesystem::last_write_time(files[i].path, old);
  // Sealed by another sealer before, so that the first look may delete.
  {
    Sealer first(**journal, bench.open(), {.path = bench.path});
  }
  CHECK(rotated_files(bench.path).size() == files.size());
  {
    Sealer sealer(**journal, bench.open(), {.path = bench.path, .keep = std::chrono::hours(24)});
    for (int i = 0; i < 5000 && rotated_files(bench.path).size() + 3 > files.size(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  const auto left = rotated_files(bench.path);
  REQUIRE(left.size() + 3 == files.size());
  CHECK(left[0].path == files[3].path);
  VerifyOptions options;
  options.files = record_files(bench.path);
  options.checkpoints = checkpoints_path(bench.path);
  CHECK(Verifier(options).run().sound());
  // One more that goes without a checkpoint is missed.
  std::filesystem::remove(left[0].path);
  options.files = record_files(bench.path);
  CHECK(Verifier(options).run().findings.all()[0].fault == Fault::kMissingFile);
}

}  // namespace
}  // namespace reeve::audit
