// The policy enforcement point: the one place that knows the order of the steps.
//
// A step that refuses fills in exchange.refusal and returns false; the rest of the call is then its
// answer and its record. A reservation that is left unresolved resolves itself: released if nothing
// was sent, settled in full if something was. Tested end to end by tests/e2e.
#include "proxy/enforcer.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/approvals/ask.h"
#include "proxy/body.h"
#include "proxy/dispatched.h"
#include "proxy/drift.h"
#include "proxy/forward.h"
#include "proxy/forward_proxy.h"
#include "proxy/identify.h"
#include "proxy/join/call.h"
#include "proxy/limited.h"
#include "proxy/llm/call.h"
#include "proxy/mcp_call.h"
#include "proxy/origin.h"
#include "proxy/other_protocol.h"
#include "proxy/record.h"
#include "proxy/recorded_arguments.h"
#include "proxy/reply.h"
#include "proxy/reserve.h"
#include "proxy/result_cost.h"
#include "proxy/retried.h"
#include "proxy/server_watch.h"
#include "proxy/stdio/bridge.h"
#include "proxy/stdio/sse_endpoint.h"
#include "proxy/stops/cut.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr size_t kDrainBytes = 64 * 1024;
// A body that declares more is refused at once: nobody means it, and nobody should wait for it.
constexpr uint64_t kLongestBody = uint64_t{64} * 1024 * 1024 * 1024;

bool prove_agent(Exchange& x) {
  if (const char* why = foreign_origin(x.head, x.connection)) return x.refuse(403, "origin", why);
  const Connection& from = x.connection;
  const Caller caller{from.listener.name, from.uid, from.svid ? &*from.svid : nullptr};
  const auto agent = identify(*x.snapshot->policy, caller, x.head.fields, x.time);
  if (!agent) return x.refuse(401, "unknown-agent", agent.error().detail);
  // `reeve stdio --agent A` says whom it means to be: a mixed-up credential must not go unnoticed.
  const auto expected = x.head.fields.single(stdio::kExpectedAgentField);
  if (expected && *expected != x.snapshot->policy->agents()[*agent].name) {
    return x.refuse(401, "unknown-agent", "the credential proves another agent than the one named");
  }
  if (is_revoked(x, *agent)) {
    return x.refuse(401, "unknown-agent", "the credential is revoked: its agent is retired");
  }
  x.agent = *agent;
  return true;
}

// `/UPSTREAM/rest` becomes the upstream and the one reading of the rest; through the forward proxy
// the target becomes a destination.
bool find_upstream(Exchange& x) {
  if (const char* why = other_protocol(x.head.fields)) return x.refuse(501, "malformed", why);
  if (asks_forward_proxy(x)) return find_destination(x);
  const std::string_view path = x.head.path;
  if (path.empty() || path.front() != '/') {
    return x.refuse(400, "malformed", "the target is no path; call /UPSTREAM/…");
  }
  const size_t slash = path.find('/', 1);
  const std::string_view name = path.substr(1, slash == path.npos ? path.npos : slash - 1);
  const std::string_view rest = slash == path.npos ? std::string_view{} : path.substr(slash);
  x.upstream = x.worker.find_upstream(name);
  if (x.upstream == nullptr) {
    // A name that hides a slash or a dot segment is an attack, not a typing error.
    policy::NormalPath reading;
    if (const char* why = policy::normalise_path(path, false, reading)) {
      return x.refuse(400, "malformed", fmt::format("the path is malformed: {}", why));
    }
    return x.refuse(404, "no-upstream",
                    "no upstream has this name; the first part of the path "
                    "names it");
  }
  const bool parameters = x.upstream->config().path_parameters;
  if (const char* why = policy::normalise_path(rest, parameters, x.path)) {
    return x.refuse(400, "malformed", fmt::format("the path is malformed: {}", why));
  }
  if (rest.empty()) x.path.forward.clear();
  return true;
}

net::Task<bool> read_body_then(Exchange& x, bool (*then)(Exchange&)) {
  co_return co_await read_body(x) && then(x);
}

bool name_http_call(Exchange& x) {
  x.call.upstream = x.upstream->config().name;
  x.call.kind = policy::Kind::kHttp;
  x.call.action = x.head.method;
  x.call.target = x.path.match;
  x.call.query = x.head.query;
  x.call.headers = x.head.fields.list;
  x.call.time = x.time;
  // A body that is only counted (counts_repeats) need not be JSON.
  const bool read_by_rules = x.snapshot->policy->reads_body(x.call.upstream);
  return !read_by_rules || !x.body_buffered || read_json_body(x);
}

