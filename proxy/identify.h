// Who is calling: the credentials of a request, all of which must prove one and the same agent.
#ifndef REEVE_PROXY_IDENTIFY_H_
#define REEVE_PROXY_IDENTIFY_H_

#include <optional>
#include <string_view>

#include "policy/policy_set.h"
#include "policy/result.h"
#include "proxy/http/message.h"

namespace reeve {

// Why nobody is proven: a static sentence, without a secret. The answer is 401.
struct Unproven {
  const char* detail = "";
};

// Reads `Authorization: Bearer`, `x-api-key`, `Proxy-Authorization` (Bearer, or Basic with the
// token as password) and the listener. Whatever is presented must be valid; a doubled field, an
// unknown token or two agents are refused. Tokens are compared as SHA-256, in constant time.
Result<policy::AgentId, Unproven> identify(const policy::PolicySet& policy,
                                           std::string_view listener, const http::Fields& fields);

// The token of a field's value: of `Bearer`, or of `Basic` where allowed (its password). Nothing
// when the value has another form. `scratch` holds a decoded token.
std::optional<std::string_view> bearer_token(std::string_view value, bool allow_basic,
                                             std::string& scratch);

}  // namespace reeve

#endif  // REEVE_PROXY_IDENTIFY_H_
