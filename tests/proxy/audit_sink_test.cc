// Sinks of the record: what a receiver gets whatever happens to it, to the record's files and to
// the sidecar; and who waits for those that are required.
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "audit_record.h"
#include "proxy/audit/sink.h"
#include "proxy/audit/sinks.h"
#include "proxy/clock.h"

namespace reeve::audit {
namespace {

void until(const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  REQUIRE(condition());
}

// What was delivered, and what the next deliveries do.
struct Received {
  std::mutex mutex;
  std::vector<std::string> lines;
  std::vector<size_t> sizes;
  std::atomic<bool> fails{false}, hangs{false};
  std::atomic<size_t> most{SIZE_MAX};  // more at once is too large
  std::atomic<int> tries{0};

  std::vector<std::string> all() {
    std::lock_guard lock(mutex);
    return lines;
  }
  size_t count() { return all().size(); }
};

class Fake final : public Receiver {
 public:
  explicit Fake(Received& to) : to_(to) {}
  Result<bool, DeliveryFailure> deliver(const Delivery& delivery,
                                        const std::atomic<bool>& stop) override {
    ++to_.tries;
    while (to_.hangs && !stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (to_.fails || to_.hangs) return DeliveryFailure{"told to", false};
    if (delivery.lines.size() > to_.most) return DeliveryFailure{"too many", true};
    std::lock_guard lock(to_.mutex);
    to_.sizes.push_back(delivery.lines.size());
    for (const std::string_view line : delivery.lines) to_.lines.emplace_back(line);
    return true;
  }

 private:
  Received& to_;
};

struct Bench {
  TempFolder folder;
  std::string path = folder.file("audit.jsonl");
  Received received;
  std::unique_ptr<Journal> journal = open_journal();

  std::unique_ptr<Journal> open_journal() {
    auto opened = Journal::open({.path = path, .rotate = 2000});
    REQUIRE(opened.ok());
    return std::move(*opened);
  }
  std::unique_ptr<Sink> open(SinkConfig config = {}) {
    config.name = "x";
    const uint64_t sealed = std::filesystem::exists(path + ".checkpoints")
                                ? std::filesystem::file_size(path + ".checkpoints")
                                : 0;
    auto sink = Sink::open({.config = config,
                            .record = path,
                            .position_file = folder.file("x"),
                            .look = std::chrono::milliseconds(1),
                            .first_pause = std::chrono::milliseconds(1),
                            .last_pause = std::chrono::milliseconds(5),
                            .last_words = std::chrono::milliseconds(200)},
                           std::make_unique<Fake>(received), {journal->written_seq(), sealed});
    REQUIRE(sink.ok());
    (*sink)->start([this] { return journal->written_seq(); });
    return std::move(*sink);
  }
  void write(int lines) {
    for (int i = 0; i < lines; ++i) {
      REQUIRE(journal->append("decision", ",\"call\":\"x\"", wall_now()));
    }
  }
  std::vector<std::string> record() const {
    std::vector<std::string> lines;
    for (const auto& file : record_files(path)) {
      for (const auto& line : lines_of(file)) lines.push_back(line);
    }
    return lines;
  }
};

TEST_CASE("a sink gets what is written after it began, in order, across rotated files, once") {
  Bench bench;
  bench.write(7);
  const auto sink = bench.open();
  bench.write(100);
  until([&] { return bench.received.count() == 100; });
  CHECK(record_files(bench.path).size() > 5);
  auto expected = bench.record();
  expected.erase(expected.begin(), expected.begin() + 7);
  CHECK(bench.received.all() == expected);
  until([&] { return sink->delivered_seq() == 107; });
  CHECK(sink->dropped() == 0);
  CHECK(sink->delivered() == 100);
}

TEST_CASE("while lines are written by several threads nothing is left out, twice or in disorder") {
  Bench bench;
  const auto sink = bench.open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i)
        bench.journal->append("decision", ",\"call\":\"x\"", wall_now());
    });
  }
  for (auto& thread : threads) thread.join();
  until([&] { return bench.received.count() == 1200; });
  CHECK(bench.received.all() == bench.record());
}

