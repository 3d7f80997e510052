// The single pass over a head against two slower readers, on mutated heads (head_oracle.h).
#include "tests/proxy/head_oracle.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

namespace reeve::http {
namespace {

// Pieces that decide how a head is read, and bytes that stand in the way.
const std::vector<std::string> kPieces = {"\r\n",
                                          "\n",
                                          "\r",
                                          " ",
                                          "\t",
                                          ":",
                                          std::string(1, '\0'),
                                          "\x7f",
                                          "\x1f",
                                          "@",
                                          "[",
                                          "`",
                                          "\x80",
                                          "\xff",
                                          ",",
                                          "\"",
                                          "#",
                                          "Content-Length: 3\r\n",
                                          "content-length:3\r\n",
                                          "Content-Length: 0, 0\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "Transfer-Encoding: gzip, chunked\r\n",
                                          "Connection: close, x-a\r\n",
                                          "Connection: a b\r\n",
                                          "Connection: \"a\"\r\n",
                                          "Connection: ,,a,\r\n",
                                          "Proxy-Connection: a;b\r\n",
                                          "Proxy-Connection: keep-alive\r\n",
                                          "HOST: other\r\n",
                                          "x_y: 1\r\n",
                                          " folded: 1\r\n",
                                          "Upgrade: \"h2c\"\r\n",
                                          "\r\n\r\n",
                                          "\r\nHost\r\n: a\r\n",
                                          "HTTP/1.0",
                                          "HTTP/1.2",
                                          "1"};

std::string mutate(std::string bytes, std::mt19937& random) {
  for (unsigned n = random() % 4; n > 0; --n) {
    const size_t at = random() % (bytes.size() + 1);
    const std::string& piece = kPieces[random() % kPieces.size()];
    switch (random() % 6) {
      case 0:
        bytes.insert(at, piece);
        break;
      case 1: {  // at the beginning of a line
        const size_t line = bytes.find("\r\n", at);
        bytes.insert(line == std::string::npos ? bytes.size() : line + 2, piece);
        break;
      }
      case 2:
        bytes.erase(at, 1 + random() % 4);
        break;
      case 3:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
      case 4:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
        break;
      default:
        bytes.replace(at, std::min(piece.size(), bytes.size() - at), piece);
    }
    if (bytes.empty()) bytes = "G";
  }
  return bytes;
}

int rounds() { return std::getenv("REEVE_TEST_LONG") != nullptr ? 2'000'000 : 100'000; }

TEST_CASE("heads: one pass, the scanner and Beast agree about mutated requests") {
  const std::vector<std::string> seeds = {
      "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nX-A: 1\r\n\r\n",
      "POST /tools HTTP/1.1\r\nHost: 127.0.0.1:8700\r\nContent-Length: 5\r\nAuthorization: Bearer "
      "abcdef\r\nMcp-Session-Id: \t1\t \r\nX-Request-Id:1\r\n\r\nhello",
      "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: x-a, "
      "close\r\n\r\n0\r\n\r\n",
      "PUT http://h/a HTTP/1.0\r\nHost: h\r\nProxy-Connection: keep-alive\r\nx_a:\r\n\r\n"};
  std::mt19937 random(9110);
  int whole = 0;
  for (int round = 0; round < rounds(); ++round) {
    const std::string bytes = mutate(seeds[random() % seeds.size()], random);
    const std::string why = testing::request_disagreement(bytes);
    Fields fields;
    HeadReading reading(fields);
    whole += read_request_head(bytes, 200, reading) > 0;
    if (why.empty()) continue;
    CAPTURE(bytes, why);
    FAIL("the readers of requests disagree");
  }
  CHECK(whole > rounds() / 20);
}

TEST_CASE("heads: one pass, the scanner and Beast agree about mutated answers") {
  const std::vector<std::string> seeds = {
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 404 \r\nDate: now\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.0 103 Early\tHints\r\nLink: a\r\nConnection: keep-alive, x\r\n\r\n"};
  std::mt19937 random(9112);
  for (int round = 0; round < rounds(); ++round) {
    const std::string bytes = mutate(seeds[random() % seeds.size()], random);
    const std::string why = testing::response_disagreement(bytes);
    if (why.empty()) continue;
    CAPTURE(bytes, why);
    FAIL("the readers of answers disagree");
  }
}

TEST_CASE("field names: found in any case, and no other byte for a letter") {
  size_t at = static_cast<size_t>(kFirstListed);
  for (std::string_view name : kListedNames) {
    CAPTURE(name);
    const FieldName expected = static_cast<FieldName>(at++);
    std::string upper(name);
    for (char& c : upper) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c & ~0x20);
    }
    CHECK(field_name(name) == expected);
    CHECK(field_name(upper) == expected);
    CHECK(name.size() <= 32);
    for (size_t i = 0; i < name.size(); ++i) {
      for (int c = 0; c < 256; ++c) {
        std::string other(name);
        other[i] = static_cast<char>(c);
        if (iequals(other, name) != (field_name(other) == expected)) FAIL(other);
      }
      CHECK(field_name(name.substr(0, i)) != expected);
    }
    CHECK(field_name(std::string(name) + "s") != expected);
  }
  CHECK(field_name("") == FieldName::kOther);
  CHECK(field_name("x-custom") == FieldName::kOther);
  CHECK(field_name("x_custom") == FieldName::kUnderscore);
  CHECK(field_name("X-Forwarded-For") == FieldName::kClaim);
  CHECK(field_name("X-FORWARDED") == FieldName::kXForwarded);
  CHECK(field_name("Reeve-Agent") == FieldName::kClaim);
  CHECK(field_name("Mcp-Param-a") == FieldName::kMcpParam);
  CHECK(FieldKey("x_custom").name == FieldName::kUnderscore);
  CHECK(FieldKey("host").name == FieldName::kHost);
  CHECK(FieldKey("reeve-x").name == FieldName::kClaim);
}

}  // namespace
}  // namespace reeve::http
