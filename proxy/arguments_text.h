// Arguments as the record keeps them: JSON whose size is bounded whatever was sent, in which
// nothing hides: control, bidirectional and zero-width characters are escaped.
//
//   redacted: {"amount":"number","to":"string:17","lines":[{"sku":"string:4"}],"note":null}
//   full:     {"amount":250,"to":"kim@acme.example…","lines":[{"sku":"A-17"}],"note":null}
//
// What is left out for its size is marked: `[cut: 12 more]` as the last item or as a member, and at
// the end of a string `[cut: 9000 bytes]`. The value of a member whose name is that of a credential
// (`password`, `api_key`, …) is `[credential]` in both.
#ifndef REEVE_PROXY_ARGUMENTS_TEXT_H_
#define REEVE_PROXY_ARGUMENTS_TEXT_H_

#include <span>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "proxy/kept_arguments.h"

namespace reeve {

struct ArgumentsText {
  std::string json;
  bool cut = false;
};

// Requires kRedacted or kFull. Where one of `secrets` (texts of 8 bytes or more; shorter ones are
// not looked for) stands in a string or name, `[credential]` does in its place. The result need not
// be strict JSON: two names may have become one.
ArgumentsText arguments_text(const json::Value& arguments, KeptArguments how,
                             std::span<const std::string_view> secrets);

// Whether a member of this name holds a credential, as people name them: `password`,
// `X-Api-Key`, `refreshToken`.
bool names_credential(std::string_view name);

}  // namespace reeve

#endif  // REEVE_PROXY_ARGUMENTS_TEXT_H_
