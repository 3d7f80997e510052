// JSON strings by a TextWriter, for those who write many.
#ifndef REEVE_POLICY_JSON_WRITE_H_
#define REEVE_POLICY_JSON_WRITE_H_

#include <string_view>

#include "policy/text_writer.h"

namespace reeve::json {

// append_string() of json.h.
void write_string(TextWriter& out, std::string_view text);
// The same of text that is known to be UTF-8.
void write_valid_string(TextWriter& out, std::string_view text);

}  // namespace reeve::json

#endif  // REEVE_POLICY_JSON_WRITE_H_