TEST_CASE("what it misses while it fails or hangs comes later, and nobody waits for it") {
  Bench bench;
  const auto sink = bench.open();
  const bool fails = GENERATE(true, false);  // else it hangs, and then takes them after all
  (fails ? bench.received.fails : bench.received.hangs) = true;
  bench.write(1);
  until([&] { return bench.received.tries > 0; });
  bench.write(300);
  until([&] { return sink->lag() > 0; });
  CHECK(bench.received.count() == 0);
  bench.received.fails = bench.received.hangs = false;
  until([&] { return bench.received.count() == 301; });
  until([&] { return sink->up() && sink->lag() == 0; });
  CHECK(bench.received.all() == bench.record());
  CHECK((sink->errors() > 0) == fails);
}

TEST_CASE("what was not delivered before the end comes after the next start, or a crash") {
  Bench bench;
  {
    const auto sink = bench.open();
    bench.write(10);
    until([&] { return bench.received.count() == 10; });
    bench.received.hangs = GENERATE(true, false);
    bench.received.fails = true;
    bench.write(10);
  }
  bench.received.fails = bench.received.hangs = false;
  bench.journal.reset();
  bench.journal = bench.open_journal();
  bench.write(10);
  {
    const auto sink = bench.open();
    until([&] { return bench.received.count() == 30; });
  }
  CHECK(bench.received.all() == bench.record());
  // As after kill -9: the position is an older one. At least once, and by their seq the same.
  write_lines(bench.folder.file("x"), {"{\"v\":1,\"seq\":25,\"checkpoints\":0}"});
  const auto sink = bench.open();
  until([&] { return bench.received.count() == 35; });
  const auto all = bench.received.all();
  CHECK(std::vector<std::string>(all.begin() + 30, all.end()) ==
        std::vector<std::string>(all.begin() + 25, all.begin() + 30));
}

TEST_CASE("files that were deleted before it had them are counted as dropped") {
  Bench bench;
  {
    const auto sink = bench.open();
    bench.received.fails = true;
    bench.write(100);
  }
  const auto rotated = rotated_files(bench.path);
  REQUIRE(rotated.size() > 4);
  for (size_t i = 0; i < 3; ++i) std::filesystem::remove(rotated[i].path);
  bench.received.fails = false;
  const auto sink = bench.open();
  until([&] { return sink->delivered_seq() == 100; });
  CHECK(sink->dropped() == rotated[3].first_seq - 1);
  CHECK(bench.received.all() == bench.record());
}

TEST_CASE(
    "a receiver for which a batch is too large gets smaller ones; a line that is, is dropped") {
  Bench bench;
  bench.received.fails = true;
  const auto sink = bench.open();
  bench.write(40);
  bench.received.most = 3;
  bench.received.fails = false;
  until([&] { return bench.received.count() == 40; });
  CHECK(bench.received.all() == bench.record());
  bench.received.most = 0;
  bench.write(1);
  until([&] { return sink->dropped() == 1; });
  bench.received.most = 3;
  bench.write(1);
  until([&] { return bench.received.count() == 41; });
  CHECK(bench.received.all().back() == bench.record().back());
}

TEST_CASE("a write that is taken back is never delivered") {
  Bench bench;
  bench.write(3);
  const auto sink = bench.open();
  // A whole line that the journal has not said it has.
  const std::string stray = rebuilt(bench.record().back(), 4,
                                    read_line(bench.record().back())->hash, ",\"call\":\"stray\"");
  const auto size = std::filesystem::file_size(bench.path);
  std::ofstream(bench.path, std::ios::app) << stray << "\n";
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::filesystem::resize_file(bench.path, size);
  bench.write(1);
  until([&] { return bench.received.count() == 1; });
  CHECK(bench.received.all() == std::vector<std::string>{bench.record().back()});
}

