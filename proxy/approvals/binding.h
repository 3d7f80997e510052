// What a yes is bound to, and who is asked: read off a call that the policy asks about.
#ifndef REEVE_PROXY_APPROVALS_BINDING_H_
#define REEVE_PROXY_APPROVALS_BINDING_H_

#include <string>
#include <vector>

#include "policy/approvals.h"
#include "proxy/exchange.h"

namespace reeve::approvals {

// The digest covers, of a tools/call, its arguments; of another MCP request, its params; of an HTTP
// call, its JSON body in canonical form or the bytes of another. `_meta` is the client's note to
// itself, differs between repeats of one call, and is not covered. The body must have been read.
policy::ApprovalBinding binding_of(const Exchange& exchange);

// The rules that ask, by the policy of the exchange, and budgets as though they were some.
std::vector<const policy::RuleInfo*> rules_of(const Exchange& exchange);
std::vector<policy::ApprovalAsk> asks_of(const Exchange& exchange,
                                         const std::vector<const policy::RuleInfo*>& rules);

// By which an MCP client may cancel a request: of its agent, upstream and session. `id` is the
// JSON text of the request's id.
std::string request_key(const Exchange& exchange, std::string_view id);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_BINDING_H_
