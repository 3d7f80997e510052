// See limited.h; what is counted how, in policy/limits.h. Tested by tests/e2e/limits_test.mjs.
#include "proxy/limited.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/selector.h"
#include "proxy/config.h"
#include "proxy/digest.h"
#include "proxy/record.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

using policy::RateLimit;

bool is_counted(const Exchange& x) {
  if (!x.is_mcp()) return true;
  return x.message != nullptr && x.message->shape != mcp::Shape::kResponse &&
         !policy::is_housekeeping(x.call.action) && x.call.action != "subscriptions/listen";
}

// The same for calls that do the same: upstream, method, target, query, and arguments or body.
policy::Sha256 fingerprint_of(const Exchange& x) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    text += fmt::format("{}:", part.size());
    text += part;
  };
  add(x.call.upstream);
  add(x.call.action);
  add(x.call.target);
  add(x.call.query);
  if (x.args_sha256) {
    add({reinterpret_cast<const char*>(x.args_sha256->data()), x.args_sha256->size()});
  } else if (x.message == nullptr && x.body_buffered) {
    add(x.connection.work->body);
  }
  return sha256(text);
}

// The MCP session, else the trace, else the connection.
std::string session_of(const Exchange& x) {
  if (x.is_mcp()) {
    if (const auto session = x.head.fields.single("mcp-session-id")) {
      return fmt::format("session {} {}", x.call.upstream, *session);
    }
  }
  const std::string_view trace = trace_id(x.head.fields);
  if (!trace.empty()) return fmt::format("trace {}", trace);
  return fmt::format("connection {}", x.connection.serial);
}

std::string sentence(const policy::LimitRefusal& why) {
  const RateLimit& limit = *why.limit;
  const std::string reached = fmt::format("Denied: the limit of {} is reached", limit.text);
  if (why.retry_after)
    return fmt::format("{}; try again in {} s", reached, why.retry_after->count());
  if (limit.kind == RateLimit::Kind::kSteps) return reached + "; this session may do no more";
  return reached;
}

}  // namespace

bool counts_repeats(const Exchange& x) {
  const auto limits = x.snapshot->policy->limits(*x.agent);
  return std::any_of(limits.begin(), limits.end(), [](const RateLimit& limit) {
    return limit.kind == RateLimit::Kind::kRepeats;
  });
}

bool within_limits(Exchange& x) {
  const auto limits = x.snapshot->policy->limits(*x.agent);
  if (limits.empty() || !is_counted(x)) return true;
  const std::string session = session_of(x);
  policy::LimitedCall call{.agent = x.agent_info()->name,
                           .limits = limits,
                           .now = steady_now(),
                           .date = x.time,
                           .session = session};
  if (counts_repeats(x)) call.fingerprint = fingerprint_of(x);
  auto admitted = x.worker.services().limits.admit(call);
  if (admitted) {
    x.admission = std::move(*admitted);
    return true;
  }
  const bool goes_on = x.refuse_or_overlook(429, "limit", sentence(admitted.error()));
  std::optional<Refusal>& refusal = goes_on ? x.overlooked : x.refusal;
  if (refusal->reason == "limit") refusal->limit = admitted.error();
  return goes_on;
}

}  // namespace reeve
