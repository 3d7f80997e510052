// Walks a head byte by byte as it arrives, and refuses at the first byte that cannot be part of
// one.
//
// HeadReader takes a head that is there whole and has nothing odd. For all others somebody must
// find the end without looking at bytes over and over, count, say what is wrong, and hang up on
// TLS, SOCKS, HTTP/2, HTTP/0.9, bare LF and other bytes that would otherwise be awaited to a
// time-out. What passes here has CRLF line ends only, one space between the parts of the start
// line, token names directly before their colon, no folded line and no control byte but HTAB in a
// value. What fields mean is not judged here. Internal to http/.
#ifndef REEVE_PROXY_HTTP_HEAD_SCANNER_H_
#define REEVE_PROXY_HTTP_HEAD_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/message.h"

namespace reeve::http {

struct HeadLimits {
  size_t head_bytes = 16 * 1024;  // start line and fields; over it: 431 (414 for the start line)
  size_t fields = 200;
};

enum class Progress : uint8_t { kMore, kDone, kFault };

class HeadScanner {
 public:
  enum class Start : uint8_t { kRequestLine, kStatusLine };
  static constexpr uint8_t kMethodBytesMax = 32;

  void reset(Start start);

  // `buffer` begins where the head begins and holds all that has arrived; only what is new since
  // the last call is looked at. The verdict does not depend on where the bytes were cut.
  Progress scan(std::string_view buffer, const HeadLimits& limits);

  size_t begin() const { return begin_; }  // of the start line, after tolerated empty lines
  size_t end() const { return at_; }       // after kDone: past the empty line
  Fault fault() const { return fault_; }   // statuses as for a request

 private:
  enum class State : uint8_t {
    kRequestBegin,
    kEmptyLineLf,
    kMethod,
    kTarget,
    kRequestVersion,
    kStatusBegin,
    kReason,
    kStartLf,
    kLineBegin,
    kName,
    kValue,
    kFieldLf,
    kEndLf,
    kDone,
    kFault,
  };

  const char* run(const char* p, const char* end, const HeadLimits& limits);
  const char* whole_lines(const char* p, const char* end, const HeadLimits& limits);
  bool step(char c, const HeadLimits& limits);
  bool begin_request(char c);
  bool begin_line(char c, const HeadLimits& limits);
  bool request_version(char c);
  bool status_line(char c);
  bool expect_lf(char c, State next);
  bool refuse(int status, const char* detail);
  bool in_start_line() const { return state_ <= State::kStartLf; }

  State state_ = State::kRequestBegin;
  uint8_t matched_ = 0;  // characters of the method, the version or the status so far
  uint8_t empty_lines_ = 0;
  size_t begin_ = 0;
  size_t at_ = 0;
  size_t fields_ = 0;
  Fault fault_;
};

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_HEAD_SCANNER_H_
