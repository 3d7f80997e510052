// Whether the body of an HTTP request is to be read as JSON, from what its head says of it. One
// answer for the sidecar and for what people write down on the command line and in tests.
#ifndef REEVE_POLICY_JSON_BODY_H_
#define REEVE_POLICY_JSON_BODY_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "policy/call.h"

namespace reeve::policy {

struct BodyForm {
  enum class Kind : uint8_t {
    kJson,
    kOther,    // not said to be JSON: servers may read values there all the same
    kRefused,  // JSON in a form that readers take differently; `fault` says why
  };
  Kind kind = Kind::kOther;
  const char* fault = "";  // static
};

// Of a request with a body that is not empty.
BodyForm body_form(std::span<const Field> headers);

// Whether a Content-Type names no charset but UTF-8.
bool charset_is_utf8(std::string_view content_type);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_JSON_BODY_H_
