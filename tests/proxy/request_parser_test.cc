// Request heads: what passes and as what, what is refused and with which status, from every cut.
// Rows come from RFC 9110 and RFC 9112 and from published request-smuggling techniques.
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "proxy/http/authority.h"
#include "proxy/http/parser.h"
#include "tests/proxy/feed.h"

namespace reeve::http {
namespace {

using namespace std::string_literals;

std::string parse(std::string_view bytes, HeadLimits limits = {}) {
  const auto make = [limits] { return RequestParser(limits); };
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

// A GET or POST with these field lines after Host.
std::string get(const std::string& lines) {
  return "GET /p HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n";
}
std::string post(const std::string& lines) {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n";
}

TEST_CASE("request: good heads") {
  check({
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / @h none|Host=h"},
      {"GET /a/b?x=1&y=%2F HTTP/1.1\r\nHost: h:80\r\n\r\n",
       "GET /a/b?x=1&y=%2F @h:80 none|Host=h:80"},
      {"GET /a?b?c HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b?c @h none|Host=h"},
      {"GET /? HTTP/1.1\r\nHost: h\r\n\r\n", "GET /? @h none|Host=h"},
      {"GET / HTTP/1.0\r\n\r\n", "GET / @ 1.0 none close"},
      {"GET / HTTP/1.0\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n",
       "GET / @h 1.0 none|Host=h|Connection=Keep-Alive"},
      {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * @h none|Host=h"},
      {"PROPFIND /x HTTP/1.1\r\nHost: h\r\n\r\n", "PROPFIND /x @h none|Host=h"},
      {"get / HTTP/1.1\r\nHost: h\r\n\r\n", "get / @h none|Host=h"},
      {"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / @h none|Host=h"},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / @h none|Host=h"},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /next", "GET / @h none|Host=h + GET /next"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
       "POST / @h length 5|Host=h|Content-Length=5 + hello"},
      {"GET / HTTP/1.1\r\nHOST:\t h \t\r\nX-Odd: \ta\t b \t\r\nX-Empty:\r\n\r\n",
       "GET / @h none|HOST=h|X-Odd=a\t b|X-Empty="},
      {get("A: 1\r\nA: 2\r\n"), "GET /p @h none|Host=h|A=1|A=2"},
      {get("X: \xc3\xa9\xff\r\n"), "GET /p @h none|Host=h|X=\xc3\xa9\xff"},
      {get("X_Y: 1\r\n"), "GET /p @h none|Host=h|X_Y=1"},
      {get("!#$%&'*+-.^_`|~09azAZ: 1\r\n"), "GET /p @h none|Host=h|!#$%&'*+-.^_`|~09azAZ=1"},
      {"GET /p HT", "more"},
      {"", "more"},
      {"\r\n", "more"},
  });
}

TEST_CASE("request: lengths") {
  check({
      {post("Content-Length: 0\r\n"), "POST /p @h length 0|Host=h|Content-Length=0"},
      {post("content-length:5 \r\n"), "POST /p @h length 5|Host=h|content-length=5"},
      {post("Content-Length: 010\r\n"), "POST /p @h length 10|Host=h|Content-Length=010"},
      {post("Content-Length: 9223372036854775807\r\n"),
       "POST /p @h length 9223372036854775807|Host=h|Content-Length=9223372036854775807"},
      {get("Content-Length: 3\r\n"), "GET /p @h length 3|Host=h|Content-Length=3"},
      {get("Content_Length: 3\r\n"), "GET /p @h none|Host=h|Content_Length=3"},
      {get("Content-Length-: 3\r\n"), "GET /p @h none|Host=h|Content-Length-=3"},
  });
  for (const std::string value : {"9223372036854775808",
                                  "18446744073709551616",
                                  "18446744073709551621",
                                  "0000000000000000005",
                                  "-1",
                                  "+5",
                                  " ",
                                  "",
                                  "5,",
                                  ",5",
                                  "5,5",
                                  "5, 5",
                                  "5;5",
                                  "5 5",
                                  "0x5",
                                  "5a",
                                  "5.0",
                                  "5e0",
                                  "1_0",
                                  "\"5\"",
                                  "5\v",
                                  "\f5",
                                  "\xc2\xa0"
                                  "5",
                                  "\xd9\xa5",
                                  "5\xff",
                                  "1e1",
                                  "00000000000000000005"}) {
    CAPTURE(value);
    const bool too_long_only = value == "0000000000000000005";
    CHECK(parse(post("Content-Length: " + value + "\r\n")).substr(0, 3) ==
          (too_long_only ? "POS" : "400"));
  }
  CHECK(parse(post("Content-Length: 5\0\r\n"s)) == "400");
  CHECK(parse(post("Content-Length: 5\r\nContent-Length: 5\r\n")) == "400");
  CHECK(parse(post("Content-Length: 5\r\nContent-Length: 0\r\n")) == "400");
  CHECK(parse(post("Content-Length: 5\r\ncontent-length: 6\r\n")) == "400");
}

TEST_CASE("request: transfer codings") {
  check({
      {post("Transfer-Encoding: chunked\r\n"),
       "POST /p @h chunked|Host=h|Transfer-Encoding=chunked"},
      {post("TRANSFER-ENCODING: Chunked \r\n"),
       "POST /p @h chunked|Host=h|TRANSFER-ENCODING=Chunked"},
      {post("Transfer_Encoding: chunked\r\n"), "POST /p @h none|Host=h|Transfer_Encoding=chunked"},
      {post("TE: chunked\r\n"), "POST /p @h none|Host=h|TE=chunked"},
      {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "400"},
      {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "400"},
      {post("Content-Length: 5\r\nTransfer-Encoding: cow\r\n"), "400"},
      {post("Transfer-Encoding: cow\r\nContent-Length: 5\r\n"), "400"},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400"},
      {post("Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n"), "400"},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n"), "400"},
      {post("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"), "400"},
      {"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {post("Transfer-Encoding : chunked\r\n"), "400"},
      {post("Transfer-Encoding\t: chunked\r\n"), "400"},
      {post("Transfer-Encoding chunked\r\n"), "400"},
      {post("Transfer-Encoding:\r\n chunked\r\n"), "400"},
      {post("X: a\r\n Transfer-Encoding: chunked\r\n"), "400"},
      {post("X: a\nTransfer-Encoding: chunked\r\n"), "400"},
      {post("X: a\rTransfer-Encoding: chunked\r\n"), "400"},
      {post("Transfer-\r\nEncoding: chunked\r\n"), "400"},
      {post("Transfer-Encoding\x85: chunked\r\n"), "400"},
      {post("Transfer-Encoding\0: chunked\r\n"s), "400"},
  });
  for (const std::string value : {"xchunked",
                                  "chunked, cow",
                                  "cow",
                                  "chunked, identity",
                                  "identity",
                                  "identity, chunked",
                                  "chunked, chunked",
                                  "chunked, gzip",
                                  "gzip, chunked",
                                  "\"chunked\"",
                                  "chunked;a=b",
                                  "chunkedchunked",
                                  "chunk",
                                  "chun ked",
                                  "",
                                  ",chunked",
                                  "chunked,",
                                  "\xa0"
                                  "chunked",
                                  "chunked\x85",
                                  "\xef\xbb\xbf"
                                  "chunked",
                                  "\\nchunked",
                                  "[chunked]",
                                  "chunked chunked",
                                  "'chunked'",
                                  "chunked\t,",
                                  "c\xc4\xb1hunked",
                                  "%63hunked"}) {
    CAPTURE(value);
    CHECK(parse(post("Transfer-Encoding: " + value + "\r\n")) == "501");
  }
  for (const std::string& value : {"\vchunked"s, "chunked\f"s, "chunked\0"s, "chun\0ked"s}) {
    CHECK(parse(post("Transfer-Encoding: " + value + "\r\n")) == "400");
  }
}

TEST_CASE("request: hosts") {
  const auto with_host = [](const std::string& value) {
    return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
  };
  for (const std::string good : {"h", "a.b-c.d_e~f", "127.0.0.1:8080", "[::1]", "[::1]:1",
                                 "[2001:db8::ffff:10.0.0.1]:65535", "h:1", "h.", "H:65535"}) {
    CHECK(parse(with_host(good)) == "GET / @" + good + " none|Host=" + good);
  }
  for (const std::string bad : {"",
                                " ",
                                "h, evil",
                                "h evil",
                                "h\tevil",
                                "u@h",
                                "u:p@h",
                                "h/evil",
                                "h?evil",
                                "h#evil",
                                "h\\evil",
                                "h\xff",
                                "h:80evil",
                                "h:80:90",
                                "[::1",
                                "::1",
                                "[::1]x",
                                "[::1]:",
                                "[]",
                                "[g::]",
                                "[::1%25eth0]",
                                "[::1%eth0]",
                                "[v1.a]",
                                "[127.0.0.1]",
                                "h:",
                                ":80",
                                ":",
                                "h:0",
                                "h:080",
                                "h:65536",
                                "h:-1",
                                "h:+80",
                                "h:8 0",
                                "h%2eevil",
                                "h;a",
                                "h,evil",
                                "h'",
                                "\"h\"",
                                "http://h",
                                "[::1]]",
                                "[[::1]]",
                                "h]",
                                "h[",
                                "a:b:c",
                                "[1:2:3:4:5:6:7:8:9]",
                                "[::1]evil:80"}) {
    CAPTURE(bad);
    CHECK(parse(with_host(bad)) == "400");
  }
  CHECK(parse(with_host("h\0evil"s)) == "400");
  CHECK(parse(with_host(std::string(255, 'h'))).starts_with("GET"));
  CHECK(parse(with_host(std::string(256, 'h'))) == "400");
  check({
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\nhost: evil\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: h\r\nHost:\r\n\r\n", "400"},
      {"GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nX: 1\r\nH\xf6st: h\r\n\r\n", "400"},
  });
}

TEST_CASE("request: absolute form") {
  const std::string host = " HTTP/1.1\r\nHost: h\r\n\r\n";
  check({
      {"GET http://h/a?b" + host, "GET /a?b @h http none|Host=h"},
      {"GET HTTP://H/a" + host, "GET /a @H HTTP none|Host=h"},
      {"GET https://h/a" + host, "GET /a @h https none|Host=h"},
      {"GET http://h" + host, "GET / @h http none|Host=h"},
      {"GET http://h?x" + host, "GET /?x @h http none|Host=h"},
      {"OPTIONS http://h" + host, "OPTIONS * @h http none|Host=h"},
      {"OPTIONS http://h/" + host, "OPTIONS / @h http none|Host=h"},
      {"GET http://h:80/" + host, "GET / @h:80 http none|Host=h"},
      {"GET https://h:443/" + host, "GET / @h:443 https none|Host=h"},
      {"GET http://h/a HTTP/1.0\r\n\r\n", "GET /a @h http 1.0 none close"},
      {"GET http://h//a" + host, "GET //a @h http none|Host=h"},
      {"GET https://h:80/" + host, "400"},
      {"GET http://h:8080/" + host, "400"},
      {"GET http://evil/" + host, "400"},
      {"GET http://h.evil/" + host, "400"},
      {"GET http://h@evil/" + host, "400"},
      {"GET http://u@h/" + host, "400"},
      {"GET http://h:/" + host, "400"},
      {"GET http:///a" + host, "400"},
      {"GET http://" + host, "400"},
      {"GET http:/h/a" + host, "400"},
      {"GET http:h/a" + host, "400"},
      {"GET http:\\\\h\\a" + host, "400"},
      {"GET http://h\\a" + host, "400"},
      {"GET ftp://h/a" + host, "400"},
      {"GET file:///a" + host, "400"},
      {"GET javascript://h/a" + host, "400"},
      {"GET ws://h/a" + host, "400"},
      {"GET //h/a" + host, "400"},
      {"GET h/a" + host, "400"},
      {"GET h" + host, "400"},
      {"GET ?a" + host, "400"},
      {"GET *" + host, "400"},
      {"OPTIONS *a" + host, "400"},
      {"GET \\a" + host, "400"},
      {"GET http://h/a HTTP/1.1\r\n\r\n", "400"},
      {"GET http://h/a HTTP/1.1\r\nHost: h\r\nHost: evil\r\n\r\n", "400"},
  });
}

TEST_CASE("request: CONNECT and TRACE") {
  check({
      {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
       "CONNECT  @h:443 connect none close|Host=h:443"},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "CONNECT  @h:443 connect none close|Host=h"},
      {"CONNECT h:443 HTTP/1.0\r\n\r\n", "CONNECT  @h:443 connect 1.0 none close"},
      {"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
       "CONNECT  @[::1]:443 connect none close|Host=[::1]:443"},
      {"CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT h:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", "400"},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h:80\r\n\r\n", "400"},
      {"CONNECT h:443 HTTP/1.1\r\n\r\n", "400"},
      {"CONNECT h:0 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT u@h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT h:443/ HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT http://h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT * HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nContent-Length: 5\r\n\r\n", "400"},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"connect h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "400"},
      {"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", "405"},
      {"TRACK / HTTP/1.1\r\nHost: h\r\n\r\n", "405"},
      {"trace / HTTP/1.1\r\nHost: h\r\n\r\n", "405"},
  });
}

TEST_CASE("request: request lines") {
  const std::string host = "\r\nHost: h\r\n\r\n";
  check({
      {"GET  / HTTP/1.1" + host, "400"},
      {"GET /  HTTP/1.1" + host, "400"},
      {"GET / HTTP/1.1 " + host, "400"},
      {" GET / HTTP/1.1" + host, "400"},
      {"GET\t/ HTTP/1.1" + host, "400"},
      {"GET /\tHTTP/1.1" + host, "400"},
      {"GET / a HTTP/1.1" + host, "400"},
      {"GET /\v HTTP/1.1" + host, "400"},
      {"GET /", "more"},
      {"GET /\r\n\r\n", "400"},
      {"GET\r\n", "400"},
      {"GET \r\n", "400"},
      {"GET / \r\n", "400"},
      {"GET HTTP/1.1" + host, "400"},
      {" / HTTP/1.1" + host, "400"},
      {"/ HTTP/1.1" + host, "400"},
      {"GET / http/1.1" + host, "400"},
      {"GET / HTTP/1.1\nHost: h\n\n", "400"},
      {"GET / HTTP/1.1\rHost: h\r\r", "400"},
      {"GET / HTTP/1.1\r\nHost: h\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: h\r\n\n", "400"},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\r\n", "400"},
      {"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", "400"},
      {"\nGET / HTTP/1.1" + host, "400"},
      {"\r\n\r\n\r\nGET / HTTP/1.1" + host, "400"},
      {"\rGET / HTTP/1.1" + host, "400"},
      {"GET / HTTP/1.2" + host, "505"},
      {"GET / HTTP/1.9" + host, "505"},
      {"GET / HTTP/0.9" + host, "505"},
      {"GET / HTTP/2.0" + host, "505"},
      {"GET / HTTP/2" + host, "505"},
      {"GET / HTTP/3.0" + host, "505"},
      {"GET / HTTP/1.10" + host, "400"},
      {"GET / HTTP/1.01" + host, "400"},
      {"GET / HTTP/11" + host, "400"},
      {"GET / HTTP/1,1" + host, "400"},
      {"GET / HTTP/1." + host, "400"},
      {"GET / HTTP/" + host, "400"},
      {"GET / HTTP 1.1" + host, "400"},
      {"GET / HTTP/ 1.1" + host, "400"},
      {"GET / HTTP/+1.1" + host, "400"},
      {"GET / HTTPS/1.1" + host, "400"},
      {"GET / ICY/1.1" + host, "400"},
      {"GET / HTTP/1.1;x" + host, "400"},
      {"GET /a#b HTTP/1.1" + host, "400"},
      {"GET /# HTTP/1.1" + host, "400"},
      {"GET /a?b#c HTTP/1.1" + host, "400"},
      {"GET /\0 HTTP/1.1"s + host, "400"},
      {"GET /\r HTTP/1.1" + host, "400"},
      {"GET /\x7f HTTP/1.1" + host, "400"},
      {"GET /\xc3\xa9 HTTP/1.1" + host, "400"},
      {"G\0T / HTTP/1.1"s + host, "400"},
      {"G\xcbT / HTTP/1.1" + host, "400"},
      {"G(T / HTTP/1.1" + host, "400"},
      {"\"GET\" / HTTP/1.1" + host, "400"},
      {"GET: / HTTP/1.1" + host, "400"},
      // Other protocols.
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"\x16\x03\x01\x02", "400"},
      {"\x80\x2e\x01", "400"},
      {"\x05\x01", "400"},
      {"\x04\x01", "400"},
      {"\0"s, "400"},
      {"\xef\xbb\xbfGET / HTTP/1.1" + host, "400"},
      {"{\"jsonrpc\": \"2.0\"}", "400"},
      {"HTTP/1.1 200 OK\r\n\r\n", "400"},
      {"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1" + host, "400"},
  });
  CHECK(parse(std::string(32, 'M') + " / HTTP/1.1" + host).starts_with("MMM"));
  CHECK(parse(std::string(33, 'M') + " / HTTP/1.1" + host) == "501");
}

TEST_CASE("request: field lines") {
  check({
      {get(" X: folded\r\n"), "400"},
      {get("\tX: folded\r\n"), "400"},
      {get("X: a\r\n b\r\n"), "400"},
      {get("X: a\r\n\tb\r\n"), "400"},
      {get("X: a\r\n \r\n"), "400"},
      {get(": v\r\n"), "400"},
      {get("X\r\n"), "400"},
      {get("X \r\n"), "400"},
      {get("X : v\r\n"), "400"},
      {get("X Y: v\r\n"), "400"},
      {get("X\0: v\r\n"s), "400"},
      {get("X: a\0b\r\n"s), "400"},
      {get("X: a\rb\r\n"), "400"},
      {get("X: a\nb\r\n"), "400"},
      {get("X: a\r\r\n"), "400"},
      {get("X: a\x7f\r\n"), "400"},
      {get("X: a\x1b[0m\r\n"), "400"},
      {get("\"X\": v\r\n"), "400"},
      {get("X/Y: v\r\n"), "400"},
      {get("X[a]: v\r\n"), "400"},
      {get("X{a}: v\r\n"), "400"},
      {get("X\xc3\xa9: v\r\n"), "400"},
      {get("X: v\r\n\x85Y: v\r\n"), "400"},
  });
}

TEST_CASE("request: every byte at the delicate places") {
  const std::string token =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    CAPTURE(byte);
    const bool is_token = token.find(c) != std::string::npos;
    const bool visible = byte > 0x20 && byte < 0x7f;
    const std::string tail = " HTTP/1.1\r\nHost: h\r\n\r\n";
    const auto passes = [](const std::string& bytes) {
      return RequestParser({}).parse(bytes) == Progress::kDone;
    };
    CHECK(passes("G"s + c + "T /" + tail) == is_token);
    CHECK(passes(""s + c + "GET /" + tail) == is_token);
    CHECK(passes("GET"s + c + "/" + tail) == (c == ' '));
    CHECK(passes("GET /a"s + c + "b" + tail) == (visible && c != '#'));
    CHECK(passes("GET "s + c + "/a" + tail) == false);
    CHECK(passes("GET /"s + c + "HTTP/1.1\r\nHost: h\r\n\r\n") == (c == ' '));
    CHECK(passes("GET / HTTP/1."s + c + "\r\nHost: h\r\n\r\n") == (c == '0' || c == '1'));
    CHECK(passes("GET / HTTP/"s + c + ".1\r\nHost: h\r\n\r\n") == (c == '1'));
    CHECK(passes("GET / HTTP/1.1"s + c + "\r\nHost: h\r\n\r\n") == false);
    CHECK(passes("GET / HTTP/1.1"s + c + "\nHost: h\r\n\r\n") == (c == '\r'));
    CHECK(passes("GET / HTTP/1.1\r"s + c + "Host: h\r\n\r\n") == (c == '\n'));
    CHECK(passes("GET / HTTP/1.1\r\n"s + c + "Host: h\r\nHost: h\r\n\r\n") == is_token);
    CHECK(passes(get("X"s + c + "Y: v\r\n")) == (is_token || c == ':'));
    CHECK(passes(get("X"s + c + " v\r\n")) == (c == ':'));
    CHECK(passes(get("X: a"s + c + "b\r\n")) == (c == '\t' || (byte >= 0x20 && byte != 0x7f)));
    CHECK(passes(get("X:"s + c + "\r\n")) == (c == '\t' || (byte >= 0x20 && byte != 0x7f)));
    CHECK(passes(get("X: a\r"s + c)) == (c == '\n'));
    const bool in_host =
        std::isalnum(byte) || (byte && std::string("-._~").find(c) != std::string::npos);
    CHECK(passes("GET / HTTP/1.1\r\nHost: a"s + c + "b\r\n\r\n") == in_host);
    CHECK(passes("GET / HTTP/1.1\r\nHost: a:"s + c + "\r\n\r\n") == (c >= '1' && c <= '9'));
    CHECK(passes(post("Content-Length: 1"s + c + "2\r\n")) == (std::isdigit(byte) != 0));
    CHECK(passes(post("Content-Length: 12"s + c + "\r\n")) ==
          (std::isdigit(byte) != 0 || c == ' ' || c == '\t'));
    CHECK(passes(post("Transfer-Encoding: chunked"s + c + "\r\n")) == (c == ' ' || c == '\t'));
    CHECK(passes(post("Transfer-Encoding:"s + c + "chunked\r\n")) == (c == ' ' || c == '\t'));
    CHECK(passes(post("Transfer-Encoding"s + c + "chunked\r\n")) == (c == ':'));
  }
}

TEST_CASE("request: a byte that cannot be is refused when it comes, wherever it stands in a word") {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t before = 0; before < 17; ++before) {
      const char c = static_cast<char>(byte);
      CAPTURE(byte, before);
      const bool fits = c == '\t' || c == '\r' || (byte >= 0x20 && byte != 0x7f);
      const std::string value =
          std::string(before, 'v') + c + (c == '\r' ? "" : "vvvvvvvvvvvvvvvv");
      CHECK((RequestParser({}).parse("GET / HTTP/1.1\r\nHost: h\r\nX:" + value) ==
             Progress::kMore) == fits);
    }
  }
}

