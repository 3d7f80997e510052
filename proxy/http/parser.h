// Parsers are fed, they do not read: bytes in, done, more or fault out.
//
// A head that is there whole is read in one pass (head_reader.h); of any other HeadScanner
// (head_scanner.h: HeadLimits, Progress) checks the bytes as they come. What both let pass is
// refused here: ambiguous framing, unknown codings, a missing, double or malformed Host, odd
// methods and targets. Bodies are decoded by a small strict decoder of our own. README.md says why
// it is cut so.
#ifndef REEVE_PROXY_HTTP_PARSER_H_
#define REEVE_PROXY_HTTP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"

namespace reeve::http {

// One request head. parse() is called with all bytes received so far of this message, from its
// first byte, each time more have come; the buffer may have moved in between. Views in head() point
// into the buffer of the call that returned kDone. Work per byte is bounded: a head that drips in
// is not rescanned from the start each time.
class RequestParser {
 public:
  explicit RequestParser(HeadLimits limits) : limits_(limits) { reset(); }

  void reset();  // for the next message; keeps capacity; head() is invalid until the next kDone
  Progress parse(std::string_view buffer);

  const RequestHead& head() const { return head_; }
  // Consumed by the head and the one or two empty lines that may precede it, after kDone.
  size_t head_bytes() const { return head_bytes_; }
  Fault fault() const { return fault_; }

 private:
  HeadLimits limits_;
  HeadScanner scanner_;
  RequestHead head_;
  size_t head_bytes_ = 0;
  bool fresh_ = true;  // no bytes of this message have been seen yet
  Fault fault_;
};

// One response head from an upstream. Interim answers (1xx) are consumed silently, at most 16 of
// them and no more bytes than a head may have; an unasked 101 is a fault. Faults have status 502.
class ResponseParser {
 public:
  explicit ResponseParser(HeadLimits limits) : limits_(limits) { reset("GET"); }

  // `request_method` decides whether a body follows (HEAD).
  void reset(std::string_view request_method);
  Progress parse(std::string_view buffer);

  const ResponseHead& head() const { return head_; }
  size_t head_bytes() const { return head_bytes_; }  // interim ones included
  Fault fault() const { return fault_; }

 private:
  Progress parse_one(std::string_view buffer, size_t& size);

  HeadLimits limits_;
  HeadScanner scanner_;
  ResponseHead head_;
  size_t head_bytes_ = 0;  // of the heads that are whole
  int interim_ = 0;
  bool fresh_ = true;  // no bytes of this head have been seen yet
  bool head_request_ = false;
  Fault fault_;
};

// A body's bytes without their framing. Chunk extensions are checked and dropped, trailers too;
// together they are bounded (kBodyExtraBytesMax). Faults have status 400: for a response's body the
// caller answers 502, or cuts off.
class BodyDecoder {
 public:
  // Of chunk extensions and trailers together in one body. Nobody in the field sends the former,
  // and trailers carry a checksum or a few; without a bound both hide a second body.
  static constexpr uint32_t kBodyExtraBytesMax = 4096;

  void start(Framing framing, uint64_t content_length);

  struct Step {
    size_t consumed = 0;    // of the input
    std::string_view data;  // body bytes, a view into the input; may be empty
    bool done = false;      // the body is complete; what follows `consumed` is not its own
    Fault fault;            // for good; `data` is what preceded it
  };
  // Takes what it can, at most one run of data and the framing around it; call again with the rest
  // until nothing is consumed, `done` or a fault. Every byte is looked at once. With kUntilClose
  // the end of the connection is the end of the body: complete_at_close() says whether ending here
  // is.
  Step step(std::string_view input);
  bool complete_at_close() const;

 private:
  enum class State : uint8_t {
    kData,
    kUntilClose,
    kDone,
    kFault,  // of any framing; the rest is the chunked coding
    kSize,
    kExtensionName,
    kExtensionNameRest,
    kExtensionValue,
    kExtensionToken,
    kQuoted,
    kQuotedEscape,
    kQuotedEnd,
    kSizeLf,
    kChunkData,
    kDataCr,
    kDataLf,
    kTrailerBegin,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
  };

  bool chunked_byte(char c);
  bool size_byte(char c);
  bool after_extension_item(char c);
  bool trailer_begin(char c);
  bool go(State next);
  bool refuse(const char* detail);

  State state_ = State::kDone;
  uint8_t digits_ = 0;  // of the chunk size so far
  uint32_t extra_bytes_ = 0;
  uint64_t left_ = 0;  // of the body or of this chunk
  Fault fault_;
};

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_PARSER_H_
