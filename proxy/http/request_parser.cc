// What a request head must mean (RFC 9110, RFC 9112) once its syntax has been read.
//
// Tested by tests/proxy/request_parser_test.cc.
#include "proxy/http/authority.h"
#include "proxy/http/chars.h"
#include "proxy/http/head_reader.h"
#include "proxy/http/parser.h"

namespace reeve::http {
namespace {

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

bool same_host(const Authority& a, const Authority& b, uint16_t default_port) {
  const auto port = [default_port](const Authority& one) {
    return one.port == 0 ? default_port : one.port;
  };
  return iequals(a.host, b.host) && port(a) == port(b);
}

void split_query(std::string_view rest, RequestHead& head) {
  const size_t mark = rest.find('?');
  head.path = rest.substr(0, mark);
  head.has_query = mark != std::string_view::npos;
  head.query = head.has_query ? rest.substr(mark + 1) : std::string_view();
}

// host:port of CONNECT. Host may leave out the port, as clients do for the default one.
Fault read_connect_target(const std::optional<Authority>& host, RequestHead& head) {
  const std::optional<Authority> target = parse_authority(head.target);
  if (!target || target->port == 0) return {400, "the target of CONNECT is not `host:port`"};
  if (host && !same_host(*target, *host, target->port)) {
    return {400, "the target and Host name different authorities"};
  }
  head.connect = true;
  head.authority = head.target;
  return {};
}

Fault read_absolute_target(const std::optional<Authority>& host, RequestHead& head) {
  const bool secure = starts_with_nocase(head.target, "https://");
  if (!secure && !starts_with_nocase(head.target, "http://")) {
    return {400, "the target is neither a path nor an http or https URL"};
  }
  head.scheme = head.target.substr(0, secure ? 5 : 4);
  const std::string_view after = head.target.substr(head.scheme.size() + 3);
  const size_t end = after.find_first_of("/?");
  const std::string_view named = after.substr(0, end);
  const std::optional<Authority> target = parse_authority(named);
  if (!target) return {400, "a malformed host in the target"};
  if (host && !same_host(*target, *host, secure ? 443 : 80)) {
    return {400, "the target and Host name different authorities"};
  }
  head.authority = named;
  split_query(end == std::string_view::npos ? std::string_view() : after.substr(end), head);
  if (head.path.empty()) {  // RFC 9112, 3.2.4
    head.path = head.method == "OPTIONS" && !head.has_query ? "*" : "/";
  }
  return {};
}

Fault read_target(const HeadReading& reading, RequestHead& head) {
  if (reading.host.count > 1) return {400, "a repeated Host"};
  if (reading.host.count == 0 && reading.minor_version == 1) return {400, "Host is missing"};
  std::optional<Authority> host;
  if (reading.host.count == 1) {
    host = parse_authority(reading.host.value);
    if (!host) return {400, "a malformed Host"};
    head.authority = reading.host.value;
  }
  if (iequals(head.method, "TRACE") || iequals(head.method, "TRACK")) {
    return {405, "TRACE is not served"};
  }
  if (head.method == "CONNECT") return read_connect_target(host, head);
  if (head.target == "*") {
    if (head.method != "OPTIONS") return {400, "the target `*` is for OPTIONS"};
    head.path = head.target;
    return {};
  }
  if (head.target.front() != '/') return read_absolute_target(host, head);
  if (head.target.starts_with("//")) return {400, "the target begins with two slashes"};
  split_query(head.target, head);
  return {};
}

Fault read_expect(const SoleField& expect, RequestHead& head) {
  if (expect.count == 0 || head.minor_version == 0) return {};  // RFC 9110, 10.1.1
  if (expect.count > 1 || !iequals(expect.value, "100-continue")) {
    return {417, "an expectation other than `100-continue`"};
  }
  head.expect_continue = head.framing == Framing::kChunked || head.content_length > 0;
  return {};
}

Fault judge(const HeadReading& reading, RequestHead& head) {
  if (reading.wrong != nullptr) return {400, reading.wrong};
  head.method = reading.method;
  head.target = reading.target;
  head.minor_version = reading.minor_version;
  if (const Fault fault = read_target(reading, head)) return fault;
  const FramingVerdict framing = judge_framing(reading);
  if (framing.fault) return framing.fault;
  if (head.connect && framing.framing != Framing::kNone) return {400, "CONNECT has a body"};
  head.framing = framing.framing;
  head.content_length = framing.content_length;
  if (const Fault fault = read_expect(reading.expect, head)) return fault;
  // After CONNECT come a tunnel's bytes, which must not be read as requests if it is refused.
  head.keep_alive =
      !head.connect && !reading.close && (reading.minor_version == 1 || reading.keep_alive);
  return reading.nominates ? drop_nominated(head.fields) : Fault{};
}

}  // namespace

void RequestParser::reset() {
  scanner_.reset(HeadScanner::Start::kRequestLine);
  fault_ = {};
  head_bytes_ = 0;
  fresh_ = true;
  std::vector<Field> kept = std::move(head_.fields.list);
  kept.clear();
  head_ = RequestHead();
  head_.fields.list = std::move(kept);
}

Progress RequestParser::parse(std::string_view buffer) {
  if (fault_) return Progress::kFault;
  HeadReading reading(head_.fields);
  if (fresh_ && !buffer.empty()) {
    // Tried once only, so that a head that drips in is not read over and over.
    fresh_ = false;
    head_bytes_ = read_request_head(buffer.substr(0, limits_.head_bytes), limits_.fields, reading);
  }
  if (head_bytes_ == 0) {
    const Progress progress = scanner_.scan(buffer, limits_);
    if (progress == Progress::kMore) return progress;
    if (progress == Progress::kFault) {
      fault_ = scanner_.fault();
      return progress;
    }
    const std::string_view head =
        buffer.substr(scanner_.begin(), scanner_.end() - scanner_.begin());
    reading = HeadReading(head_.fields);
    if (read_request_head(head, limits_.fields, reading) != head.size()) {
      fault_ = {400, "a malformed head"};
      return Progress::kFault;
    }
    head_bytes_ = scanner_.end();
  }
  fault_ = judge(reading, head_);
  return fault_ ? Progress::kFault : Progress::kDone;
}

}  // namespace reeve::http
