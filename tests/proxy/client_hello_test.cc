// Flights by hand, wrong in one place each, and OpenSSL's own, cut at every byte.
#include "proxy/tls/client_hello.h"

#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

namespace reeve::tls {
namespace {

std::string big_endian(size_t value, size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[size - 1 - i] = static_cast<char>(value >> (8 * i));
  return out;
}
std::string vector(size_t length_size, const std::string& bytes) {
  return big_endian(bytes.size(), length_size) + bytes;
}
std::string extension(size_t type, const std::string& body) {
  return big_endian(type, 2) + vector(2, body);
}
std::string server_name(const std::string& name) {
  return extension(0, vector(2, std::string(1, '\0') + vector(2, name)));
}

struct Parts {
  std::string version = "\x03\x03";
  std::string session = vector(1, std::string(32, 's'));
  std::string suites = vector(2, "\x13\x01\xfa\xfa");
  std::string compressions = vector(1, std::string(1, '\0'));
  std::string extensions = vector(2, server_name("a.example"));
  std::string behind;
};

std::string message(const Parts& parts, char type = 1) {
  return type + vector(3, parts.version + std::string(32, 'r') + parts.session + parts.suites +
                              parts.compressions + parts.extensions + parts.behind);
}
std::string record(const std::string& bytes, const std::string& head = "\x16\x03\x01") {
  return head + vector(2, bytes);
}
Parts with(const std::string& extensions) {
  Parts parts;
  parts.extensions = vector(2, extensions);
  return parts;
}

std::string outcome(const ClientHello& hello) {
  switch (hello.flight) {
    case Flight::kMore:
      return "more";
    case Flight::kHello:
      return "hello " + hello.server_name;
    case Flight::kNotTls:
      return "not tls";
    case Flight::kBad:
      return "bad";
  }
  return "";
}

// The outcome; every prefix has the same or needs more, in a buffer of just its size.
std::string read(const std::string& bytes) {
  const std::string whole = outcome(read_client_hello(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    const std::string part = outcome(read_client_hello({exact.data(), exact.size()}));
    CAPTURE(size, part, whole);
    if (part != "more") CHECK(part == whole);
  }
  return whole;
}

TEST_CASE("a ClientHello names its server") {
  CHECK(read(record(message({}))) == "hello a.example");
  CHECK(read(record(message({}), "\x16\x03\x03")) == "hello a.example");
  CHECK(read(record(message(with(server_name("A.Example"))))) == "hello a.example");
  CHECK(read(record(message(with("")))) == "hello ");
  Parts old;
  old.extensions.clear();
  CHECK(read(record(message(old))) == "hello ");
  // GREASE before, ECH after, early data behind: all of no interest.
  const std::string more = extension(0x0a0a, "") + server_name("a.example") +
                           extension(0xfe0d, std::string(200, 'e')) + extension(0xdada, "x");
  CHECK(read(record(message(with(more)))) == "hello a.example");
  CHECK(read(record(message({})) + record("early", "\x17\x03\x03")) == "hello a.example");
  CHECK(read(record(message({})) + std::string(100, '\xff')) == "hello a.example");
}

TEST_CASE("a ClientHello may be split over records, at any byte") {
  const std::string whole = message({});
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK(outcome(read_client_hello(record(whole.substr(0, cut)) + record(whole.substr(cut)))) ==
          "hello a.example");
  }
  std::string drops;
  for (const char c : whole) drops += record(std::string(1, c));
  CHECK(read(drops) == "hello a.example");
  const std::string first = record(whole.substr(0, 50));
  CHECK(read(first) == "more");
  CHECK(read(first + record(whole.substr(50), "\x17\x03\x03")) == "bad");
  CHECK(read(first + record(whole.substr(50), "\x16\x03\x04")) == "bad");
  CHECK(read(first + record("")) == "bad");
}

TEST_CASE("other bytes are not TLS") {
  for (const std::string bytes :
       {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x80\x2e\x01\x03\x01", "\x16\x02\x01",
        "\x16\x03\x04", "\x15\x03\x01", "\x17\x03\x03", "\x14\x03\x03"}) {
    CAPTURE(bytes);
    CHECK(read(bytes) == "not tls");
  }
  CHECK(read(std::string("\x16\x03\x00\x00\x05", 5)) == "not tls");  // SSL 3
  CHECK(read("") == "more");
}

TEST_CASE("a ClientHello with another reading is bad") {
  Parts parts;
  CHECK(read(record(message({}, 2))) == "bad");             // ServerHello
  CHECK(read(record(message({}) + message({}))) == "bad");  // two in one record
  CHECK(read(record(message({}) + "x")) == "bad");
  CHECK(read(record("")) == "bad");
  CHECK(read(record(std::string("\x01\0\0\0", 4))) == "bad");
  parts.version = "\x02\x03";
  CHECK(read(record(message(parts))) == "bad");
  parts = {};
  parts.session = vector(1, std::string(33, 's'));
  CHECK(read(record(message(parts))) == "bad");
  for (const std::string& suites : {std::string(), std::string("abc")}) {
    parts = {};
    parts.suites = vector(2, suites);
    CHECK(read(record(message(parts))) == "bad");
  }
  parts = {};
  parts.compressions = vector(1, "");
  CHECK(read(record(message(parts))) == "bad");
  parts = {};
  parts.behind = "x";
  CHECK(read(record(message(parts))) == "bad");
  parts.extensions.clear();
  CHECK(read(record(message(parts))) == "bad");
  const std::string sni = server_name("a.example");
  const std::string entry = std::string(1, '\0') + vector(2, "a.example");
  for (const std::string& extensions : {
           sni + sni,
           sni + extension(5, "") + extension(5, ""),
           sni.substr(0, sni.size() - 1),
           sni + "x",
           server_name(""),
           server_name(std::string(256, 'a')),
           server_name(std::string("a.example\0", 10)),
           server_name("a.example b"),
           server_name("a.ex\xc3\xa4mple"),
           extension(0, ""),
           extension(0, vector(2, "")),
           extension(0, vector(2, entry + entry)),
           extension(0, vector(2, "\x01" + vector(2, "a.example"))),
           extension(0, vector(2, entry) + "x"),
           extension(0, vector(2, entry + "x")),
       }) {
    CHECK(read(record(message(with(extensions)))) == "bad");
  }
  CHECK(read(record(message(with(server_name(std::string(255, 'a')))))) ==
        "hello " + std::string(255, 'a'));
}

TEST_CASE("a flight is bounded, at the limit and one past it") {
  const size_t around = record(message(with(server_name("a.example") + extension(21, "")))).size();
  const auto padded = [&](size_t size) {
    return record(
        message(with(server_name("a.example") + extension(21, std::string(size - around, '\0')))));
  };
  const std::string longest = padded(kFlightBytesMax);
  REQUIRE(longest.size() == kFlightBytesMax);
  CHECK(outcome(read_client_hello(longest)) == "hello a.example");
  CHECK(outcome(read_client_hello(longest.substr(0, kFlightBytesMax - 1))) == "more");
  const std::string longer = padded(kFlightBytesMax + 1);
  CHECK(outcome(read_client_hello(longer)) == "bad");
  CHECK(outcome(read_client_hello(std::string("\x16\x03\x01\x40\x00\x01\x00\x40\x00", 9))) ==
        "bad");
  CHECK(outcome(read_client_hello(std::string("\x16\x03\x01\x40\x01", 5))) == "bad");
  // Records of one byte each use it up.
  std::string drops;
  for (const char c : padded(kFlightBytesMax)) drops += record(std::string(1, c));
  CHECK(outcome(read_client_hello(drops)) == "bad");
}

TEST_CASE("OpenSSL's ClientHello is read, with and without a name") {
  for (const std::string host : {"docs.acme.example", ""}) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
        SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(context.get()), SSL_free);
    BIO* const sent = BIO_new(BIO_s_mem());
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), sent);
    if (!host.empty()) SSL_set_tlsext_host_name(client.get(), host.c_str());
    SSL_connect(client.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(sent, &data);
    CHECK(read(std::string(data, static_cast<size_t>(size))) == "hello " + host);
  }
}

}  // namespace
}  // namespace reeve::tls
