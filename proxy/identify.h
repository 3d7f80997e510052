// Who is calling: the credentials of a request, all of which must prove one and the same agent.
#ifndef REEVE_PROXY_IDENTIFY_H_
#define REEVE_PROXY_IDENTIFY_H_

#include <optional>
#include <string_view>

#include "policy/policy_set.h"
#include "policy/result.h"
#include "proxy/http/message.h"
#include "proxy/tls/svid.h"

namespace reeve {

// Why nobody is proven: a static sentence, without a secret. The answer is 401.
struct Unproven {
  const char* detail = "";
};

// What a connection proves, whatever is sent on it.
struct Caller {
  std::string_view listener;
  std::optional<uint32_t> uid;             // of the process at the other end of a Unix socket
  const tls::Svid* certificate = nullptr;  // of a client that presented one
};

// Reads `Authorization: Bearer`, `x-api-key`, `Proxy-Authorization` (Bearer, or Basic with the
// token as password) and the caller. Whatever is presented must be valid at `now`; a doubled field,
// an unknown token, a certificate that is no agent's or two agents are refused. Listeners and uids
// are no credentials: those that are no agent's prove nothing, and take nothing from others. Tokens
// are compared as SHA-256, in constant time.
Result<policy::AgentId, Unproven> identify(const policy::PolicySet& policy, const Caller& caller,
                                           const http::Fields& fields, policy::Time now);

// The token of a field's value: of `Bearer`, or of `Basic` where allowed (its password). Nothing
// when the value has another form. `scratch` holds a decoded token.
std::optional<std::string_view> bearer_token(std::string_view value, bool allow_basic,
                                             std::string& scratch);

}  // namespace reeve

#endif  // REEVE_PROXY_IDENTIFY_H_