net::Step<bool> read_http_call(Exchange& x) {
  if (x.head.content_length > kLongestBody) {
    return x.refuse(413, "malformed", "the body is larger than 64 GiB");
  }
  const std::string_view upstream = x.upstream->config().name;
  if (x.snapshot->policy->reads_body(upstream) || counts_repeats(x) || records_body(x) ||
      uses_key(x)) {
    return read_body_then(x, name_http_call);
  }
  return name_http_call(x);
}

net::Step<bool> read_call(Exchange& x) {
  if (x.destination) {
    read_proxy_call(x);
    return true;
  }
  if (x.is_mcp()) return read_mcp_call(x);
  if (llm::is_model_call(x)) return llm::read_call(x);
  return read_http_call(x);
}

// A tunnel is enforced in report mode, too.
bool only_reports(const Exchange& x) { return x.snapshot->policy->report() && !x.destination; }

bool decide(Exchange& x) {
  if (!not_stopped(x)) return false;
  const Steady before = steady_now();
  if (x.is_mcp()) {
    decide_mcp(x);
  } else {
    x.decision = x.snapshot->policy->decide(*x.agent, x.call);
  }
  x.worker.metrics().decided(std::chrono::duration<double>(steady_now() - before).count());
  x.reported = x.dispatched ? x.dispatched->reported(*x.snapshot->policy, *x.agent, x.decision)
                            : x.snapshot->policy->reported(*x.agent, x.call, x.decision);
  switch (x.decision.verdict) {
    case policy::Verdict::kAllow:
      return may_dial(x);
    case policy::Verdict::kMalformed:
      return x.refuse(400, "malformed", x.decision.detail);
    case policy::Verdict::kAsk:
      if (!only_reports(x)) return may_dial(x);
      return x.refuse_or_overlook(403, policy::to_string(x.decision.reason),
                                  "Denied: a person would be asked");
    case policy::Verdict::kDeny:
      break;
  }
  const policy::RuleInfo* rule = x.decision.rule;
  const std::string_view reason = policy::to_string(x.decision.reason);
  if (rule == nullptr) {
    if (x.decision.reason != policy::Reason::kDefault) {
      return x.refuse(403, reason, fmt::format("Denied: the agent is {}", reason));
    }
    return x.refuse_or_overlook(403, reason, "Denied by default: no rule allows this call");
  }
  return x.refuse_or_overlook(
      403, reason,
      rule->because.empty()
          ? fmt::format("Denied by policy (rule {})", rule->id)
          : fmt::format("Denied by policy: {} (rule {})", rule->because, rule->id));
}

// A yes is for the call as it is decided now, by the policy, the locks and the budgets in force,
// and as it will be sent.
net::Task<bool> decide_anew(Exchange& x) {
  x.reservation.release();
  const std::string agent = x.agent_info()->name;
  x.asked->by = x.snapshot;
  x.agent.reset();
  x.overlooked.reset();
  x.snapshot = x.worker.snapshot();
  x.time = x.call.time = wall_now();
  x.described = 0;
  if (!prove_agent(x)) co_return false;
  if (x.agent_info()->name != agent) {
    co_return x.refuse(401, "unknown-agent", "the credential proves another agent by now");
  }
  if (x.dispatched) {
    x.call = x.dispatched->outer();
    x.call.time = x.time;
    x.dispatched.reset();
  }
  if (x.message && !read_message(x)) co_return false;
  // A new policy may read what the old one did not.
  const bool reads = !x.is_mcp() && x.upstream && x.body_buffered && !x.call.args &&
                     x.snapshot->policy->reads_body(x.call.upstream);
  if (reads && !read_json_body(x)) co_return false;
  co_return decide(x) && co_await as_pinned(x) && co_await reserve(x) && guard_again(x);
}

net::Task<bool> ask_people(Exchange& x) {
  if (!co_await approvals::wait_for_people(x)) co_return false;
  if (co_await decide_anew(x)) {
    // The yes is used up first: fifty that wait for it never hold more than one beyond a limit.
    if (!co_await approvals::use_yes(x)) co_return false;
    co_return !x.over || co_await reserve_over(x);
  }
  // Money may come back before the yes expires; a rule that forbids is an answer of its own.
  if (!x.refusal->budget && x.refusal->status != 503) approvals::drop_yes(x);
  co_return false;
}