TEST_CASE("request: limits, at them and one past them") {
  const auto of_size = [](size_t size) {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    return start + std::string(size - start.size() - 4, 'v') + "\r\n\r\n";
  };
  HeadLimits limits;
  limits.head_bytes = 200;
  CHECK(parse(of_size(200), limits).starts_with("GET"));
  CHECK(parse(of_size(201), limits) == "431");
  CHECK(parse(of_size(200).substr(0, 199), limits) == "more");
  CHECK(parse(of_size(250).substr(0, 200), limits) == "431");
  CHECK(parse("GET /" + std::string(300, 'a'), limits) == "414");
  CHECK(parse("GET /" + std::string(194, 'a'), limits) == "more");
  CHECK(parse("GET /" + std::string(195, 'a'), limits) == "414");
  CHECK(parse(of_size(16 * 1024)).starts_with("GET"));
  CHECK(parse(of_size(16 * 1024 + 1)) == "431");

  limits = HeadLimits();
  limits.fields = 3;
  CHECK(parse(get("A: 1\r\nB: 2\r\n"), limits).starts_with("GET"));
  CHECK(parse(get("A: 1\r\nB: 2\r\nC: 3\r\n"), limits) == "431");
}

TEST_CASE("request: Connection") {
  check({
      {get("Connection: close\r\n"), "GET /p @h none close|Host=h|Connection=close"},
      {get("Connection: keep-alive, CLOSE\r\n"),
       "GET /p @h none close|Host=h|Connection=keep-alive, CLOSE"},
      {get("Connection: keep-alive\r\nConnection: close\r\n"),
       "GET /p @h none close|Host=h|Connection=keep-alive|Connection=close"},
      {get("Connection: closed\r\n"), "GET /p @h none|Host=h|Connection=closed"},
      {get("Proxy-Connection: close\r\n"), "GET /p @h none|Host=h|Proxy-Connection=close"},
      {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
       "GET / @ 1.0 none close|Connection=keep-alive, close"},
      // What it lists was never sent, but for what has a meaning of its own.
      {get("Connection: x-a, , X-B\r\nX-A: 1\r\nX-C: 3\r\nx-b: 2\r\nX-A: 4\r\n"),
       "GET /p @h none|Host=h|Connection=x-a, , X-B|X-C=3"},
      {get("X-A: 1\r\nConnection: close\r\nConnection: X-A\r\n"),
       "GET /p @h none close|Host=h|Connection=close|Connection=X-A"},
      {get("Connection: host, authorization, content-length\r\nAuthorization: a\r\nContent-Length: "
           "2\r\n"),
       "GET /p @h length 2|Host=h|Connection=host, authorization, content-length|Authorization=a|"
       "Content-Length=2"},
      {post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"),
       "POST /p @h chunked|Host=h|Connection=Transfer-Encoding|Transfer-Encoding=chunked"},
      {get("Connection: a b\r\n"), "400"},
      {get("Connection: \"close\"\r\n"), "400"},
  });
  std::string many = "Connection: x1";
  for (int i = 2; i <= 32; ++i) many += ",x" + std::to_string(i);
  CHECK(parse(get(many + "\r\n")).starts_with("GET"));
  CHECK(parse(get(many + ",x33\r\n")) == "400");
}

