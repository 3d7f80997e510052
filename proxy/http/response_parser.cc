// What a response head of an upstream must mean; an upstream may be as hostile as an agent.
//
// Tested by tests/proxy/response_parser_test.cc.
#include <utility>

#include "proxy/http/head_reader.h"
#include "proxy/http/parser.h"

namespace reeve::http {
namespace {

constexpr int kInterimMax = 16;

Fault judge(const HeadReading& reading, bool head_request, ResponseHead& head) {
  if (reading.wrong != nullptr) return {502, reading.wrong};
  head.status = reading.status;
  head.reason = reading.reason;
  head.minor_version = reading.minor_version;
  if (head.status == 101) return {502, "the upstream switched protocols unasked"};
  const FramingVerdict framing = judge_framing(reading);
  if (framing.fault) return {502, framing.fault.detail};
  head.framing = framing.framing;
  head.content_length = framing.content_length;
  head.has_content_length = framing.framing == Framing::kLength;
  head.keep_alive = !reading.close && (reading.minor_version == 1 || reading.keep_alive);
  if (head_request || head.status < 200 || head.status == 204 || head.status == 304) {
    // Whoever announces a body on a status that has none may well send it (RFC 9112, 6.3).
    if (head.status < 200 || head.status == 204) {
      head.keep_alive &= head.framing == Framing::kNone ||
                         (head.framing == Framing::kLength && head.content_length == 0);
    }
    head.framing = Framing::kNone;
  } else if (head.framing == Framing::kNone) {
    head.framing = Framing::kUntilClose;
    head.keep_alive = false;
  }
  if (!reading.nominates) return {};
  const Fault flood = drop_nominated(head.fields);
  return flood ? Fault{502, flood.detail} : flood;
}

void clear(ResponseHead& head) {
  std::vector<Field> kept = std::move(head.fields.list);
  kept.clear();
  head = ResponseHead();
  head.fields.list = std::move(kept);
}

}  // namespace

void ResponseParser::reset(std::string_view request_method) {
  scanner_.reset(HeadScanner::Start::kStatusLine);
  clear(head_);
  head_bytes_ = 0;
  interim_ = 0;
  fresh_ = true;
  head_request_ = request_method == "HEAD";
  fault_ = {};
}

// Reads one head at the beginning of `buffer`; `size` is how long it is.
Progress ResponseParser::parse_one(std::string_view buffer, size_t& size) {
  HeadReading reading(head_.fields);
  size = 0;
  if (fresh_ && !buffer.empty()) {
    // Tried once only, so that a head that drips in is not read over and over.
    fresh_ = false;
    size = read_response_head(buffer.substr(0, limits_.head_bytes), limits_.fields, reading);
  }
  if (size == 0) {
    const Progress progress = scanner_.scan(buffer, limits_);
    if (progress == Progress::kMore) return progress;
    if (progress == Progress::kFault) {
      fault_ = {502, scanner_.fault().detail};
      return progress;
    }
    size = scanner_.end();
    reading = HeadReading(head_.fields);
    if (read_response_head(buffer.substr(0, size), limits_.fields, reading) != size) {
      fault_ = {502, "a malformed head"};
      return Progress::kFault;
    }
  }
  fault_ = judge(reading, head_request_, head_);
  return fault_ ? Progress::kFault : Progress::kDone;
}

Progress ResponseParser::parse(std::string_view buffer) {
  while (!fault_) {
    size_t size = 0;
    const Progress progress = parse_one(buffer.substr(head_bytes_), size);
    if (progress == Progress::kMore) return progress;
    head_bytes_ += size;
    if (fault_ || head_.status >= 200) break;
    // An interim answer: the final one begins after it.
    if (++interim_ > kInterimMax || head_bytes_ > limits_.head_bytes || !head_.keep_alive) {
      fault_ = {502, "interim answers without end"};
      break;
    }
    scanner_.reset(HeadScanner::Start::kStatusLine);
    fresh_ = true;
    clear(head_);
  }
  return fault_ ? Progress::kFault : Progress::kDone;
}

}  // namespace reeve::http
