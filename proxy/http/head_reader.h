// Reads a whole head in one pass: checks every byte, splits it into views, finds out which name
// each field has, and notes the fields that decide how the message is framed. Internal to http/.
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
  explicit HeadReading(Fields& to) : fields(&to) {}

  std::string_view method, target;  // of a request
  int status = 0;                   // of a response
  std::string_view reason;
  int minor_version = 1;
  Fields* fields;  // every field line, in order
  SoleField host, content_length, transfer_encoding, expect;
  bool close = false;  // options of Connection
  bool keep_alive = false;
  bool nominates = false;       // Connection lists other names too
  const char* wrong = nullptr;  // a value that is malformed though its bytes are not
};

// How many bytes at the beginning of `buffer` are a head; 0 when it does not begin with a whole one
// that HeadScanner would pass too, of at most `most_fields`. What else it may be is HeadScanner's
// to say; `out.fields` is then cleared. Empty lines before a request are not taken. Views point
// into `buffer`; nothing is allocated but the growth of `fields`.
size_t read_request_head(std::string_view buffer, size_t most_fields, HeadReading& out);
size_t read_response_head(std::string_view buffer, size_t most_fields, HeadReading& out);

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
