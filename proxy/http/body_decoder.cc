// The chunked coding of RFC 9112, 7.1, without its leniencies: hexadecimal digits and nothing else,
// CRLF and nothing else, no whitespace around the parts of an extension. basic_parser would take a
// megabyte of extensions and hand trailers out as fields, and it looks at bytes again when they
// drip in; this takes each byte once, from any cut.
//
// Tested by tests/proxy/body_decoder_test.cc.
#include <algorithm>
#include <limits>

#include "proxy/http/chars.h"
#include "proxy/http/parser.h"

namespace reeve::http {
namespace {

constexpr uint8_t kSizeDigitsMax = 16;  // 64 bits: no overflow

uint64_t hex_value(char c) {
  return static_cast<uint64_t>(c <= '9' ? c - '0' : to_lower(c) - 'a' + 10);
}

}  // namespace

void BodyDecoder::start(Framing framing, uint64_t content_length) {
  *this = BodyDecoder();
  switch (framing) {
    case Framing::kNone:
      break;
    case Framing::kLength:
      left_ = content_length;
      if (left_ > 0) state_ = State::kData;
      break;
    case Framing::kChunked:
      state_ = State::kSize;
      break;
    case Framing::kUntilClose:
      state_ = State::kUntilClose;
      break;
  }
}

bool BodyDecoder::complete_at_close() const {
  return state_ == State::kDone || state_ == State::kUntilClose;
}

BodyDecoder::Step BodyDecoder::step(std::string_view input) {
  Step result;
  while (result.consumed < input.size() && state_ != State::kDone && state_ != State::kFault) {
    if (state_ != State::kData && state_ != State::kChunkData && state_ != State::kUntilClose) {
      if (chunked_byte(input[result.consumed])) ++result.consumed;
      continue;
    }
    if (!result.data.empty()) break;  // a second run: the next step's
    result.data = input.substr(result.consumed);
    if (state_ != State::kUntilClose) {
      result.data = result.data.substr(0, std::min<uint64_t>(result.data.size(), left_));
      left_ -= result.data.size();
      if (left_ == 0) state_ = state_ == State::kData ? State::kDone : State::kDataCr;
    }
    result.consumed += result.data.size();
  }
  result.done = state_ == State::kDone;
  result.fault = fault_;
  return result;
}

bool BodyDecoder::go(State next) {
  state_ = next;
  return true;
}

bool BodyDecoder::refuse(const char* detail) {
  fault_ = {400, detail};
  state_ = State::kFault;
  return false;
}

// Takes one byte of the coding itself; false when it refuses.
bool BodyDecoder::chunked_byte(char c) {
  if (state_ >= State::kExtensionName && state_ <= State::kQuotedEnd) ++extra_bytes_;
  if (state_ >= State::kTrailerBegin && state_ <= State::kTrailerLf) ++extra_bytes_;
  if (extra_bytes_ > kBodyExtraBytesMax) return refuse("too many chunk extensions or trailers");
  switch (state_) {
    case State::kSize:
      return size_byte(c);
    case State::kExtensionName:
      return is(c, kToken) ? go(State::kExtensionNameRest) : refuse("a malformed chunk extension");
    case State::kExtensionNameRest:
      if (is(c, kToken)) return true;
      return c == '=' ? go(State::kExtensionValue) : after_extension_item(c);
    case State::kExtensionValue:
      if (c == '"') return go(State::kQuoted);
      return is(c, kToken) ? go(State::kExtensionToken) : refuse("a malformed chunk extension");
    case State::kExtensionToken:
      return is(c, kToken) || after_extension_item(c);
    case State::kQuoted:
      if (c == '"') return go(State::kQuotedEnd);
      if (c == '\\') return go(State::kQuotedEscape);
      return is(c, kQuotedText) || refuse("a malformed chunk extension");
    case State::kQuotedEscape:
      return is(c, kFieldValue) ? go(State::kQuoted) : refuse("a malformed chunk extension");
    case State::kQuotedEnd:
      return after_extension_item(c);
    case State::kSizeLf:
      if (c != '\n') return refuse("a chunk size does not end with CRLF");
      digits_ = 0;
      return go(left_ > 0 ? State::kChunkData : State::kTrailerBegin);
    case State::kDataCr:
      return c == '\r' ? go(State::kDataLf) : refuse("a chunk does not end where its size says");
    case State::kDataLf:
      return c == '\n' ? go(State::kSize) : refuse("a chunk does not end with CRLF");
    case State::kTrailerBegin:
      return trailer_begin(c);
    case State::kTrailerName:
      if (is(c, kToken)) return true;
      return c == ':' ? go(State::kTrailerValue) : refuse("a malformed trailer field");
    case State::kTrailerValue:
      if (c == '\r') return go(State::kTrailerLf);
      return is(c, kFieldValue) || refuse("a malformed trailer field");
    case State::kTrailerLf:
      return c == '\n' ? go(State::kTrailerBegin) : refuse("a trailer field has a bare CR");
    case State::kEndLf:
      return c == '\n' ? go(State::kDone) : refuse("the body does not end with CRLF");
    default:
      return refuse("no chunked body");
  }
}

bool BodyDecoder::size_byte(char c) {
  if (is(c, kHexDigit)) {
    if (++digits_ > kSizeDigitsMax) return refuse("a chunk size is too long");
    left_ = left_ << 4 | hex_value(c);
    return left_ <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
           refuse("a chunk is too large");
  }
  if (digits_ == 0) return refuse("a chunk size is missing");
  return after_extension_item(c);
}

bool BodyDecoder::after_extension_item(char c) {
  if (c == ';') return go(State::kExtensionName);
  if (c == '\r') return go(State::kSizeLf);
  return refuse("a malformed chunk size or extension");
}

bool BodyDecoder::trailer_begin(char c) {
  if (c == '\r') return go(State::kEndLf);
  return is(c, kToken) ? go(State::kTrailerName) : refuse("a malformed trailer field");
}

}  // namespace reeve::http
