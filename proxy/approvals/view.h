// Approvals as JSON, for people and for agents. Members are the record's names (../README.md).
#ifndef REEVE_PROXY_APPROVALS_VIEW_H_
#define REEVE_PROXY_APPROVALS_VIEW_H_

#include <string>

#include "proxy/exchange.h"

namespace reeve::approvals {

// Everything that an approver must see, but for what the record itself has: JSON members, each with
// a leading comma. `arguments` is text, in which characters that do not show are escapes.
std::string context_of(const Exchange& exchange, const std::vector<const policy::RuleInfo*>& rules);

// A whole record, for people.
std::string to_json(const policy::Approval& record);
// What the agent itself may know of it.
std::string to_agent_json(const policy::Approval& record);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_VIEW_H_