TEST_CASE("request: Expect") {
  const std::string length = "Content-Length: 5\r\n";
  check({
      {post("Expect: 100-continue\r\n" + length),
       "POST /p @h length 5 expect|Host=h|Expect=100-continue|Content-Length=5"},
      {post("Expect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n"),
       "POST /p @h chunked expect|Host=h|Expect=100-CONTINUE|Transfer-Encoding=chunked"},
      {get("Expect: 100-continue\r\n"), "GET /p @h none|Host=h|Expect=100-continue"},
      {"POST / HTTP/1.0\r\nExpect: 100-continue\r\n" + length + "\r\n",
       "POST / @ 1.0 length 5 close|Expect=100-continue|Content-Length=5"},
      {post("Expect: y 100-continue\r\n" + length), "417"},
      {post("Expect: 200-ok\r\n" + length), "417"},
      {post("Expect:\r\n" + length), "417"},
      {post("Expect: 100-continue, 100-continue\r\n" + length), "417"},
      {post("Expect: 100-continue\r\nExpect: 100-continue\r\n" + length), "417"},
      {post("Expect: 100-continue; a=b\r\n" + length), "417"},
  });
}

TEST_CASE("request: a parser is used again") {
  RequestParser parser({});
  CHECK(parser.parse(post("Content-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n")) ==
        Progress::kDone);
  parser.reset();
  const std::string next = get("");
  CHECK(parser.parse(next) == Progress::kDone);
  CHECK(testing::outcome(parser, Progress::kDone, next) == "GET /p @h none|Host=h");
  parser.reset();
  CHECK(parser.parse("\x16") == Progress::kFault);
  CHECK(parser.parse(next) == Progress::kFault);
  parser.reset();
  CHECK_FALSE(parser.fault());
  CHECK(parser.parse(next) == Progress::kDone);
}

TEST_CASE("fields: look-ups") {
  Fields fields;
  fields.list = {{"A", "1"}, {"b", "x, Y ,z"}, {"a", "2"}, {"C", ""}};
  CHECK(fields.count("a") == 2);
  CHECK(fields.count("d") == 0);
  CHECK_FALSE(fields.single("A"));
  CHECK_FALSE(fields.single("d"));
  CHECK(fields.single("B") == "x, Y ,z");
  CHECK(fields.single("c") == "");
  CHECK(fields.lists("B", "y"));
  CHECK(fields.lists("b", "z"));
  CHECK_FALSE(fields.lists("b", "xy"));
  CHECK_FALSE(fields.lists("c", "y"));
  CHECK(iequals("aZ-_", "Az-_"));
  CHECK_FALSE(iequals("a", "ab"));
  CHECK_FALSE(iequals("@", "`"));
}

}  // namespace
}  // namespace reeve::http
