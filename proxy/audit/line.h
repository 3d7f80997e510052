// The shape of one line of the record, read from its bytes without a JSON parser: what the journal
// writes begins and ends in one way only, and what does not is no line of the record.
#ifndef REEVE_PROXY_AUDIT_LINE_H_
#define REEVE_PROXY_AUDIT_LINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/call.h"

namespace reeve::audit {

// Longer ones are no lines: the journal bounds every text in a line to 1 KiB.
inline constexpr size_t kLongestLine = 1024 * 1024;
// `prev` of the first line, and of the first checkpoint.
inline constexpr std::string_view kNoPrevious =
    "0000000000000000000000000000000000000000000000000000000000000000";

// Views of the line that was read.
struct Line {
  uint64_t seq = 0;
  std::string_view time;     // RFC 3339 with microseconds, 27 bytes
  std::string_view kind;     // letters
  std::string_view members;  // between `kind` and `prev`, each with a leading comma
  std::string_view prev;     // 64 hexadecimal digits
  std::string_view hash;     // the same
  std::string_view hashed;   // what `hash` is over, but for the closing brace
};

// `text` without its newline. Nothing when it is no line of the record; the hash is not checked.
std::optional<Line> read_line(std::string_view text);

// Whether all of `text` are lower-case hexadecimal digits.
bool is_hex(std::string_view text);

// The bytes of an even number of lower-case hexadecimal digits; empty when they are not that.
std::string from_hex(std::string_view text);

// Microseconds since 1970 of an RFC 3339 time in UTC with microseconds, as append_time() writes it;
// nothing for another text or a day that is not in the calendar.
std::optional<policy::Time> read_time(std::string_view text);

// SHA-256, one after another. Of one thread.
class Hasher {
 public:
  // Of `text` and `rest` together, in hexadecimal; valid until the next call.
  std::string_view hex(std::string_view text, std::string_view rest = {});
  // Whether the line's hash is that of its bytes.
  bool matches(const Line& line) { return hex(line.hashed, "}") == line.hash; }

 private:
  std::string hex_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_LINE_H_