TEST_CASE("checkpoints are delivered as they stand, alone or beside the lines") {
  Bench bench;
  SinkConfig config;
  config.lines = GENERATE(true, false);
  config.batch = GENERATE(1, 500);
  const auto sink = bench.open(config);
  auto sealing = Sealing::open(
      {.key_file = bench.folder.file("audit.key"), .checkpoints_file = bench.path + ".checkpoints"},
      at_second(0));
  REQUIRE(sealing.ok());
  for (int i = 0; i < 5; ++i) {
    bench.write(2);
    REQUIRE((*sealing)->seal(*bench.journal->sync_head(), at_second(i)).ok());
  }
  until([&] { return bench.received.count() == (config.lines ? 15u : 5u); });
  std::vector<std::string> checkpoints;
  for (const auto& line : bench.received.all()) {
    if (read_checkpoint(line)) checkpoints.push_back(line);
  }
  CHECK(checkpoints == lines_of(bench.path + ".checkpoints"));
}

TEST_CASE("a position that is not what was written is told, never guessed") {
  Bench bench;
  for (const char* text :
       {"", "12\n", "{\"v\":1,\"seq\":1}\n", "{\"v\":1,\"seq\":1,\"checkpoints\":x}\n"}) {
    std::ofstream(bench.folder.file("y")) << text;
    const auto sink = Sink::open({.record = bench.path, .position_file = bench.folder.file("y")},
                                 std::make_unique<Fake>(bench.received), {});
    REQUIRE_FALSE(sink.ok());
    CHECK(sink.error().message.find("delete it to begin") != std::string::npos);
  }
}

TEST_CASE("a webhook is signed as Standard Webhooks has it") {
  // The example of its specification.
  CHECK(sign_webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     "1614265330", "{\"test\": 2432232314}") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  CHECK(webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").size() == 24);
  CHECK(webhook_key("whsec_###").empty());
  CHECK(webhook_key("sixteen bytes or") == "sixteen bytes or");
}

// A journal whose decisions wait for what `Waits` decides, as Sinks does.
TEST_CASE("a journal's decisions wait for the acknowledgement, in each way of syncing") {
  TempFolder folder;
  std::mutex mutex;
  std::vector<std::function<void(bool)>> held;
  uint64_t last = 0;  // guarded by mutex
  JournalOptions options{.path = folder.file("audit.jsonl")};
  options.sync = GENERATE(AuditSync::kCall, AuditSync::kBatch, AuditSync::kDisk);
  options.acknowledge = [&](uint64_t seq, std::vector<std::function<void(bool)>> done) {
    std::lock_guard lock(mutex);
    last = seq;
    for (auto& each : done) held.push_back(std::move(each));
  };
  options.acknowledged_within = std::chrono::milliseconds(7'000);
  auto journal = Journal::open(std::move(options));
  REQUIRE(journal.ok());
  CHECK((*journal)->decisions_wait());
  CHECK((*journal)->deadline() == std::chrono::milliseconds(7'000));
  for (const bool answer : {true, false}) {
    std::promise<bool> told;
    const JournalLine line{"decision", "", wall_now()};
    REQUIRE((*journal)->append_durable({&line, 1}, [&](bool kept) { told.set_value(kept); }));
    until([&] {
      std::lock_guard lock(mutex);
      return held.size() == 1;
    });
    auto future = told.get_future();
    CHECK(future.wait_for(std::chrono::milliseconds(5)) == std::future_status::timeout);
    held.front()(answer);
    {
      std::lock_guard lock(mutex);
      held.clear();
      CHECK(last == (answer ? 1 : 2));
    }
    CHECK(future.get() == answer);
  }
  CHECK((*journal)->append("outcome", "", wall_now()));
  (*journal)->finish();
  CHECK((*journal)->written_seq() == 3);
}

}  // namespace
}  // namespace reeve::audit
