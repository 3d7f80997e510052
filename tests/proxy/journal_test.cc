// The chain of the record, what a crash leaves behind, a disk that fills up, and the clock and ids
// that its lines carry.
#include "proxy/journal.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "proxy/clock.h"
#include "proxy/config.h"
#include "proxy/ids.h"
#include "proxy/services.h"

namespace reeve {
namespace {

struct TempFolder {
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "reeve-journal-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  std::string file() const { return (path / "audit.jsonl").string(); }
  std::filesystem::path path;
};

std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The first line that breaks the chain, counted from 1; 0 when all hold. Written from
// interfaces.md alone, so that it shares no code with the journal.
size_t first_broken(const std::vector<std::string>& lines) {
  std::string prev(64, '0');
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    const size_t at = line.rfind(",\"hash\":\"");
    if (at == std::string::npos) return i + 1;
    const policy::Sha256 hash = sha256(line.substr(0, at) + "}");
    std::string hex;
    append_hex(hex, hash.data(), hash.size());
    const auto value = boost::json::parse(line).as_object();
    if (value.at("hash").as_string() != hex || value.at("prev").as_string() != prev) return i + 1;
    if (value.at("seq").to_number<uint64_t>() != i + 1) return i + 1;
    prev = hex;
  }
  return 0;
}

std::unique_ptr<Journal> open(const std::string& file) {
  auto journal = Journal::open(file);
  REQUIRE(journal.ok());
  return std::move(*journal);
}

TEST_CASE("lines are chained, numbered and go on after a restart") {
  TempFolder folder;
  for (int run = 0; run < 3; ++run) {
    const auto journal = open(folder.file());
    REQUIRE(journal->append("decision", ",\"call\":\"a\"", wall_now()));
    REQUIRE(journal->append("outcome", "", wall_now()));
    CHECK_FALSE(journal->found_torn_line());
  }
  std::vector<std::string> lines = lines_of(folder.file());
  REQUIRE(lines.size() == 6);
  CHECK(first_broken(lines) == 0);
  lines[2][lines[2].find("decision")] = 'D';
  CHECK(first_broken(lines) == 3);
}

TEST_CASE("a line cut short by a crash is kept, told of, and the chain goes on") {
  TempFolder folder;
  const auto cut = GENERATE(1u, 10u, 100u);
  {
    const auto journal = open(folder.file());
    for (int i = 0; i < 3; ++i) REQUIRE(journal->append("decision", "", wall_now()));
  }
  std::filesystem::resize_file(folder.file(), std::filesystem::file_size(folder.file()) - cut);
  {
    const auto journal = open(folder.file());
    CHECK(journal->found_torn_line());
    REQUIRE(journal->append("start", ",\"torn\":true", wall_now()));
  }
  std::vector<std::string> lines = lines_of(folder.file());
  // With only its newline gone the third line is whole.
  if (cut == 1) {
    REQUIRE(lines.size() == 4);
    CHECK(first_broken(lines) == 0);
  } else {
    REQUIRE(lines.size() == 4);
    lines.erase(lines.begin() + 2);
    CHECK(first_broken(lines) == 0);
  }
}

TEST_CASE("many threads write one chain") {
  TempFolder folder;
  const auto journal = open(folder.file());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) journal->append("decision", ",\"call\":\"x\"", wall_now());
    });
  }
  for (auto& thread : threads) thread.join();
  const auto lines = lines_of(folder.file());
  CHECK(lines.size() == 2000);
  CHECK(first_broken(lines) == 0);
  CHECK(journal->lines() == 2000);
}

TEST_CASE("a full disk refuses, leaves no half line, and mends when there is room again") {
  TempFolder folder;
  if (::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=64k") != 0) {
    WARN("mounting is not permitted here: not tested");
    return;
  }
  {
    const auto journal = open(folder.file());
    const std::string filler = ",\"target\":\"" + std::string(900, 'x') + "\"";
    int written = 0;
    while (journal->append("decision", filler, wall_now())) REQUIRE(++written < 1000);
    CHECK(written > 10);
    CHECK_FALSE(journal->healthy());
    CHECK(journal->errors() == 1);
    CHECK(first_broken(lines_of(folder.file())) == 0);
    REQUIRE(::mount("tmpfs", folder.path.c_str(), "tmpfs", MS_REMOUNT, "size=256k") == 0);
    CHECK(journal->append("decision", filler, wall_now()));
    CHECK(journal->healthy());
    const auto lines = lines_of(folder.file());
    CHECK(lines.size() == static_cast<size_t>(written) + 1);
    CHECK(first_broken(lines) == 0);
  }
  ::umount(folder.path.c_str());
}

TEST_CASE("what is no record of reeve's is refused, never overwritten") {
  TempFolder folder;
  SECTION("another program's file") {
    std::ofstream(folder.file()) << "hello\nworld\n";
    const auto journal = Journal::open(folder.file());
    REQUIRE_FALSE(journal.ok());
    CHECK(journal.error().message.find("holds no line that reeve wrote") != std::string::npos);
    CHECK(lines_of(folder.file()).size() == 2);
  }
  SECTION("a FIFO") {
    REQUIRE(::mkfifo(folder.file().c_str(), 0600) == 0);
    const auto journal = Journal::open(folder.file());
    REQUIRE_FALSE(journal.ok());
    CHECK(journal.error().message.find("not a regular file") != std::string::npos);
  }
  SECTION("a folder that does not exist") {
    const auto journal = Journal::open((folder.path / "no" / "audit.jsonl").string());
    REQUIRE_FALSE(journal.ok());
    CHECK(journal.error().message.find("audit.path") != std::string::npos);
  }
}

TEST_CASE("times are RFC 3339 with microseconds") {
  const auto at = [](int64_t micros) {
    std::string out;
    append_time(out, policy::Time(std::chrono::microseconds(micros)));
    return out;
  };
  CHECK(at(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(at(951'782'400'000'001) == "2000-02-29T00:00:00.000001Z");
  CHECK(at(4'102'444'799'999'999) == "2099-12-31T23:59:59.999999Z");
  CHECK(format_time(policy::Time(std::chrono::seconds(1'795'305'723))) == "2026-11-22T00:02:03Z");
}

TEST_CASE("ids are UUIDs of version 7, in order of time, and do not repeat") {
  IdSource source;
  std::set<std::string> seen;
  std::string last;
  for (int ms = 0; ms < 2000; ++ms) {
    const CallId id = source.next(policy::Time(std::chrono::milliseconds(1'700'000'000'000 + ms)));
    const std::string text(view(id));
    CHECK(text[8] == '-');
    CHECK(text[14] == '7');
    CHECK(std::string("89ab").find(text[19]) != std::string::npos);
    CHECK(text > last);
    CHECK(seen.insert(text).second);
    last = text;
  }
}

TEST_CASE("knocking fills no disk: ten lines a second per listener, the rest is counted") {
  KnockLimit limit;
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += limit.admit("local", 5);
  CHECK(admitted == 10);
  CHECK(limit.admit("other", 5));
  CHECK(limit.take_suppressed(5) == std::map<std::string, uint64_t>{{"local", 990}});
  CHECK_FALSE(limit.admit("local", 5));
  CHECK(limit.take_suppressed(5).empty());  // told of in this second already
  CHECK(limit.take_suppressed(6) == std::map<std::string, uint64_t>{{"local", 1}});
  CHECK(limit.take_suppressed(7).empty());
  CHECK(limit.admit("local", 7));
}

}  // namespace
}  // namespace reeve
