// What a call's line in the record keeps of its arguments: as the rule that decided says (`audit`),
// else its upstream (`audit: {arguments: …}`), else `audit.arguments`.
//
// Arguments are those of a tool or a prompt, a model's request, or the JSON body of an HTTP call.
// Kept is what guards leave of them, also of a call that was refused before they were at work; what
// they would refuse, or cannot look at, is left out.
#ifndef REEVE_PROXY_RECORDED_ARGUMENTS_H_
#define REEVE_PROXY_RECORDED_ARGUMENTS_H_

#include <optional>
#include <string>

#include "proxy/exchange.h"

namespace reeve {

struct RecordedArguments {
  std::optional<policy::Sha256> sha256;
  std::string json;           // empty: none
  bool cut = false;           // it is not all of them
  const char* left_out = "";  // static: why there are none although they were to be kept
};

// For the `decision` line. Looks no further than what the exchange has where the digest is kept.
RecordedArguments recorded_arguments(const Exchange& exchange);

// Whether the body of this HTTP call must be read so that the record can keep it. Free where
// nothing but digests is kept.
bool records_body(const Exchange& exchange);

// Whether a rule asks for that, of calls on this upstream or on any.
bool rules_record_body(const policy::PolicySet& policy,
                       std::optional<std::string_view> upstream = std::nullopt);

}  // namespace reeve

#endif  // REEVE_PROXY_RECORDED_ARGUMENTS_H_
