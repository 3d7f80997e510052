// See dispatched.h; what is read and decided how, in policy/dispatch.h. Tested by
// tests/e2e/dispatch_test.mjs.
#include "proxy/dispatched.h"

#include <fmt/format.h>

#include "policy/text.h"
#include "proxy/digest.h"
#include "proxy/mcp/reply.h"

namespace reeve {

bool read_dispatched(Exchange& x) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  if (!policy::is_dispatch(policy, x.call)) return true;
  auto dispatched = std::make_unique<policy::DispatchedCall>(x.call);
  if (const char* fault = dispatched->read(policy)) {
    return x.refuse(400, "malformed", fmt::format("the call is malformed: {}", fault));
  }
  x.dispatched = std::move(dispatched);
  x.call = x.dispatched->inner();
  x.args_sha256.reset();
  if (x.call.args) {
    std::string canonical;
    json::append_canonical(canonical, *x.call.args);
    x.args_sha256 = sha256(canonical);
  }
  return true;
}

std::string names_inner(const Exchange& x) {
  if (!x.dispatched) return {};
  return fmt::format(" (tool `{}`, called through `{}`)", policy::shown(x.call.target),
                     policy::shown(x.dispatched->outer().target));
}

std::string hidden_answer(const Exchange& x) {
  if (!x.dispatched) return mcp::hidden_body(*x.message);
  const policy::Call& outer = x.dispatched->outer();
  const bool of_outer = x.snapshot->policy->decide(*x.agent, outer).rule == x.decision.rule;
  mcp::Message message = *x.message;
  message.target = of_outer ? outer.target : x.call.target;
  return mcp::hidden_body(message);
}

}  // namespace reeve
