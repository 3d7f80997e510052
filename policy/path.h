// The one reading of an HTTP path: what is matched is what is forwarded.
//
// Escapes of unreserved characters (RFC 3986, 2.3) are decoded once, in both forms; other escapes
// are decoded for matching and forwarded as `%XX` in upper case. Refused as malformed: an empty
// inner segment, a dot segment in any spelling, an escaped slash, backslash or NUL, a raw
// backslash or control byte, `;` (unless path_parameters), a bad escape, bytes that are not UTF-8
// once decoded, and whatever would show a slash, dot segment, backslash or NUL if decoded again.
#ifndef REEVE_POLICY_PATH_H_
#define REEVE_POLICY_PATH_H_

#include <string>
#include <string_view>

namespace reeve::policy {

struct NormalPath {
  std::string forward;  // sent upstream; a trailing slash is kept
  std::string match;    // seen by rules: decoded, without the trailing slash ("/" for the root)
};

// Normalises `raw`, which begins with '/' or is empty (read as "/"), without query. Returns null on
// success, else a static sentence that says what is malformed. `out` keeps its capacity, so that a
// warm caller allocates nothing.
const char* normalise_path(std::string_view raw, bool path_parameters, NormalPath& out);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PATH_H_
