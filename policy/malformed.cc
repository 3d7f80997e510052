// See malformed.h. Tested by tests/policy/evaluate_test.cc.
#include "policy/malformed.h"

#include <algorithm>

#include "policy/selector.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

// A URI is matched as it stands, so whatever a server could resolve to another one is refused.
const char* malformed_uri(std::string_view uri) {
  for (size_t at = uri.find('%'); at != uri.npos; at = uri.find('%', at + 1)) {
    const std::string_view code = uri.substr(at + 1, 2);
    if (equals_ignoring_case(code, "2e")) return "an escaped dot in a resource URI";
    if (equals_ignoring_case(code, "2f")) return "an escaped slash in a resource URI";
    if (equals_ignoring_case(code, "5c")) return "an escaped backslash in a resource URI";
    if (code == "00") return "an escaped NUL in a resource URI";
  }
  if (uri.find('\\') != uri.npos) return "a backslash in a resource URI";
  for (size_t begin = 0; begin <= uri.size();) {
    const size_t end = std::min(uri.find_first_of("/?#", begin), uri.size());
    const std::string_view segment = uri.substr(begin, end - begin);
    if (segment == "." || segment == "..") return "a dot segment in a resource URI";
    begin = end + 1;
  }
  return nullptr;
}

// The sentences of hidden_character(), as said of a name.
const char* malformed_name(std::string_view name) {
  return hidden_character(name) ? "a control, bidirectional or zero-width character, or bytes that "
                                  "are not UTF-8, in a name"
                                : nullptr;
}

}  // namespace

const char* malformed(const Call& call) {
  if (const char* fault = malformed_name(target_of(call))) return fault;
  if (call.kind == Kind::kResource) return malformed_uri(call.target);
  return nullptr;
}

}  // namespace reeve::policy
