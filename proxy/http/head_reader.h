// Splits a whole head into its parts with Beast's basic_parser, and notes the fields that decide
// how the message is framed. The one door to Beast: its headers stay in head_reader.cc.
// Internal to http/.
#ifndef REEVE_PROXY_HTTP_HEAD_READER_H_
#define REEVE_PROXY_HTTP_HEAD_READER_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/message.h"

namespace reeve::http {

// A field that must not be repeated.
struct SoleField {
  std::string_view value;  // of the last
  unsigned count = 0;
};

struct HeadReading {
  explicit HeadReading(Fields& into) : fields(into) {}

  std::string_view method, target;  // of a request
  int status = 0;                   // of a response
  std::string_view reason;
  int minor_version = 1;
  Fields& fields;  // every field line, in order
  SoleField host, content_length, transfer_encoding, expect;
  bool close = false;  // options of Connection
  bool keep_alive = false;
  bool nominates = false;  // Connection lists other names too
};

// Reads `head`, which HeadScanner let pass. Null on success, else what is wrong. Views point into
// `head`; nothing is allocated but the growth of `fields`.
const char* read_request_head(std::string_view head, HeadReading& out);
const char* read_response_head(std::string_view head, HeadReading& out);

// The framing that both directions share. Refuses a length beside a coding, repeated fields, a
// length that is not 1 to 19 digits up to 2^63-1, and any coding but `chunked`. kNone when neither
// is there.
struct FramingVerdict {
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;
  Fault fault;
};
FramingVerdict judge_framing(const HeadReading& reading);

// Takes the fields that Connection lists out of `fields`, but for hop-by-hop, framing and
// credential ones. A fault when it lists too much to be honest.
Fault drop_nominated(Fields& fields);

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_HEAD_READER_H_
