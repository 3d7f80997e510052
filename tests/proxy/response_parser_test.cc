// Response heads of upstreams that may be hostile: everything doubtful is a 502.
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "proxy/http/parser.h"
#include "tests/proxy/feed.h"

namespace reeve::http {
namespace {

using namespace std::string_literals;

std::string parse(std::string_view bytes, std::string_view method = "GET", HeadLimits limits = {}) {
  const auto make = [limits, method] {
    ResponseParser parser(limits);
    parser.reset(method);
    return parser;
  };
  const std::string got = testing::feed(make, bytes);
  if (bytes.size() < 300) testing::feed_in_two(make, bytes, got);
  return got;
}

struct Row {
  std::string bytes;
  std::string expected;
};

void check(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(row.bytes);
    CHECK(parse(row.bytes) == row.expected);
  }
}

std::string ok(const std::string& lines) { return "HTTP/1.1 200 OK\r\n" + lines + "\r\n"; }

TEST_CASE("response: good heads") {
  check({
      {ok("Content-Length: 5\r\n") + "hello", "200 OK length 5|Content-Length=5 + hello"},
      {ok("Transfer-Encoding: chunked\r\n"), "200 OK chunked|Transfer-Encoding=chunked"},
      {ok(""), "200 OK until-close close"},
      {ok("Connection: keep-alive\r\n"), "200 OK until-close close|Connection=keep-alive"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
       "200 OK 1.0 length 1 close|Content-Length=1"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
       "200 OK 1.0 length 1|Content-Length=1|Connection=keep-alive"},
      {"HTTP/1.1 404 Not  Found \xc3\xa9\t!\r\nContent-Length: 0\r\n\r\n",
       "404 Not  Found \xc3\xa9\t! length 0|Content-Length=0"},
      {"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n", "599  length 0|Content-Length=0"},
      {ok("Connection: close\r\nContent-Length: 0\r\n"),
       "200 OK length 0 close|Connection=close|Content-Length=0"},
      {ok("Connection: X-A\r\nX-A: 1\r\nContent-Length: 0\r\n"),
       "200 OK length 0|Connection=X-A|Content-Length=0"},
      {"HTTP/1.1 200", "more"},
      {"", "more"},
  });
}

TEST_CASE("response: statuses without a body") {
  check({
      {"HTTP/1.1 204 No Content\r\n\r\n", "204 No Content none"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
       "304 Not Modified none said 9|Content-Length=9"},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
       "204 No Content none said 0|Content-Length=0"},
      // A body may follow after all: the connection is of no more use.
      {"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison",
       "204 No Content none said 6 close|Content-Length=6 + poison"},
      {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
       "204 No Content none close|Transfer-Encoding=chunked"},
  });
  CHECK(parse(ok("Content-Length: 5\r\n"), "HEAD") == "200 OK none said 5|Content-Length=5");
  CHECK(parse(ok(""), "HEAD") == "200 OK none");
  CHECK(parse(ok("Transfer-Encoding: chunked\r\n"), "HEAD") ==
        "200 OK none|Transfer-Encoding=chunked");
  CHECK(parse(ok("Content-Length: x\r\n"), "HEAD") == "502");
  CHECK(parse(ok("Content-Length: 5\r\n"), "head") == "200 OK length 5|Content-Length=5");
}