net::Step<bool> ask(Exchange& x) {
  const bool by_rule = x.decision.verdict == policy::Verdict::kAsk && !only_reports(x);
  if (!by_rule && !x.over) return true;
  return ask_people(x);
}

// No record, no call.
net::Step<bool> record_decision(Exchange& x) {
  write_decision(x);
  return x.worker.turn().record("decision", x.connection.work->line, wall_now());
}

void record_outcome(Exchange& x) {
  write_outcome(x);
  x.worker.turn().record_soon("outcome", x.connection.work->line, wall_now());
}

void settle(Exchange& x) {
  if (x.forwarded) x.admission.mark_forwarded();
  x.admission = {};
  if (!x.forwarded) {
    x.cost = 0;
    x.reservation.release();
    return;
  }
  x.cost = x.spend.cost;
  policy::Cost cost = x.metered ? llm::settle(x) : policy::Cost{};
  if (x.result_cost && x.result_cost->said()) cost.money = x.cost = *x.result_cost->said();
  x.reservation.settle(cost);
  if (x.retried && x.cost == x.spend.cost) x.retried->answered(x.started);
  x.retried.reset();
  const Label agent = x.snapshot->agent_labels[*x.agent];
  x.worker.metrics().spent(agent, x.upstream_label(), x.cost);
}

void count(Exchange& x) {
  using std::chrono::duration;
  const Label agent = x.agent ? x.snapshot->agent_labels[*x.agent] : kOtherLabel;
  const Label upstream = x.upstream_label();
  const std::string_view action = x.call.action.empty() ? x.head.method : x.call.action;
  const bool malformed = x.refusal && x.refusal->reason == "malformed";
  const bool answered_here = x.asked && !x.asked->status.empty();
  const policy::Verdict verdict = answered_here ? policy::Verdict::kAllow
                                  : malformed   ? policy::Verdict::kMalformed
                                  : x.refusal   ? policy::Verdict::kDeny
                                  : x.overlooked && x.decision.allowed() ? policy::Verdict::kDeny
                                                                         : x.decision.verdict;
  const double upstream_seconds =
      x.forwarded ? duration<double>(x.upstream_ended - x.upstream_started).count() : -1;
  x.worker.metrics().call(agent, upstream, action_index(action), verdict, x.agent.has_value(),
                          duration<double>(x.ended() - x.started).count(), upstream_seconds);
}

// Both lines, unless nobody is proven and the listener has been knocked at too often.
bool admits_lines(Exchange& x) {
  if (x.agent) return true;
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(x.time.time_since_epoch());
  return x.worker.services().knocks.admit(x.connection.listener.name, second.count());
}

// Answers a call that is not forwarded. `recorded`: its decision's line is written already.
net::Task<void> refuse(Exchange& x) {
  // What was held for the call is free before its answer is told: the next may need it.
  x.reservation.release();
  x.retried.reset();
  x.admission = {};
  const bool lines = admits_lines(x);
  Journal& journal = x.worker.services().journal;
  if (lines && x.refusal->reason != "audit") {
    write_decision(x);
    journal.append("decision", x.connection.work->line, wall_now());
  }
  const bool gone = !x.connection.stream.is_open() || x.connection.agent_gone;
  if (!gone) {
    if (x.keep_alive && !co_await drain_body(x, kDrainBytes)) x.keep_alive = false;
    std::string& out = x.connection.work->out;
    out.clear();
    append_refusal(out, x);
    if (!co_await x.connection.stream.write(out)) x.keep_alive = false;
  } else {
    x.keep_alive = false;
  }
  if (lines) {
    write_outcome(x);
    journal.append("outcome", x.connection.work->line, wall_now());
  }
  count(x);
}

// Counts a call of a proven agent while it is handled. One agent cannot take every connection:
// beyond its share it is refused, so that there is room for others.
class UnderWay {
 public:
  explicit UnderWay(const Exchange& x) : calls_(*x.snapshot->agent_calls[*x.agent]) {
    const Services& services = x.worker.services();
    const size_t set = services.config.limits.agent_calls;
    const size_t share = std::max<size_t>(services.descriptors.connections * 3 / 4, 1);
    const size_t before = calls_.under_way.fetch_add(1, std::memory_order_relaxed);
    calls_.last.store(x.time.time_since_epoch().count(), std::memory_order_relaxed);
    // A part of a call that fits is let in with it.
    fits_ = x.connection.inner || before < (set != 0 ? set : share);
  }
  ~UnderWay() { calls_.under_way.fetch_sub(1, std::memory_order_relaxed); }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  bool fits(Exchange& x) const {
    return fits_ || x.refuse(429, "limit",
                             "this agent has as many calls under way as it may "
                             "(limits.agent_calls); call again when one has ended");
  }

