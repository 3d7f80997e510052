// Heads that reeve writes: exact bytes, what is never forwarded, and, for mutated requests, that an
// independent strict reader finds exactly what was judged.
#include "proxy/http/writer.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/parser.h"
#include "tests/proxy/strict_reader.h"

namespace reeve::http {
namespace {

using testing::StrictReader;

FieldPolicy passing(std::vector<std::string> names) {
  FieldPolicy policy;
  policy.pass_headers = std::move(names);
  return policy;
}

TEST_CASE("writer: what an agent's request may carry on") {
  const FieldPolicy none;
  for (std::string_view name : {"Accept",
                                "content-type",
                                "User-Agent",
                                "Mcp-Session-Id",
                                "MCP-Protocol-Version",
                                "traceparent",
                                "Idempotency-Key",
                                "If-None-Match",
                                "Range",
                                "X-Custom",
                                "Cookies",
                                "XCookie",
                                "X-Forward",
                                "X-Originals",
                                "Reeve",
                                "Hosts",
                                "Tea",
                                "Last-Event-ID",
                                "Origin",
                                "Date"}) {
    CAPTURE(name);
    CHECK(forwardable(name, none));
  }
  const std::vector<std::string_view> lifted = {"authorization",
                                                "Authorization",
                                                "X-API-Key",
                                                "Cookie",
                                                "COOKIE",
                                                "Forwarded",
                                                "X-Forwarded-For",
                                                "x-forwarded-host",
                                                "X-FORWARDED-PROTO",
                                                "X-Forwarded",
                                                "X-Real-IP",
                                                "X-HTTP-Method",
                                                "X-HTTP-Method-Override",
                                                "x-method-override",
                                                "X-Original-URL",
                                                "X-Original-Host",
                                                "X-Rewrite-URL",
                                                "reeve-agent",
                                                "Reeve-Anything",
                                                "Proxy",
                                                "X_Custom",
                                                "_",
                                                "a_b"};
  const std::vector<std::string_view> never = {"Connection",
                                               "Keep-Alive",
                                               "Proxy-Connection",
                                               "Proxy-Authenticate",
                                               "Proxy-Authorization",
                                               "TE",
                                               "te",
                                               "Trailer",
                                               "Transfer-Encoding",
                                               "TRANSFER-ENCODING",
                                               "Upgrade",
                                               "HTTP2-Settings",
                                               "Expect",
                                               "Content-Length",
                                               "content-LENGTH",
                                               "Host",
                                               "Transfer_Encoding",
                                               "Content_Length",
                                               "HTTP2_Settings",
                                               "Keep_Alive",
                                               "Proxy_Authorization"};
  for (std::string_view name : lifted) {
    CAPTURE(name);
    CHECK_FALSE(forwardable(name, none));
    CHECK(forwardable(name, passing({"other", std::string(name)})));
  }
  for (std::string_view name : never) {
    CAPTURE(name);
    CHECK_FALSE(forwardable(name, none));
    CHECK_FALSE(forwardable(name, passing({std::string(name)})));
  }
  FieldPolicy credential = passing({"x-key", "authorization"});
  credential.credential_name = "X-Key";
  CHECK_FALSE(forwardable("x-key", credential));
  CHECK(forwardable("X-Key", none));
  CHECK(forwardable("Authorization", credential));
}

std::string rewrite(std::string_view bytes, const FieldPolicy& policy,
                    std::vector<std::string_view> drop = {}, std::vector<Field> extra = {}) {
  RequestParser parser({});
  REQUIRE(parser.parse(bytes) == Progress::kDone);
  const RequestHead& head = parser.head();
  RequestTarget target{head.method, head.path, head.query, head.has_query, "up:1"};
  std::string out = "before|";
  write_request_head(out, target, head, policy, head.framing, head.content_length, drop, extra);
  REQUIRE(out.starts_with("before|"));
  return out.substr(7);
}

TEST_CASE("writer: request heads") {
  CHECK(rewrite(
            "GET http://h/a?b HTTP/1.0\r\nHost: h\r\nAccept:  x \r\nConnection: keep-alive\r\n\r\n",
            {}) == "GET /a?b HTTP/1.1\r\nHost: up:1\r\nAccept: x\r\n\r\n");
  CHECK(rewrite("GET /a? HTTP/1.1\r\nHost: h\r\n\r\n", {}) ==
        "GET /a? HTTP/1.1\r\nHost: up:1\r\n\r\n");
  CHECK(rewrite("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\nExpect: 100-continue\r\n\r\n",
                {}) == "POST / HTTP/1.1\r\nHost: up:1\r\nContent-Length: 7\r\n\r\n");
  CHECK(rewrite("PUT / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: CHUNKED\r\nTE: trailers\r\n\r\n",
                {}) == "PUT / HTTP/1.1\r\nHost: up:1\r\nTransfer-Encoding: chunked\r\n\r\n");
  // No length is said that was not said, whatever looks like one.
  CHECK(rewrite("POST / HTTP/1.1\r\nHost: h\r\nContent_Length: 5\r\n\r\n", {}) ==
        "POST / HTTP/1.1\r\nHost: up:1\r\n\r\n");
  CHECK(rewrite("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", {}) ==
        "GET / HTTP/1.1\r\nHost: up:1\r\nContent-Length: 0\r\n\r\n");
  CHECK(rewrite("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", {}) ==
        "OPTIONS * HTTP/1.1\r\nHost: up:1\r\n\r\n");

  // The credential comes exactly once, whatever the agent sent and listed.
  FieldPolicy policy = passing({"cookie"});
  policy.credential_name = "Authorization";
  policy.credential_value = "Bearer up";
  CHECK(rewrite("GET / HTTP/1.1\r\nHost: h\r\nConnection: Authorization, Host, X-A\r\n"
                "authorization: Bearer agent\r\nAuthorization_: x\r\nX-A: 1\r\nCookie: c\r\n\r\n",
                policy) ==
        "GET / HTTP/1.1\r\nHost: up:1\r\nCookie: c\r\nAuthorization: Bearer up\r\n\r\n");
  // A field that was lifted is still dropped when Connection lists it.
  CHECK(rewrite("GET / HTTP/1.1\r\nHost: h\r\nCookie: c\r\nConnection: cookie\r\n\r\n",
                passing({"cookie"})) == "GET / HTTP/1.1\r\nHost: up:1\r\n\r\n");
  // `drop` leaves out, `extra` adds and replaces.
  CHECK(
      rewrite("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\nTRACEPARENT: t\r\nA: 1\r\n\r\n",
              {}, {"accept-encoding"}, {{"traceparent", "new"}}) ==
      "GET / HTTP/1.1\r\nHost: up:1\r\nA: 1\r\ntraceparent: new\r\n\r\n");
}

TEST_CASE("writer: response heads") {
  Fields fields;
  fields.list = {{"Content-Type", "text/plain"},
                 {"Connection", "close"},
                 {"Keep-Alive", "5"},
                 {"Content-Length", "9"},
                 {"Transfer-Encoding", "chunked"},
                 {"Upgrade", "h2c"},
                 {"Trailer", "x"},
                 {"Proxy-Authenticate", "Basic"},
                 {"Alt-Svc", "h2=\":1\""},
                 {"Set-Cookie", "a=1"},
                 {"set-cookie", "b=2"},
                 {"Server-Timing", "x"},
                 {"X-Drop", "1"}};
  const std::string kept =
      "Content-Type: text/plain\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nServer-Timing: x\r\n";
  const std::string_view drop[] = {"x-drop"};
  const Field extra[] = {{"X-Extra", "1"}};
  const auto written = [&](int status, std::string_view reason, Framing framing, uint64_t length,
                           bool keep_alive, int minor_version) {
    std::string out;
    write_response_head(out, status, reason, fields, drop, extra, framing, length, keep_alive,
                        minor_version);
    return out;
  };
  CHECK(written(200, "Fine", Framing::kLength, 5, true, 1) ==
        "HTTP/1.1 200 Fine\r\n" + kept + "X-Extra: 1\r\nContent-Length: 5\r\n\r\n");
  CHECK(written(200, "", Framing::kChunked, 0, true, 1) ==
        "HTTP/1.1 200 OK\r\n" + kept + "X-Extra: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(written(200, "OK", Framing::kLength, 0, false, 1) ==
        "HTTP/1.1 200 OK\r\n" + kept +
            "X-Extra: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK(written(200, "OK", Framing::kLength, 3, true, 0) ==
        "HTTP/1.1 200 OK\r\n" + kept +
            "X-Extra: 1\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n");
  CHECK(written(200, "OK", Framing::kUntilClose, 0, true, 0) ==
        "HTTP/1.1 200 OK\r\n" + kept + "X-Extra: 1\r\nConnection: close\r\n\r\n");
  CHECK(written(200, "OK", Framing::kNone, 0, true, 1) ==
        "HTTP/1.1 200 OK\r\n" + kept + "X-Extra: 1\r\n\r\n");
  CHECK(written(204, "", Framing::kLength, 3, true, 1) ==
        "HTTP/1.1 204 No Content\r\n" + kept + "X-Extra: 1\r\n\r\n");
  CHECK(written(304, "", Framing::kLength, 3, true, 1) ==
        "HTTP/1.1 304 Not Modified\r\n" + kept + "X-Extra: 1\r\nContent-Length: 3\r\n\r\n");
}

TEST_CASE("writer: small answers and chunks") {
  const Field extra[] = {{"Retry-After", "1"}};
  std::string out;
  write_response(out, 403, "application/problem+json", "{}", extra, true, false);
  CHECK(out ==
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
        "Content-Length: 2\r\nConnection: keep-alive\r\n\r\n{}");
  out.clear();
  write_response(out, 400, "text/plain", "bad", {}, false, true);
  CHECK(out ==
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        "Connection: close\r\n\r\n");
  out.clear();
  write_response(out, 204, "text/plain", "bad", {}, true, false);
  CHECK(out == "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
  out.clear();
  write_response(out, 202, "", "", {}, true, false);
  CHECK(out == "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  out.clear();
  write_chunk_header(out, 26);
  write_chunk_header(out, 0);
  write_chunk_header(out, 0xffffffffffULL);
  CHECK(out == "1a\r\n0\r\nffffffffff\r\n");
  CHECK(reason_phrase(402) == "Payment Required");
  CHECK(reason_phrase(299) == "Unknown");
}

// --- What was judged is what is sent --------------------------------------------------------

std::string mutate(std::string bytes, std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"\r\n",
                                                   "\n",
                                                   "\r",
                                                   " ",
                                                   "\t",
                                                   ":",
                                                   std::string(1, '\0'),
                                                   "Content-Length: 3\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "Transfer-Encoding: cow\r\n",
                                                   "Host: evil\r\n",
                                                   "Connection: x-a\r\n",
                                                   "GET /evil HTTP/1.1\r\n",
                                                   "0\r\n\r\n",
                                                   "\r\n\r\n",
                                                   ",",
                                                   ";",
                                                   "_",
                                                   "\x80",
                                                   "\xff",
                                                   "chunked",
                                                   "http://h",
                                                   "HTTP/1.0",
                                                   "#",
                                                   "Expect: 100-continue\r\n",
                                                   "Upgrade: h2c\r\n",
                                                   "5",
                                                   "x_y: 1\r\n",
                                                   "Reeve-A: 1\r\n",
                                                   "//",
                                                   "?"};
  for (unsigned n = 1 + random() % 3; n > 0; --n) {
    const size_t at = random() % (bytes.size() + 1);
    switch (random() % 5) {
      case 0:
        bytes.insert(at, kPieces[random() % kPieces.size()]);
        break;
      case 1:
        bytes.erase(at, 1 + random() % 4);
        break;
      case 2:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
      case 3:
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 40));
        break;
      default: {
        const std::string& piece = kPieces[random() % kPieces.size()];
        bytes.replace(at, std::min(piece.size(), bytes.size() - at), piece);
      }
    }
    if (bytes.empty()) bytes = "G";
  }
  return bytes;
}

// Reads a whole request and writes it as it would be forwarded; false when it is refused or short.
bool forward(const std::string& bytes, RequestParser& parser, std::string& body, std::string& out) {
  parser.reset();
  if (parser.parse(bytes) != Progress::kDone) return false;
  const RequestHead& head = parser.head();
  if (head.connect) return false;
  BodyDecoder decoder;
  decoder.start(head.framing, head.content_length);
  std::string_view rest = std::string_view(bytes).substr(parser.head_bytes());
  out.clear();
  const RequestTarget target{head.method, head.path, head.query, head.has_query, "up"};
  write_request_head(out, target, head, {}, head.framing, head.content_length, {}, {});
  for (;;) {
    const BodyDecoder::Step step = decoder.step(rest);
    if (step.fault) return false;
    rest.remove_prefix(step.consumed);
    body += step.data;
    if (head.framing == Framing::kChunked && !step.data.empty()) {
      write_chunk_header(out, step.data.size());
      out.append(step.data).append("\r\n");
    } else {
      out.append(step.data);
    }
    if (step.done) break;
    if (step.consumed == 0) return false;
  }
  if (head.framing == Framing::kChunked) out += "0\r\n\r\n";
  return true;
}

TEST_CASE("writer: what is forwarded of a mutated request is one message, and the one judged") {
  const std::vector<std::string> seeds = {
      "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nX-A: 1\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhelloGET /x HTTP/1.1\r\n",
      "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: "
      "1\r\n\r\n",
      "PUT http://h/a HTTP/1.1\r\nHost: h\r\nConnection: x-a, close\r\nX-A: 1\r\nContent-Length: "
      "3\r\n\r\nabc",
      "POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\nCookie: a\r\n\r\nhi"};
  std::mt19937 random(9112);
  const int rounds = std::getenv("REEVE_TEST_LONG") != nullptr ? 1000000 : 100000;
  int passed = 0;
  RequestParser parser({});
  std::string body, out;
  for (int round = 0; round < rounds; ++round) {
    const std::string bytes = mutate(seeds[random() % seeds.size()], random);
    body.clear();
    if (!forward(bytes, parser, body, out)) continue;
    ++passed;
    const RequestHead& head = parser.head();
    const auto [violation, message] = StrictReader::request(out);
    std::string expected_target(head.path);
    if (head.has_query) expected_target.append("?").append(head.query);
    bool same = violation.empty() && message.first == head.method &&
                message.second == expected_target && message.body == body && message.rest.empty() &&
                message.all("host") == std::vector<std::string>{"up"};
    for (const auto& [name, value] : message.fields) {
      for (const char* gone :
           {"connection", "upgrade", "expect", "te", "cookie", "reeve-a", "x_y"}) {
        same = same && !iequals(name, gone);
      }
      const bool framing = iequals(name, "host") || iequals(name, "content-length") ||
                           iequals(name, "transfer-encoding");
      bool sent = framing;
      for (const Field& one : head.fields.list) sent |= one.name == name && one.value == value;
      same = same && sent;
    }
    if (same) continue;
    CAPTURE(bytes, out, violation);
    FAIL("what is forwarded is not what was judged");
  }
  CHECK(passed > rounds / 50);
}

}  // namespace
}  // namespace reeve::http
