// Header values that mirror a message (SEP-2243): the base64 form decoded, then compared exactly.
#ifndef REEVE_PROXY_MCP_HEADER_VALUE_H_
#define REEVE_PROXY_MCP_HEADER_VALUE_H_

#include <string>
#include <string_view>

namespace reeve::mcp {

// Whether the header value says `text`: the value itself, or, in the form `=?base64?…?=`, what its
// base64 (RFC 4648, 4: standard alphabet, padded, no stray bits) decodes to. Case-sensitive; outer
// white space is not part of the value. A value in that form never stands for itself.
bool mirrors(std::string_view header_value, std::string_view text);

// Strict base64; false leaves `out` unspecified.
bool decode_base64(std::string_view text, std::string& out);
// The same the other way.
std::string encode_base64(std::string_view bytes);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_HEADER_VALUE_H_