 private:
  AgentCalls::Counter& calls_;
  bool fits_;
};

// A request to /mcp: each upstream's part of it is a call of its own, and comes here again.
net::Task<void> handle_joined(Exchange& x) {
  join::Call call(x);
  if (!co_await call.read() || !not_stopped(x)) co_return co_await refuse(x);
  const bool own_lines = call.stands_alone();
  if (own_lines && !co_await record_decision(x)) {
    x.refuse(503, "audit", "the record cannot be written");
    co_return co_await refuse(x);
  }
  co_await call.run();
  if (!own_lines) co_return;
  record_outcome(x);
  count(x);
}

// A request to an endpoint of HTTP+SSE: each message on it is a call of its own, and comes here
// again.
net::Task<void> handle_sse(Exchange& x) {
  stdio::SseCall call(x);
  if (!co_await call.read()) co_return co_await refuse(x);
  const bool own_lines = call.stands_alone();
  if (own_lines && !co_await record_decision(x)) {
    x.refuse(503, "audit", "the record cannot be written");
    co_return co_await refuse(x);
  }
  co_await call.run();
  if (!own_lines) co_return;
  record_outcome(x);
  count(x);
}

}  // namespace

net::Task<void> handle(Exchange& x) {
  x.time = wall_now();
  x.started = steady_now();
  x.id = x.worker.ids().next(x.time);
  x.snapshot = x.worker.snapshot();
  x.keep_alive = x.head.keep_alive && !x.worker.services().draining;
  start_body(x);

  if (!prove_agent(x)) co_return co_await refuse(x);
  const UnderWay under_way(x);
  if (!under_way.fits(x)) co_return co_await refuse(x);
  if (!asks_forward_proxy(x) && approvals::asks_for_status(x)) {
    if (!not_stopped(x)) co_return co_await refuse(x);
    co_await approvals::read_status(x);
    co_return co_await refuse(x);
  }
  if (join::is_endpoint(x.head.path)) co_return co_await handle_joined(x);
  if (!asks_forward_proxy(x) && stdio::is_sse_endpoint(x)) co_return co_await handle_sse(x);
  if (!find_upstream(x)) co_return co_await refuse(x);
  if (!co_await read_call(x)) co_return co_await refuse(x);
  approvals::note_cancelled(x);
  if (!speaks_of_what_is_awaited(x)) co_return co_await refuse(x);
  if (!decide(x)) co_return co_await refuse(x);
  if (!within_limits(x)) co_return co_await refuse(x);
  if (!co_await as_pinned(x)) co_return co_await refuse(x);
  if (!recognise_retry(x)) co_return co_await refuse(x);
  if (!co_await reserve(x)) co_return co_await refuse(x);
  if (!guard_arguments(x)) co_return co_await refuse(x);
  if (!co_await ask(x)) co_return co_await refuse(x);
  if (!goes_on(x)) co_return co_await refuse(x);
  if (!co_await record_decision(x)) {
    x.refuse(503, "audit", "the record cannot be written");
    co_return co_await refuse(x);
  }

  co_await (x.destination ? forward_to_destination(x) : forward(x));
  settle(x);
  record_outcome(x);
  count(x);
}

void record_malformed(Worker& worker, Connection& connection, const CallId& id, policy::Time now,
                      const http::Fault& fault) {
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  Services& services = worker.services();
  worker.metrics().call(kOtherLabel, kOtherLabel, action_index("other"),
                        policy::Verdict::kMalformed, true, 0, -1);
  if (!services.knocks.admit(connection.listener.name, second.count())) return;
  std::string members = ",\"call\":";
  json::append_string(members, view(id));
  members += ",\"listener\":";
  json::append_string(members, connection.listener.name);
  members += ",\"decision\":\"malformed\"";
  std::string decision = members + ",\"reason\":\"malformed\",\"because\":";
  json::append_string(decision, fault.detail);
  services.journal.append("decision", decision, now);
  services.journal.append("outcome", members + fmt::format(",\"status\":{}", fault.status), now);
}

}  // namespace reeve
