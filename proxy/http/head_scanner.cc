// See head_scanner.h. One state per place in the grammar (RFC 9112, 3 to 5); the long runs
// (targets, names, values) are skipped in tight loops, every other byte goes through step().
//
// Tested by tests/proxy/request_parser_test.cc and response_parser_test.cc.
#include "proxy/http/head_scanner.h"

#include <algorithm>

#include "proxy/http/chars.h"
#include "proxy/http/scan.h"

namespace reeve::http {
namespace {

constexpr uint8_t kEmptyLinesMax = 2;  // RFC 9112, 2.2 asks for one
constexpr std::string_view kVersionPrefix = "HTTP/";

const char* describe_line_byte(char c, const char* otherwise) {
  if (c == '\n') return "a line ends with a bare LF";
  if (c == '\r') return "a bare CR";
  if (c == '\0') return "a NUL byte";
  return otherwise;
}

}  // namespace

void HeadScanner::reset(Start start) {
  *this = HeadScanner();
  state_ = start == Start::kRequestLine ? State::kRequestBegin : State::kStatusBegin;
}

Progress HeadScanner::scan(std::string_view buffer, const HeadLimits& limits) {
  if (state_ == State::kFault) return Progress::kFault;
  if (state_ == State::kDone) return Progress::kDone;
  const size_t size = std::min(buffer.size(), limits.head_bytes);
  if (at_ < size) {
    const char* const end = run(buffer.data() + at_, buffer.data() + size, limits);
    at_ = static_cast<size_t>(end - buffer.data());
  }
  if (state_ == State::kFault) return Progress::kFault;
  if (state_ == State::kDone) return Progress::kDone;
  if (at_ < limits.head_bytes) return Progress::kMore;
  if (in_start_line()) {
    refuse(414, "the start line is too long");
  } else {
    refuse(431, "the header fields are too large");
  }
  return Progress::kFault;
}

const char* HeadScanner::run(const char* p, const char* end, const HeadLimits& limits) {
  while (p != end) {
    switch (state_) {
      case State::kLineBegin:
        p = whole_lines(p, end, limits);
        break;
      case State::kTarget:
        if (const char* q = skip(p, end, kTargetChar); q != p) {
          matched_ = 1;
          p = q;
        }
        break;
      case State::kName:
        p = skip(p, end, kToken);
        break;
      case State::kValue:
      case State::kReason:
        p = skip_value(p, end);
        break;
      default:
        break;
    }
    if (p == end) break;
    const char c = *p++;
    if (!step(c, limits)) break;
  }
  return p;
}

// The usual case: field lines that are here to their end and have nothing odd. Stops before the
// first other one, which step() then judges.
const char* HeadScanner::whole_lines(const char* p, const char* end, const HeadLimits& limits) {
  while (fields_ < limits.fields) {
    const char* q = skip(p, end, kToken);
    if (q == p || q == end || *q != ':') return p;
    q = skip_value(q + 1, end);
    if (end - q < 2 || q[0] != '\r' || q[1] != '\n') return p;
    ++fields_;
    p = q + 2;
  }
  return p;
}

// Takes one byte; false when the head is over, well or badly.
bool HeadScanner::step(char c, const HeadLimits& limits) {
  switch (state_) {
    case State::kRequestBegin:
      return begin_request(c);
    case State::kEmptyLineLf:
      begin_ += 2;
      return expect_lf(c, State::kRequestBegin);
    case State::kMethod:
      if (c == ' ') {
        state_ = State::kTarget;
        matched_ = 0;
        return true;
      }
      if (!is(c, kToken)) return refuse(400, describe_line_byte(c, "the method is no token"));
      if (++matched_ > kMethodBytesMax) return refuse(501, "the method is too long");
      return true;
    case State::kTarget:
      if (c != ' ' || matched_ == 0) {
        return refuse(400, c == '#' ? "the target has a fragment"
                                    : "the request line is not method, target and version");
      }
      state_ = State::kRequestVersion;
      matched_ = 0;
      return true;
    case State::kRequestVersion:
      return request_version(c);
    case State::kStatusBegin:
      return status_line(c);
    case State::kReason:
      if (c != '\r') return refuse(400, describe_line_byte(c, "a control byte in the reason"));
      state_ = State::kStartLf;
      return true;
    case State::kStartLf:
      return expect_lf(c, State::kLineBegin);
    case State::kLineBegin:
      return begin_line(c, limits);
    case State::kName:
      if (c == ':') {
        state_ = State::kValue;
        return true;
      }
      if (c == ' ' || c == '\t') return refuse(400, "whitespace in or after a field name");
      return refuse(400, describe_line_byte(c, "a field name is no token"));
    case State::kValue:
      if (c == '\r') {
        state_ = State::kFieldLf;
        return true;
      }
      return refuse(400, describe_line_byte(c, "a control byte in a field value"));
    case State::kFieldLf:
      return expect_lf(c, State::kLineBegin);
    case State::kEndLf:
      return expect_lf(c, State::kDone) && false;
    case State::kDone:
    case State::kFault:
      break;
  }
  return false;
}

bool HeadScanner::begin_request(char c) {
  if (c == '\r') {
    if (++empty_lines_ > kEmptyLinesMax) return refuse(400, "empty lines before the request");
    state_ = State::kEmptyLineLf;
    return true;
  }
  if (!is(c, kToken)) return refuse(400, describe_line_byte(c, "no HTTP/1 request line"));
  state_ = State::kMethod;
  matched_ = 1;
  return true;
}

bool HeadScanner::begin_line(char c, const HeadLimits& limits) {
  if (c == '\r') {
    state_ = State::kEndLf;
    return true;
  }
  if (c == ' ' || c == '\t') return refuse(400, "a folded or indented field line");
  if (!is(c, kToken)) return refuse(400, describe_line_byte(c, "a field name is no token"));
  if (++fields_ > limits.fields) return refuse(431, "too many header fields");
  state_ = State::kName;
  return true;
}

constexpr const char* kOtherVersion =
    "not HTTP/1.0 or HTTP/1.1; HTTP/2 passes through a tunnel (CONNECT host:443) alone";

bool HeadScanner::request_version(char c) {
  const uint8_t i = matched_++;
  if (i < 5) {
    if (c == kVersionPrefix[i]) return true;
  } else if (i == 5) {
    if (c == '1') return true;
    if (is(c, kDigit)) return refuse(505, kOtherVersion);
  } else if (i == 6) {
    if (c == '.') return true;
  } else if (i == 7) {
    if (c == '0' || c == '1') return true;
    if (is(c, kDigit)) return refuse(505, kOtherVersion);
  } else if (c == '\r') {
    state_ = State::kStartLf;
    return true;
  }
  return refuse(400, describe_line_byte(c, "a malformed HTTP version"));
}

// HTTP/1.x SP 3DIGIT SP, of which the reason follows.
bool HeadScanner::status_line(char c) {
  const uint8_t i = matched_++;
  bool fits = false;
  if (i < 5) {
    fits = c == kVersionPrefix[i];
  } else if (i < 9) {
    constexpr std::string_view kPattern = "1.? ";
    fits = i == 7 ? c == '0' || c == '1' : c == kPattern[i - 5u];
  } else if (i < 12) {
    fits = i == 9 ? c >= '1' && c <= '5' : is(c, kDigit);
  } else {
    fits = c == ' ';
    state_ = State::kReason;
  }
  return fits || refuse(400, "a malformed status line");
}

bool HeadScanner::expect_lf(char c, State next) {
  if (c != '\n') return refuse(400, "a bare CR");
  state_ = next;
  return true;
}

bool HeadScanner::refuse(int status, const char* detail) {
  state_ = State::kFault;
  fault_ = Fault{status, detail};
  return false;
}

}  // namespace reeve::http
