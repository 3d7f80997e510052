// What pages that watch get: batches of the record's lines, bounded queues, and what they missed.
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "audit_record.h"
#include "proxy/console/live.h"
#include "proxy/console/tail.h"

namespace reeve::console {
namespace {

using audit::at_second;
using audit::TempFolder;

std::shared_ptr<const std::string> event(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

TEST_CASE("a page that does not read is told what it missed") {
  net::asio::io_context context(1);
  Watcher watcher(context, 2);
  CHECK(watcher.take().empty());
  watcher.add_lines(event("one\n\n"), 3);
  watcher.add_lines(event("two\n\n"), 4);
  CHECK(watcher.take() == "one\n\ntwo\n\n");
  CHECK(watcher.take().empty());
  SECTION("too much: the oldest are dropped") {
    const std::string big(Watcher::kMostBytes / 2 + 1, 'x');
    watcher.add_lines(event(big), 10);
    watcher.add_lines(event(big), 20);
    watcher.add_lines(event("last"), 1);
    watcher.add_missed(5);
    CHECK((watcher.take() == "event: missed\ndata: {\"lines\":15}\n\n" + big));
    CHECK(watcher.take() == "last");
  }
  SECTION("of a state only the newest") {
    watcher.set_state(1, event("old"));
    watcher.set_state(1, event("new"));
    watcher.set_state(0, event("first "));
    CHECK(watcher.take() == "first new");
  }
}

TEST_CASE("a batch has the decisions, and what else happened, without outcomes") {
  const TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  auto journal = Journal::open(path);
  REQUIRE(journal.ok());
  const auto write = [&](std::string_view kind, const std::string& members) {
    REQUIRE((*journal)->append(kind, members, at_second(1)));
  };
  write("decision", ",\"agent\":\"before\"");
  Tail tail(path);
  CHECK(tail.read().count == 0);
  write("decision", ",\"agent\":\"<b>\\n\\u202e\"");
  write("outcome", ",\"status\":200");
  write("approval", ",\"verdict\":\"asked\"");
  const Tail::Batch batch = tail.read();
  CHECK(batch.count == 2);
  CHECK(batch.missed == 0);
  CHECK(batch.lines.find('\n') == std::string::npos);
  const auto lines = boost::json::parse("[" + batch.lines + "]");
  CHECK(lines.at(0).at("seq").as_int64() == 2);
  CHECK(lines.at(0).at("agent") == "<b>\n\xe2\x80\xae");
  CHECK(lines.at(1).at("kind") == "approval");
  CHECK(lines.at(0).as_object().if_contains("hash") == nullptr);
}

TEST_CASE("what is too much for a batch is counted") {
  const TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  auto journal = Journal::open(path);
  REQUIRE(journal.ok());
  Tail tail(path);
  const auto write = [&](int lines, size_t pad) {
    const std::string members = ",\"pad\":\"" + std::string(pad, 'p') + "\"";
    for (int i = 0; i < lines; ++i) {
      REQUIRE((*journal)->append("decision", members, at_second(1)));
      REQUIRE((*journal)->append("outcome", members, at_second(1)));
    }
  };
  write(Tail::kMostLines + 50, 10);
  REQUIRE((*journal)->append("policy", "", at_second(1)));
  const Tail::Batch batch = tail.read();
  CHECK(batch.count == Tail::kMostLines + 1);
  CHECK(batch.missed == 50);
  // More than is read at once: passed over, and told with what comes then.
  write(600, 8000);
  CHECK(tail.read().count > 0);
  write(1, 1);
  const Tail::Batch after = tail.read();
  CHECK(after.count == 1);
  CHECK(after.missed > 200);
  CHECK(after.missed < 600);
}

}  // namespace
}  // namespace reeve::console