TEST_CASE("response: interim answers are swallowed, a bounded number of them") {
  const std::string last = ok("Content-Length: 0\r\n");
  const std::string passed = "200 OK length 0|Content-Length=0";
  check({
      {"HTTP/1.1 100 Continue\r\n\r\n" + last, passed},
      {"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + last, passed},
      {"HTTP/1.1 100 Continue\r\n\r\n", "more"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + last, "502"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n", "502"},
      {"HTTP/1.1 100 Continue\r\nContent-Length: 6\r\n\r\npoison" + last, "502"},
      {"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + last, "502"},
      {"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" + last, "502"},
      {"HTTP/1.1 100 Continue\r\n\r\n\r\n" + last, "502"},
  });
  std::string many;
  for (int i = 0; i < 16; ++i) many += "HTTP/1.1 103 Early Hints\r\n\r\n";
  CHECK(parse(many + last) == passed);
  CHECK(parse("HTTP/1.1 103 Early Hints\r\n\r\n" + many + last) == "502");
  HeadLimits limits;
  limits.head_bytes = 60;
  CHECK(parse(many.substr(0, 56) + last, "GET", limits) == passed);
  CHECK(parse(many.substr(0, 84) + last, "GET", limits) == "502");
}

TEST_CASE("response: doubtful framing") {
  check({
      {ok("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), "502"},
      {ok("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"), "502"},
      {ok("Content-Length: 2\r\nContent-Length: 5\r\n"), "502"},
      {ok("Content-Length: 5\r\nContent-Length: 5\r\n"), "502"},
      {ok("Content-Length: 5, 5\r\n"), "502"},
      {ok("Content-Length: -1\r\n"), "502"},
      {ok("Content-Length: 18446744073709551621\r\n"), "502"},
      {ok("Content-Length: 5 5\r\n"), "502"},
      {ok("Content-Length:\r\n"), "502"},
      {ok("Transfer-Encoding: chunked, cow\r\n"), "502"},
      {ok("Transfer-Encoding: gzip, chunked\r\n"), "502"},
      {ok("Transfer-Encoding: identity\r\n"), "502"},
      {ok("Transfer-Encoding:\r\n"), "502"},
      {ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "502"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "502"},
  });
}

TEST_CASE("response: malformed heads") {
  check({
      {"HELLO THERE\r\n\r\n", "502"},
      {"\r\nHTTP/1.1 200 OK\r\n\r\n", "502"},
      {"HTTP/1.1 20 OK\r\n\r\n", "502"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "502"},
      {"HTTP/1.1 200\r\n\r\n", "502"},
      {"HTTP/1.1  200 OK\r\n\r\n", "502"},
      {"HTTP/1.1 099 OK\r\n\r\n", "502"},
      {"HTTP/1.1 600 OK\r\n\r\n", "502"},
      {"HTTP/1.1 2 0 OK\r\n\r\n", "502"},
      {"HTTP/1.1 +20 OK\r\n\r\n", "502"},
      {"HTTP/1.2 200 OK\r\n\r\n", "502"},
      {"HTTP/2.0 200 OK\r\n\r\n", "502"},
      {"HTTP/2 200\r\n\r\n", "502"},
      {"http/1.1 200 OK\r\n\r\n", "502"},
      {"ICY 200 OK\r\n\r\n", "502"},
      {"HTTP/1.1\t200 OK\r\n\r\n", "502"},
      {"HTTP/1.1 200 O\nK\r\n\r\n", "502"},
      {"HTTP/1.1 200 O\rK\r\n\r\n", "502"},
      {"HTTP/1.1 200 O\0K\r\n\r\n"s, "502"},
      {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "502"},
      {ok("X: a\0b\r\n"s), "502"},
      {ok("X: a\rSet-Cookie: planted=1\r\n"), "502"},
      {ok("X: a\nSet-Cookie: planted=1\r\n"), "502"},
      {ok("X: a\r\n Set-Cookie: planted=1\r\n"), "502"},
      {ok("Set-Cookie : planted=1\r\n"), "502"},
      {ok(": a\r\n"), "502"},
      {ok("X\r\n"), "502"},
      {ok("X: \x1b[0m\r\n"), "502"},
      {ok("X\xff: a\r\n"), "502"},
  });
  std::string flood;
  for (int i = 0; i < 2000; ++i) flood += "X-Flood: a\r\n";
  CHECK(ResponseParser({}).parse(ok(flood)) == Progress::kFault);
  CHECK(ResponseParser({}).parse("HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'a')) ==
        Progress::kFault);
  std::string options = "Connection: a";
  for (int i = 0; i < 40; ++i) options += ",a";
  CHECK(parse(ok(options + "\r\n")) == "502");
}

TEST_CASE("response: every byte at the delicate places") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    CAPTURE(byte);
    const bool value = c == '\t' || (byte >= 0x20 && byte != 0x7f);
    const auto passes = [](const std::string& bytes) {
      return ResponseParser({}).parse(bytes) == Progress::kDone;
    };
    CHECK(passes("HTTP/1.1"s + c + "200 OK\r\n\r\n") == (c == ' '));
    CHECK(passes("HTTP/1.1 "s + c + "00 OK\r\n\r\n") == (c >= '2' && c <= '5'));
    CHECK(passes("HTTP/1.1 2"s + c + "0 OK\r\n\r\n") == (c >= '0' && c <= '9'));
    CHECK(passes("HTTP/1.1 200"s + c + "OK\r\n\r\n") == (c == ' '));
    CHECK(passes("HTTP/1.1 200 O"s + c + "K\r\n\r\n") == value);
    CHECK(passes("HTTP/1.1 200 OK"s + c + "\n\r\n") == (c == '\r'));
    CHECK(passes(ok("X: a"s + c + "b\r\n")) == value);
  }
}

TEST_CASE("response: a parser is used again") {
  ResponseParser parser({});
  parser.reset("HEAD");
  CHECK(parser.parse(ok("Content-Length: 5\r\n")) == Progress::kDone);
  parser.reset("GET");
  const std::string next = "HTTP/1.1 100 Continue\r\n\r\n" + ok("Content-Length: 2\r\n") + "hi";
  CHECK(parser.parse(next) == Progress::kDone);
  CHECK(testing::outcome(parser, Progress::kDone, next) == "200 OK length 2|Content-Length=2 + hi");
}

}  // namespace
}  // namespace reeve::http
