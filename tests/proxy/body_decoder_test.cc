// Bodies: every framing, from every cut, and what a chunked body may not contain.
#include <catch2/catch.hpp>
#include <cctype>
#include <string>
#include <string_view>

#include "proxy/http/parser.h"
#include "tests/proxy/feed.h"

namespace reeve::http {
namespace {

using namespace std::string_literals;

// Feeds `bytes` in pieces of `piece`; gives the body, then "." when done, "!" on a fault, and what
// was not consumed.
std::string decode(BodyDecoder& decoder, std::string_view bytes, size_t piece) {
  std::string out;
  size_t at = 0;
  while (at < bytes.size()) {
    const testing::Exact input(bytes.substr(at, piece));
    std::string_view rest = input.view();
    for (;;) {
      const BodyDecoder::Step step = decoder.step(rest);
      out += step.data;
      at += step.consumed;
      rest.remove_prefix(step.consumed);
      if (step.fault) {
        CHECK(step.fault.status == 400);
        CHECK_FALSE(decoder.complete_at_close());
        CHECK(decoder.step("0\r\n\r\n").fault);
        return out + "!";
      }
      if (step.done) {
        CHECK(decoder.complete_at_close());
        CHECK(decoder.step("more").consumed == 0);
        return out + "." + std::string(bytes.substr(at));
      }
      if (step.consumed == 0) break;
    }
    REQUIRE(rest.empty());
  }
  return out;
}

std::string decode_every_way(Framing framing, uint64_t length, std::string_view bytes) {
  BodyDecoder decoder;
  decoder.start(framing, length);
  const std::string expected = decode(decoder, bytes, std::max<size_t>(1, bytes.size()));
  for (size_t piece : {1, 2, 3, 5, 7}) {
    decoder.start(framing, length);
    CAPTURE(piece);
    CHECK(decode(decoder, bytes, piece) == expected);
  }
  for (size_t cut = 1; cut < bytes.size() && bytes.size() < 300; ++cut) {
    decoder.start(framing, length);
    std::string got = decode(decoder, bytes.substr(0, cut), cut);
    if (got.empty() || (got.back() != '!' && got.find('.') == std::string::npos)) {
      got += decode(decoder, bytes.substr(cut), bytes.size());
    } else if (got.back() != '!') {
      got += bytes.substr(cut);
    }
    CAPTURE(cut);
    CHECK(got == expected);
  }
  return expected;
}

std::string chunked(std::string_view bytes) {
  return decode_every_way(Framing::kChunked, 0, bytes);
}

struct Row {
  std::string bytes;
  std::string expected;
};

TEST_CASE("body: by length, without, and until close") {
  CHECK(decode_every_way(Framing::kLength, 5, "hello") == "hello.");
  CHECK(decode_every_way(Framing::kLength, 5, "helloGET /") == "hello.GET /");
  CHECK(decode_every_way(Framing::kLength, 5, "hell") == "hell");
  CHECK(decode_every_way(Framing::kUntilClose, 0, "hello") == "hello");

  BodyDecoder decoder;
  for (Framing framing : {Framing::kNone, Framing::kLength}) {
    decoder.start(framing, 0);
    const BodyDecoder::Step step = decoder.step("GET /");
    CHECK(step.done);
    CHECK(step.consumed == 0);
    CHECK(step.data.empty());
    CHECK(decoder.step("").done);
    CHECK(decoder.complete_at_close());
  }
  decoder.start(Framing::kLength, 5);
  CHECK_FALSE(decoder.step("hell").done);
  CHECK_FALSE(decoder.complete_at_close());
  CHECK(decoder.step("o").done);
  CHECK(decoder.complete_at_close());
  decoder.start(Framing::kUntilClose, 0);
  CHECK_FALSE(decoder.step("x").done);
  CHECK(decoder.complete_at_close());
  decoder.start(Framing::kChunked, 0);
  CHECK_FALSE(decoder.complete_at_close());
  CHECK_FALSE(decoder.step("0\r\n\r").done);
  CHECK_FALSE(decoder.complete_at_close());
}

TEST_CASE("body: one step takes the framing around its data") {
  BodyDecoder decoder;
  decoder.start(Framing::kChunked, 0);
  const std::string bytes = "5\r\nhello\r\n0\r\n\r\nGET";
  const BodyDecoder::Step step = decoder.step(bytes);
  CHECK(step.data == "hello");
  CHECK(step.done);
  CHECK(step.consumed == bytes.size() - 3);
}

TEST_CASE("body: chunked, as it should be") {
  const Row rows[] = {
      {"0\r\n\r\n", "."},
      {"5\r\nhello\r\n0\r\n\r\n", "hello."},
      {"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hello.GET / HTTP/1.1\r\n"},
      {"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc."},
      {"A\r\n0123456789\r\n000\r\n\r\n", "0123456789."},
      {"0005\r\nhello\r\n0\r\n\r\n", "hello."},
      {"0000000000000005\r\nhello\r\n0\r\n\r\n", "hello."},
      {"5;a=b;c;d=\"e;f\"\r\nhello\r\n0\r\n\r\n", "hello."},
      {"5;a=\"\\\"\\\\\xff\t\"\r\nhello\r\n0;last\r\n\r\n", "hello."},
      {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n."},
      {"5\r\nhello\r\n0\r\nX-Checksum: 1\r\nEmpty:\r\n\r\n", "hello."},
      {"0\r\nContent-Length: 5\r\nHost: evil\r\n\r\nhello", ".hello"},
      {"7fffffffffffffff\r\nx", "x"},
      {"5\r\nhel", "hel"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes);
    CHECK(chunked(row.bytes) == row.expected);
  }
}

TEST_CASE("body: chunked, as it must not be") {
  const Row rows[] = {
      // Sizes.
      {"\r\n", "!"},
      {"-5\r\nhello\r\n0\r\n\r\n", "!"},
      {"+5\r\nhello\r\n0\r\n\r\n", "!"},
      {"0x5\r\nhello\r\n0\r\n\r\n", "!"},
      {"x5\r\n", "!"},
      {" 5\r\nhello", "!"},
      {"5 \r\nhello", "!"},
      {"5\t\r\nhello", "!"},
      {"5 ;a\r\nhello", "!"},
      {"5,\r\n", "!"},
      {"5.0\r\n", "!"},
      {"5_0\r\n", "!"},
      {"5h\r\nhello", "!"},
      {"g\r\n", "!"},
      {"\"5\"\r\n", "!"},
      {"\xef\xbb\xbf"
       "5\r\n",
       "!"},
      {"\xd9\xa5\r\n", "!"},
      {"5\0\r\n"s, "!"},
      {"8000000000000000\r\n", "!"},
      {"ffffffffffffffff\r\n", "!"},
      {"10000000000000005\r\nhello", "!"},
      {"00000000000000005\r\nhello", "!"},
      {"zz\r\nhello\r\n0\r\n\r\n", "!"},
      {"deadbeefdeadbeefdead\r\n", "!"},
      {";a\r\nhello", "!"},
      // Line ends.
      {"5\nhello\n0\n\n", "!"},
      {"5\rhello\r\n", "!"},
      {"5\r\rhello", "!"},
      {"5\r\nhello\n0\r\n\r\n", "hello!"},
      {"5\r\nhello\r0\r\n\r\n", "hello!"},
      {"5\r\nhello0\r\n\r\n", "hello!"},
      {"5\r\nhello!\r\n0\r\n\r\n", "hello!"},
      {"5\r\nhello\r\n\r\n0\r\n\r\n", "hello!"},
      {"5\r\nhello\r\n\n0\r\n\r\n", "hello!"},
      {"4\r\nhello\r\n0\r\n\r\n", "hell!"},
      {"6\r\nhello\r\n0\r\n\r\n", "hello\r!"},
      {"0\r\n\n", "!"},
      {"0\n\r\n", "!"},
      {"0\r\n\rX", "!"},
      {"0\n\n", "!"},
      // Extensions.
      {"5;\r\nhello", "!"},
      {"5;;a\r\nhello", "!"},
      {"5; a\r\nhello", "!"},
      {"5;a \r\nhello", "!"},
      {"5;a=\r\nhello", "!"},
      {"5;a= b\r\nhello", "!"},
      {"5;=b\r\nhello", "!"},
      {"5;a=b=c\r\nhello", "!"},
      {"5;a=\"b\"c\r\nhello", "!"},
      {"5;a=\"b\nc\"\r\nhello", "!"},
      {"5;a=\"b\r\nc\"\r\nhello", "!"},
      {"5;a=\"b\\\r\nc\"\r\nhello", "!"},
      {"5;a\n\r\nhello", "!"},
      {"5;a\0\r\nhello"s, "!"},
      {"5;a=\"\0\"\r\nhello"s, "!"},
      {"5;a=\"open\r\nhello\r\n0\r\n\r\n", "!"},
      {"5;\x80\r\nhello", "!"},
      {"5;a@b\r\nhello", "!"},
      // Trailers.
      {"0\r\nX : 1\r\n\r\n", "!"},
      {"0\r\n X: 1\r\n\r\n", "!"},
      {"0\r\nX: a\r\n b\r\n\r\n", "!"},
      {"0\r\nX\r\n\r\n", "!"},
      {"0\r\n: 1\r\n\r\n", "!"},
      {"0\r\nX: a\nY: b\r\n\r\n", "!"},
      {"0\r\nX: a\rY: b\r\n\r\n", "!"},
      {"0\r\nX: a\0\r\n\r\n"s, "!"},
      {"0\r\nX\xff: a\r\n\r\n", "!"},
      {"0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "!"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes);
    CHECK(chunked(row.bytes) == row.expected);
  }
}

TEST_CASE("body: every byte at the delicate places of a chunk") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    CAPTURE(byte);
    const bool token =
        std::isalnum(byte) || (byte && "!#$%&'*+-.^_`|~"s.find(c) != std::string::npos);
    const bool text = c == '\t' || (byte >= 0x20 && byte != 0x7f);
    const auto faulty = [](const std::string& bytes) {
      BodyDecoder decoder;
      decoder.start(Framing::kChunked, 0);
      std::string_view rest = bytes;
      for (;;) {
        const BodyDecoder::Step step = decoder.step(rest);
        if (step.fault) return true;
        if (step.done || step.consumed == 0) return false;
        rest.remove_prefix(step.consumed);
      }
    };
    CHECK(faulty(""s + c) == !std::isxdigit(byte));
    CHECK(faulty("1"s + c) == !(std::isxdigit(byte) || c == ';' || c == '\r'));
    CHECK(faulty("1\r"s + c) == (c != '\n'));
    CHECK(faulty("1\r\na"s + c) == (c != '\r'));
    CHECK(faulty("1\r\na\r"s + c) == (c != '\n'));
    CHECK(faulty("1;"s + c) == !token);
    CHECK(faulty("1;a"s + c) == !(token || c == ';' || c == '=' || c == '\r'));
    CHECK(faulty("1;a="s + c) == !(token || c == '"'));
    CHECK(faulty("1;a=\""s + c) == !text);
    CHECK(faulty("1;a=\"\\"s + c) == !text);
    CHECK(faulty("1;a=\"\""s + c) == !(c == ';' || c == '\r'));
    CHECK(faulty("0\r\n"s + c) == !(token || c == '\r'));
    CHECK(faulty("0\r\n\r"s + c) == (c != '\n'));
    CHECK(faulty("0\r\nX"s + c) == !(token || c == ':'));
    CHECK(faulty("0\r\nX:"s + c) == !(text || c == '\r'));
    CHECK(faulty("0\r\nX:\r"s + c) == (c != '\n'));
  }
}

TEST_CASE("body: extensions and trailers share one bound") {
  const uint32_t most = BodyDecoder::kBodyExtraBytesMax;
  const std::string tail = "\r\nx\r\n0\r\n\r\n";
  // Counted: the bytes after the first `;` of a size line, with the CR, and the trailer section.
  CHECK(chunked("1;" + std::string(most - 2, 'a') + tail) == "x.");
  CHECK(chunked("1;" + std::string(most - 1, 'a') + tail) == "x!");
  CHECK(chunked("1;" + std::string(2 * most, 'a') + tail) == "!");
  std::string many;
  for (int i = 0; i < 20000; ++i)
    many += "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n";
  BodyDecoder decoder;
  decoder.start(Framing::kChunked, 0);
  CHECK(decode(decoder, many, many.size()).size() < 100);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "X-Trailer: value\r\n";
  CHECK(chunked(trailers + "\r\n") == "!");
  CHECK(chunked("0\r\nX: " + std::string(1 << 16, 'a') + "\r\n\r\n") == "!");
  // Sizes alone are not bounded: any number of small chunks is a body.
  std::string small;
  for (int i = 0; i < 10000; ++i) small += "1\r\nx\r\n";
  CHECK(chunked(small + "0\r\n\r\n") == std::string(10000, 'x') + ".");
}

}  // namespace
}  // namespace reeve::http
