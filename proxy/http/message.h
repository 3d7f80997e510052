// HTTP/1.1 messages as views into a connection's buffer.
#ifndef REEVE_PROXY_HTTP_MESSAGE_H_
#define REEVE_PROXY_HTTP_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "policy/call.h"
#include "proxy/http/field_name.h"

namespace reeve::http {

using policy::Field;

// How a body ends (RFC 9112, 6.3).
enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose };

// What is wrong with a message: the status to answer with, and a static sentence.
struct Fault {
  int status = 0;  // 0: no fault
  const char* detail = "";
  explicit operator bool() const { return status != 0; }
};

// Whether `a` and `b`, of the same length, differ at most in the case of ASCII letters.
bool same_letters(std::string_view a, std::string_view b);

// ASCII case-insensitive equality, for names.
inline bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_letters(a, b);
}

// Which name a field has; looks only where no parser has looked.
inline FieldName name_of(const Field& field) {
  return field.known != 0 ? static_cast<FieldName>(field.known) : field_name(field.name);
}

// Whether a field has this name, in any case.
inline bool has_name(const Field& field, const FieldKey& key) {
  const FieldName name = name_of(field);
  return name == key.name && (name >= kFirstListed || iequals(field.name, key.text));
}

struct Fields {
  std::vector<Field> list;  // in order, values without outer whitespace; capacity is reused
  // The bits of all names that `list` may hold (bit_of()): a parser knows. Whoever fills the list
  // otherwise leaves this as it is.
  uint64_t present = ~uint64_t{0};

  bool may_have(const FieldKey& key) const { return (present & bit_of(key.name)) != 0; }
  // The value of the only field of this name; nothing when absent or repeated.
  std::optional<std::string_view> single(FieldKey key) const;
  size_t count(FieldKey key) const;
  // Whether one of the comma-separated values of the fields `name` is `token` (case-insensitive).
  bool lists(FieldKey key, std::string_view token) const;
};

// A request that passed every check of parser.h. Views into the parsed buffer. Fields that
// `Connection` lists are not in `fields`, as though they had never been sent, so that nothing is
// judged by a field that is not forwarded; hop-by-hop, framing and credential fields stay.
struct RequestHead {
  std::string_view method;
  std::string_view target;  // as received
  std::string_view path;    // of the target, raw, begins with '/' (or is "*" for OPTIONS)
  std::string_view query;   // without '?'
  bool has_query = false;
  std::string_view authority;  // Host's value, or the target's, which agrees; "" only in HTTP/1.0
  std::string_view scheme;     // of an absolute-form target, else empty
  bool connect = false;        // authority-form CONNECT; path is empty
  int minor_version = 1;       // HTTP/1.x
  Fields fields;
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;  // of kLength
  bool keep_alive = true;
  bool expect_continue = false;  // a body follows once `100 Continue` was sent
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  Fields fields;  // without those that `Connection` lists
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;      // of kLength; of a body-less answer what it said, if it did
  bool has_content_length = false;  // said also where no body follows (HEAD, 304)
  bool keep_alive = true;
};

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_MESSAGE_H_
