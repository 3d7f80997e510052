// Tools that call tools: the call that a dispatch tool would make, read out of its arguments, so
// that rules see the inner one.
#ifndef REEVE_POLICY_DISPATCH_H_
#define REEVE_POLICY_DISPATCH_H_

#include <optional>
#include <string>
#include <vector>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/obligation.h"
#include "policy/policy_set.h"

namespace reeve::policy {

// Not movable: the call points into it. Used by one thread at a time.
class InnerCall {
 public:
  InnerCall() = default;
  InnerCall(const InnerCall&) = delete;
  InnerCall& operator=(const InnerCall&) = delete;

  // Reads the call of `outer`, a call of `server`'s tool `dispatch.tool`, both of which must
  // outlive its use. Null on success; else a static sentence: the outer call is malformed.
  const char* read(const ServerInfo& server, const DispatchInfo& dispatch, const Call& outer);

  // Requires that read() succeeded.
  const Call& call() const { return call_; }

 private:
  const char* read_args(const std::optional<json::Value>& args);

  json::Parser parser_;  // of arguments that are JSON text
  std::string name_;
  std::string text_;
  std::optional<json::Value> args_;
  Call call_;
};

// What `server` says of this tool; null when it dispatches nothing.
const DispatchInfo* find_dispatch(const ServerInfo& server, std::string_view tool);

// Whether the call is one of a dispatch tool.
bool is_dispatch(const PolicySet& policy, const Call& call);

// A call of a dispatch tool together with the one inside. Prices, limits, guards and whatever else
// is asked about a call is asked of inner(), as if that were made itself; what is decided is
// decided of both. Not movable; used by one thread at a time.
class DispatchedCall {
 public:
  // What `outer` points to must outlive this.
  explicit DispatchedCall(const Call& outer) : outer_(outer) {}

  // Null on success; else a static sentence: the call is malformed. Requires is_dispatch() of the
  // outer call. The rest requires that it succeeded.
  const char* read(const PolicySet& policy);

  const Call& outer() const { return outer_; }
  const Call& inner() const { return inner_.call(); }

  // See PolicySet: the outer call must not be denied, and needs no allow.
  Decision decide(const PolicySet& policy, AgentId agent) const;
  // Of the two that of the first in the policy's order.
  const RuleInfo* reported(const PolicySet& policy, AgentId agent, const Decision& decision) const;
  // Those of both, in the policy's order; a rule that asks for both asks once.
  std::vector<const RuleInfo*> asks(const PolicySet& policy, AgentId agent) const;

 private:
  const Call outer_;
  InnerCall inner_;
};

// Whether some call of this dispatch tool could be allowed or asked for: what a list may show. Nor
// an unconditional deny may stand on it, and some inner call could be allowed: one that a rule
// names, or, where a rule has a pattern, one that nobody can name, unless a deny without condition
// and `except` covers all tools. Requires is_dispatch(). Not for the path of a call.
bool could_dispatch(const PolicySet& policy, AgentId agent, const Call& outer);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_DISPATCH_H_
