// Asking the record: what a line must have to be found, bounds of time, and the index, which may
// be stale, damaged or another file's and changes no answer.
#include "audit_record.h"
#include "policy/json.h"
#include "proxy/audit/index.h"
#include "proxy/audit/query.h"
#include "proxy/commands/audit.h"

namespace reeve::audit {
namespace {

// Calls of three agents, a second apart; 6,000 lines are more than two blocks.
std::string make(const TempFolder& folder, int lines, int64_t first = 0) {
  const std::string path = folder.file("audit.jsonl");
  auto journal = Journal::open(path);
  REQUIRE(journal.ok());
  for (int i = 0; i < lines; ++i) {
    std::string members = ",\"call\":\"" + std::to_string(i / 2) + "\",\"agent\":";
    json::append_string(members, i / 2 % 3 == 0 ? "ann" : i / 2 % 3 == 1 ? "b\"ob\x1b[31m" : "cy");
    members += ",\"target\":\"/items/" + std::to_string(i / 2) + "\",\"pad\":\"" +
               std::string(200, 'p') + "\"";
    REQUIRE((*journal)->append(i % 2 == 0 ? "decision" : "outcome", members, at_second(first + i)));
  }
  return path;
}

size_t count(const std::string& path, Query query) {
  size_t found = 0;
  Searcher(std::move(query)).search(path, [&](const Match&) { return ++found > 0; });
  return found;
}

std::string bound(int64_t second) {
  std::string out;
  append_time(out, at_second(second));
  return out;
}

TEST_CASE("lines are found by their members, their time and their text") {
  TempFolder folder;
  const std::string path = make(folder, 6000);
  for (int run = 0; run < 2; ++run) {  // without an index, and with the one that was left
    CHECK(count(path, {}) == 6000);
    CHECK(count(path, {.wanted = {{"agent", {"ann"}}}}) == 2000);
    CHECK(count(path, {.wanted = {{"agent", {"b\"ob\x1b[31m"}}}}) == 2000);
    CHECK(count(path, {.wanted = {{"agent", {"ann", "cy"}}, {"kind", {"outcome"}}}}) == 2000);
    CHECK(count(path, {.wanted = {{"agent", {"an"}}}}) == 0);
    CHECK(count(path, {.wanted = {{"target", {"/items/10*"}}}}) == 2 * (1 + 10 + 100));
    CHECK(count(path, {.wanted = {{"call", {"7"}}}}) == 2);
    CHECK(count(path, {.since = bound(100), .until = bound(200)}) == 100);
    CHECK(count(path, {.wanted = {{"agent", {"cy"}}}, .since = bound(5990)}) == 4);
    CHECK(count(path, {.since = bound(6000)}) == 0);
    CHECK(count(path, {.text = "/items/2999\""}) == 2);
    CHECK(Index(path).was_read());
  }
}

TEST_CASE("an index that is of another file, stale or damaged is made anew") {
  TempFolder folder, other;
  const std::string path = make(folder, 6000);
  CHECK(count(path, {.since = bound(5000)}) == 1000);
  const std::string index = path + ".index";
  SECTION("the file grew") {
    make(folder, 6000, 6000);
    CHECK(count(path, {.since = bound(6000)}) == 6000);
  }
  SECTION("the file is another") {
    std::filesystem::rename(make(other, 6000, 100'000), path);
    CHECK(count(path, {.since = bound(100'000)}) == 6000);
    CHECK(count(path, {.until = bound(100'000)}) == 0);
  }
  SECTION("cut or changed anywhere") {
    const auto size = std::filesystem::file_size(index);
    for (uintmax_t at = 0; at < size; at += 37) {
      Index again(path);
      {
        std::fstream file(index, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(at));
        file.put('\x5a');
      }
      CHECK(count(path, {.wanted = {{"agent", {"ann"}}}, .since = bound(5000)}) >= 332);
      if (at % 5 == 0) std::filesystem::resize_file(index, at);
      CHECK(count(path, {.since = bound(5000)}) == 1000);
    }
  }
  SECTION("it cannot be written") {
    std::filesystem::remove(index);
    std::filesystem::create_directory(index);
    CHECK(count(path, {.since = bound(5000)}) == 1000);
  }
}

TEST_CASE("bounds of time") {
  const policy::Time now = at_second(0);
  CHECK(read_bound("2026-11-22", now) == "2026-11-22T00:00:00.000000Z");
  CHECK(read_bound("2026-11-22T09:30Z", now) == "2026-11-22T09:30:00.000000Z");
  CHECK(read_bound("2026-11-22T09:30:01Z", now) == "2026-11-22T09:30:01.000000Z");
  CHECK(read_bound("2026-11-22T09:30:01.5Z", now) == "2026-11-22T09:30:01.500000Z");
  CHECK(read_bound("90s", now) == bound(-90));
  CHECK(read_bound("2d", now) == bound(-2 * 86'400));
  for (const char* text : {"", "noon", "2026-11-31", "2026-13-01", "-1h", "1w", "1", "25:00",
                           "2026-11-22T24:00:00Z", "2026-11-22T09:30:00+01:00"}) {
    CHECK_FALSE(read_bound(text, now));
  }
}

TEST_CASE("a glob's star stands for any text") {
  CHECK(glob_matches("crm.*", "crm.get"));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("*a*b", "xaxbab"));
  CHECK_FALSE(glob_matches("*a*b", "xaxba"));
  CHECK_FALSE(glob_matches("crm", "crm.get"));
}

TEST_CASE("nothing that a terminal acts on is shown") {
  CHECK(commands::for_terminal("a\x1b[31m\n", 100) == "a\\u001b[31m\\u000a");
  CHECK(commands::for_terminal("\xe2\x80\xae", 100) == "\\u202e");
  CHECK(commands::for_terminal("\xff", 100) == "\\xff");
  CHECK(commands::for_terminal("\xc2\x9b", 100) == "\\u009b");
  CHECK(commands::for_terminal("grün", 100) == "grün");
  CHECK(commands::for_terminal(std::string(1000, 'x'), 10).size() < 20);
}

TEST_CASE("lines are read from any cut of a file, long ones in part") {
  TempFolder folder;
  const std::string path = folder.file("lines");
  const std::string huge(3 * kLongestLine, 'h');
  std::ofstream(path) << "a\n\nbb\n" << huge << "\nlast";
  LineReader reader;
  REQUIRE(reader.open(path));
  std::string_view line;
  const auto next = [&] { return reader.next(line) ? std::string(line.substr(0, 5)) : "-"; };
  CHECK(next() == "a");
  CHECK(next() == "");
  CHECK(next() == "bb");
  CHECK(reader.offset() == 3);
  CHECK(next() == "hhhhh");
  CHECK(line.size() == kLongestLine + 1);
  CHECK_FALSE(read_line(line));
  CHECK(next() == "last");
  CHECK(reader.number() == 5);
  CHECK_FALSE(reader.complete());
  CHECK(next() == "-");
}

TEST_CASE("a line is one form only") {
  const std::string zeros(64, '0'), ones(64, '1');
  const std::string text =
      "{\"v\":1,\"seq\":12,\"time\":\"2026-11-22T01:02:03.000004Z\",\"kind\":\"stop\"," +
      std::string("\"x\":1,\"prev\":\"") + zeros + "\",\"hash\":\"" + ones + "\"}";
  const auto line = read_line(text);
  REQUIRE(line);
  CHECK(line->seq == 12);
  CHECK(line->kind == "stop");
  CHECK(line->members == ",\"x\":1");
  CHECK(line->prev == zeros);
  CHECK(line->hash == ones);
  CHECK(std::string(line->hashed) + "}" == text.substr(0, text.find(",\"hash\"")) + "}");
  for (size_t i = 0; i < text.size(); ++i) CHECK_FALSE(read_line(text.substr(0, i)));
  CHECK_FALSE(read_line(text + " "));
}

}  // namespace
}  // namespace reeve::audit
