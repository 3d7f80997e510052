// Tools that call tools: the call that a dispatch tool would make, read out of its arguments, so
// that rules see the inner one.
#ifndef REEVE_POLICY_DISPATCH_H_
#define REEVE_POLICY_DISPATCH_H_

#include <optional>
#include <string>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/obligation.h"

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

}  // namespace reeve::policy

#endif  // REEVE_POLICY_DISPATCH_H_
