// RFC 8446, 4.1.2 and 5.1; RFC 6066, 3. Two passes: the records are walked until the handshake
// message in them is whole, then the message is read once. All lengths must come out exactly: a
// message that a server could read differently is none. Extensions other than server_name, among
// them ECH and GREASE, are only walked over. Tested by tests/proxy/client_hello_test.cc.
#include "proxy/tls/client_hello.h"

#include <algorithm>
#include <bitset>
#include <optional>

#include "proxy/http/chars.h"

namespace reeve::tls {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHelloMessage = 1;
constexpr size_t kRecordHeader = 5;
constexpr size_t kRecordBytesMax = 16 * 1024;
constexpr size_t kMessageHeader = 4;
constexpr uint16_t kServerName = 0;
constexpr size_t kHostBytesMax = 255;

uint8_t byte(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

// Takes values off the front; once one is not there, none is.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::string_view> take(size_t size) {
    if (size > rest_.size()) return std::nullopt;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::optional<uint32_t> number(size_t size) {
    const auto bytes = take(size);
    if (!bytes) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | byte(*bytes, i);
    return value;
  }
  // A vector whose length stands before it in `size` bytes.
  std::optional<std::string_view> vector(size_t size) {
    const auto length = number(size);
    return length ? take(*length) : std::nullopt;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The body of the server_name extension: one host name.
const char* read_server_name(std::string_view body, std::string& name) {
  constexpr const char* kWrong = "a malformed server name";
  Reader reader(body);
  const auto list = reader.vector(2);
  if (!list || !reader.empty()) return kWrong;
  Reader entry(*list);
  const auto type = entry.number(1);
  const auto host = entry.vector(2);
  if (!type || *type != 0 || !host || !entry.empty()) return kWrong;
  if (host->empty() || host->size() > kHostBytesMax) return kWrong;
  if (!std::all_of(host->begin(), host->end(), [](char c) { return http::is(c, http::kHostChar); }))
    return kWrong;
  name = *host;
  std::transform(name.begin(), name.end(), name.begin(), http::to_lower);
  return nullptr;
}

const char* read_extensions(std::string_view list, std::string& name) {
  std::bitset<65536> seen;
  Reader reader(list);
  while (!reader.empty()) {
    const auto type = reader.number(2);
    const auto body = reader.vector(2);
    if (!type || !body) return "a malformed extension";
    if (seen.test(*type)) return "a repeated extension";
    seen.set(*type);
    if (*type != kServerName) continue;
    if (const char* wrong = read_server_name(*body, name)) return wrong;
  }
  return nullptr;
}

// What follows the handshake's header.
const char* read_message(std::string_view message, std::string& name) {
  Reader reader(message);
  const auto version = reader.number(2);
  const auto random = reader.take(32);
  const auto session = reader.vector(1);
  const auto suites = reader.vector(2);
  const auto compressions = reader.vector(1);
  if (!version || !random || !session || !suites || !compressions) return "a ClientHello cut short";
  if (*version >> 8 != 3) return "a version that is not of TLS";
  if (session->size() > 32) return "a session id of over 32 bytes";
  if (suites->empty() || suites->size() % 2 != 0) return "a malformed list of cipher suites";
  if (compressions->empty()) return "a malformed list of compressions";
  if (reader.empty()) return nullptr;  // TLS 1.2 without extensions
  const auto extensions = reader.vector(2);
  if (!extensions || !reader.empty()) return "a malformed list of extensions";
  return read_extensions(*extensions, name);
}

struct Gathered {
  Flight flight = Flight::kMore;
  const char* detail = "";
  std::string message;  // with its header, once whole
};

Gathered fail(Flight flight, const char* detail) { return {flight, detail, {}}; }

// How long the message is that begins here, once its header is; checks what is there of it.
const char* message_length(std::string_view begin, size_t& length) {
  length = 0;
  if (!begin.empty() && byte(begin, 0) != kClientHelloMessage) return "no ClientHello";
  if (begin.size() < kMessageHeader) return nullptr;
  length = kMessageHeader + *Reader(begin.substr(1)).number(3);
  return length > kFlightBytesMax ? "a ClientHello that is too long" : nullptr;
}

// The message out of its records.
Gathered gather(std::string_view bytes) {
  Gathered out;
  for (;;) {
    if (!bytes.empty() && byte(bytes, 0) != kHandshakeRecord) {
      return out.message.empty() ? fail(Flight::kNotTls, "no TLS handshake")
                                 : fail(Flight::kBad, "another record within the ClientHello");
    }
    const bool tls = (bytes.size() < 2 || byte(bytes, 1) == 3) &&
                     (bytes.size() < 3 || (byte(bytes, 2) >= 1 && byte(bytes, 2) <= 3));
    if (!tls) return fail(out.message.empty() ? Flight::kNotTls : Flight::kBad, "no TLS record");
    if (bytes.size() < kRecordHeader) return out;
    const size_t size = *Reader(bytes.substr(3)).number(2);
    if (size == 0 || size > kRecordBytesMax) return fail(Flight::kBad, "a record of a wrong size");
    const std::string_view part = bytes.substr(kRecordHeader, size);
    out.message += part;
    size_t length = 0;
    if (const char* wrong = message_length(out.message, length)) return fail(Flight::kBad, wrong);
    const size_t left_out = size - part.size();
    if (length != 0 && out.message.size() + left_out > length) {
      return fail(Flight::kBad, "bytes behind the ClientHello in its record");
    }
    if (left_out > 0) return out;
    if (length != 0 && out.message.size() == length) {
      out.flight = Flight::kHello;
      return out;
    }
    bytes.remove_prefix(kRecordHeader + size);
  }
}

}  // namespace

ClientHello read_client_hello(std::string_view bytes) {
  const Gathered gathered = gather(bytes.substr(0, kFlightBytesMax));
  ClientHello hello;
  hello.flight = gathered.flight;
  hello.detail = gathered.detail;
  if (hello.flight == Flight::kMore && bytes.size() >= kFlightBytesMax) {
    hello.flight = Flight::kBad;
    hello.detail = "a ClientHello that is too long";
  }
  if (hello.flight != Flight::kHello) return hello;
  const std::string_view message = std::string_view(gathered.message).substr(kMessageHeader);
  if (const char* wrong = read_message(message, hello.server_name)) {
    hello = {Flight::kBad, {}, wrong};
  }
  return hello;
}

}  // namespace reeve::tls
