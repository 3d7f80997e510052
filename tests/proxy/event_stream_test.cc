// Event streams: every legal framing, cut at every byte, gives the same events; what is written
// again reads the same; nothing a server sends can make an event that was not one.
#include "proxy/mcp/event_stream.h"

#include <catch2/catch.hpp>
#include <vector>

namespace reeve::mcp {
namespace {

using namespace std::string_literals;

// One event as text: `name|data|id|retry`, absent parts as `-`; comments as `:text`.
std::string describe(const Event& event) {
  if (event.comment) return ":" + std::string(event.data);
  std::string out(event.name);
  const auto part = [&out](bool has, std::string_view text) {
    out += '|';
    out += has ? text : std::string_view("-");
  };
  part(event.has_data, event.data);
  part(event.has_id, event.id);
  part(event.has_retry, event.retry);
  return out;
}

using Events = std::vector<std::string>;

struct Read {
  Events events;
  bool fed = true;
  bool clean = false;
};

Read read(const std::vector<std::string_view>& parts, size_t limit = 1 << 20) {
  Read result;
  EventStreamParser parser(limit);
  const auto keep = [&result](const Event& event) { result.events.push_back(describe(event)); };
  for (const std::string_view part : parts) result.fed = result.fed && parser.feed(part, keep);
  result.clean = parser.finish(keep);
  return result;
}

struct Row {
  std::string stream;
  Events events;
};

const std::vector<Row>& rows() {
  static const std::string kBody = R"({"jsonrpc":"2.0","id":30,"result":{}})";
  static const std::vector<Row> kRows = {
      {"", {}},
      {"event: message\ndata: " + kBody + "\n\n", {"message|" + kBody + "|-|-"}},
      {"event: message\r\ndata: " + kBody + "\r\n\r\n", {"message|" + kBody + "|-|-"}},
      {"event: message\rdata: " + kBody + "\r\r", {"message|" + kBody + "|-|-"}},
      {"event: m\r\ndata: a\n\rdata: b\r\n\n", {"m|a|-|-", "|b|-|-"}},
      {"data: {\"a\":\ndata: 1}\n\n", {"|{\"a\":\n1}|-|-"}},
      {"event:message\ndata:" + kBody + "\n\n", {"message|" + kBody + "|-|-"}},
      {"data: x\n\n", {"|x|-|-"}},
      {": hello\n\n:\n\nevent: m\n: inside\ndata: x\n\n: bye\n\n",
       {": hello", ":", ": inside", "m|x|-|-", ": bye"}},
      {"\xEF\xBB\xBF"
       "event: m\ndata: x\n\n",
       {"m|x|-|-"}},
      {"\xEF\xBB\xBF\xEF\xBB\xBF"
       "data: x\n\ndata: y\n\n",
       {"|y|-|-"}},
      {"\xEF\xBB"
       "data: x\n\ndata: y\n\n",
       {"|y|-|-"}},
      {"data: \xEF\xBB\xBFx\n\n", {"|\xEF\xBB\xBFx|-|-"}},
      {"id: p1\ndata: \n\nid: p2\ndata:\n\nevent: m\nid: p3\ndata: x\n\n",
       {"||p1|-", "||p2|-", "m|x|p3|-"}},
      {"id: s_0\nretry: 500\ndata: \n\n", {"||s_0|500"}},
      {"id: 7\n\n", {"|-|7|-"}},
      {"id\n\n", {"|-||-"}},
      {"retry: 10\n\n", {"|-|-|10"}},
      {"event: heartbeat\ndata: {\"not\":\"jsonrpc\"}\n\ndata: x\n\n",
       {"heartbeat|{\"not\":\"jsonrpc\"}|-|-", "|x|-|-"}},
      {"event: \0\ndata: x\n\n"s, {"\0|x|-|-"s}},
      {"event: lonely\n\ndata: x\n\n", {"|x|-|-"}},
      {"data\n\ndata\ndata\n\n", {"||-|-", "|\n|-|-"}},
      {"data:  two spaces \n\n", {"| two spaces |-|-"}},
      {"data: a:b: c\n\n", {"|a:b: c|-|-"}},
      {"id: 1\nid: 2\nevent: a\nevent: b\ndata: x\n\n", {"b|x|2|-"}},
      {"id: a\0b\ndata: x\n\n"s, {"|x|-|-"}},
      {"id: good\nid: a\0b\ndata: x\n\n"s, {"|x|good|-"}},
      {"data: a\0b\n\n"s, {"|a\0b|-|-"s}},
      {"retry: 1x\ndata: x\n\n", {"|x|-|-"}},
      {"retry: -1\nretry:\nretry: 9999999999\ndata: x\n\n", {"|x|-|-"}},
      {"Data: x\nDATA: y\n data: z\nunknown: 1\nnocolon\n\n", {}},
      {"data: \xff\xfe\n\n", {"|\xff\xfe|-|-"}},
      {"\n\n\r\r\r\n\r\ndata: x\n\n", {"|x|-|-"}},
      {"data: cut", {}},
      {"data: cut\n", {}},
      {"data: x\n\ndata: cut\n", {"|x|-|-"}},
      {"data: \u2028\u2029\u0085\v\f\n\n", {"|\u2028\u2029\u0085\v\f|-|-"}},
  };
  return kRows;
}

TEST_CASE("every framing, cut at every byte, gives the same events") {
  for (const Row& row : rows()) {
    const std::string_view stream = row.stream;
    INFO(stream);
    REQUIRE(read({stream}).events == row.events);
    for (size_t a = 0; a <= stream.size(); ++a) {
      INFO("cut at " << a);
      REQUIRE(read({stream.substr(0, a), "", stream.substr(a)}).events == row.events);
    }
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < stream.size(); ++i) bytes.push_back(stream.substr(i, 1));
    REQUIRE(read(bytes).events == row.events);
  }
}

TEST_CASE("cut in three at every pair of bytes") {
  const std::string_view stream = "\xEF\xBB\xBF: c\r\nid: 1\r\ndata: a\r\rdata: b\ndata:c\n\n";
  const Events events = read({stream}).events;
  REQUIRE(events == Events{": c", "|a|1|-", "|b\nc|-|-"});
  for (size_t a = 0; a <= stream.size(); ++a) {
    for (size_t b = a; b <= stream.size(); ++b) {
      REQUIRE(read({stream.substr(0, a), stream.substr(a, b - a), stream.substr(b)}).events ==
              events);
    }
  }
}

TEST_CASE("what is written again reads the same, and is written the same again") {
  for (const Row& row : rows()) {
    std::string once, twice;
    Events again;
    EventStreamParser first(1 << 20), second(1 << 20);
    const auto to_once = [&once](const Event& event) { append_event(once, event); };
    const auto to_twice = [&](const Event& event) {
      again.push_back(describe(event));
      append_event(twice, event);
    };
    REQUIRE(first.feed(row.stream, to_once));
    REQUIRE(second.feed(once, to_twice));
    INFO(once);
    CHECK(again == row.events);
    CHECK(twice == once);
    CHECK(once.find('\r') == std::string::npos);
    CHECK((once.empty() || once.ends_with("\n\n")));
  }
}

TEST_CASE("the one form of an event") {
  Event event;
  event.name = "message";
  event.data = "a\nb\r\nc\rd";
  event.has_data = true;
  event.id = "7";
  event.has_id = true;
  event.retry = "500";
  event.has_retry = true;
  std::string out;
  append_event(out, event);
  CHECK(out == "event: message\nid: 7\nretry: 500\ndata: a\ndata: b\ndata: c\ndata: d\n\n");

  // No value begins a field or an event of its own.
  Event forged;
  forged.name = "x\ndata: y\n\n";
  forged.id = "1\r\ndata: z";
  forged.has_id = true;
  out.clear();
  append_event(out, forged);
  CHECK(out == "event: xdata: y\nid: 1data: z\n\n");

  Event comment;
  comment.comment = true;
  comment.data = " keep-alive\n\ndata: x";
  out.clear();
  append_event(out, comment);
  CHECK(out == ": keep-alivedata: x\n\n");
}

TEST_CASE("a complete event is never held back") {
  EventStreamParser parser(1 << 20);
  int events = 0;
  const auto count = [&events](const Event&) { ++events; };
  const auto after = [&](std::string_view bytes) {
    REQUIRE(parser.feed(bytes, count));
    return events;
  };
  CHECK(after("data: a\r") == 0);
  CHECK(after("\r") == 1);
  CHECK(after("\n") == 1);
  CHECK(after("data: b\r\n\r") == 2);
  CHECK(after("\ndata: c\n") == 2);
  CHECK(after("\n") == 3);
  CHECK(after(": alive\r") == 4);
  CHECK(after("\n") == 4);
  CHECK(after("\n") == 4);
}

TEST_CASE("the end of a stream says whether an event was cut") {
  CHECK(read({"data: x\n\n"}).clean);
  CHECK(read({"data: x\r\r"}).clean);
  CHECK(read({"data: x\n\n: bye\n"}).clean);
  CHECK(read({""}).clean);
  CHECK_FALSE(read({"data: x\n"}).clean);
  CHECK_FALSE(read({"data: x"}).clean);
  CHECK_FALSE(read({"data: x\n\nda"}).clean);

  EventStreamParser parser(100);
  Events events;
  const auto keep = [&events](const Event& event) { events.push_back(describe(event)); };
  CHECK(parser.feed("id: 1\ndata: x", keep));
  CHECK_FALSE(parser.finish(keep));
  CHECK(
      parser.feed("\xEF\xBB\xBF"
                  "data: y\n\n",
                  keep));
  CHECK(events == Events{"|y|-|-"});
}

TEST_CASE("the limit holds for a line, an event of many lines, and a comment") {
  const auto fed = [](const std::string& stream, size_t limit) {
    const bool whole = read({stream}, limit).fed;
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < stream.size(); ++i)
      bytes.push_back(std::string_view(stream).substr(i, 1));
    CHECK(read(bytes, limit).fed == whole);
    return whole;
  };
  CHECK(fed("data: " + std::string(94, 'x') + "\n\n", 100));
  CHECK_FALSE(fed("data: " + std::string(95, 'x') + "\n\n", 100));
  CHECK_FALSE(fed(":" + std::string(100, 'x'), 100));
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += "data: x\n";
  CHECK_FALSE(fed(lines, 80));
  std::string events;
  for (int i = 0; i < 1000; ++i) events += "data: x\n\n";
  CHECK(fed(events, 20));
  CHECK(read({events}, 20).events.size() == 1000);

  EventStreamParser parser(10);
  int seen = 0;
  const auto count = [&seen](const Event&) { ++seen; };
  CHECK_FALSE(parser.feed("data: 12345678901\n\n", count));
  CHECK_FALSE(parser.feed("\n\ndata: x\n\n", count));
  CHECK(seen == 0);
}

}  // namespace
}  // namespace reeve::mcp
