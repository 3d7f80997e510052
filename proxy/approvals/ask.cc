// See ask.h; README.md tells how each kind of caller waits. Tested by
// tests/e2e/approval_*_test.mjs.
#include "proxy/approvals/ask.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "policy/text.h"
#include "proxy/approvals/answer.h"
#include "proxy/approvals/binding.h"
#include "proxy/approvals/view.h"
#include "proxy/approvals/way.h"
#include "proxy/body.h"
#include "proxy/stops/cut.h"
#include "proxy/worker.h"

namespace reeve::approvals {
namespace {

using policy::ApprovalState;
using Kind = policy::Approvals::Answer::Kind;

constexpr std::string_view kReason = "approval";

Desk& desk(Exchange& x) { return *x.worker.services().approvals; }

bool refuse_gone(Exchange& x) {
  x.error = "agent-gone";
  return x.refuse(503, "agent-gone", "the caller is gone");
}

// Why a call whose question has ended so does not go on.
bool refuse_ended(Exchange& x, const policy::Approval& record) {
  switch (record.state) {
    case ApprovalState::kDenied: {
      const std::string& why = record.votes.empty() ? std::string() : record.votes.back().why;
      return x.refuse(403, kReason,
                      why.empty()
                          ? std::string("Denied: a person said no")
                          : fmt::format("Denied: a person said no: {}", policy::visible(why, 500)));
    }
    case ApprovalState::kExpired:
      return x.refuse(403, kReason, "Denied: nobody said yes in time");
    case ApprovalState::kReleased:
      return x.refuse(403, kReason, "Denied: the yes was for one call, and another has used it");
    default:
      return x.refuse(403, kReason, "Denied: the rules that ask about this call have changed");
  }
}

bool refuse_pending(Exchange& x) {
  const Asked& asked = *x.asked;
  if (asked.way == Way::kHttp) {
    return x.refuse(503, "pending",
                    fmt::format("Approval {} is pending, and this call cannot wait any longer; "
                                "repeat the same call",
                                asked.record.id));
  }
  return x.refuse(
      202, "pending",
      fmt::format("Pending approval {}: a person must say yes to this call", asked.record.id));
}

policy::Approvals::Question question_of(const Exchange& x,
                                        const std::vector<const policy::RuleInfo*>& rules) {
  policy::Approvals::Question question;
  question.bound = x.asked->bound;
  question.asks = asks_of(x, rules);
  question.owner = x.agent_info()->owner;
  question.policy = x.snapshot->policy->sha256();
  question.context = context_of(x, rules);
  question.within = std::chrono::seconds::max();
  for (const policy::RuleInfo* rule : rules) {
    question.within = std::min(question.within, rule->ask.within);
  }
  return question;
}

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// A client that comes back says which record it means: whatever became of that is its answer. True
// goes on to ask, which finds it if it is open.
net::Task<bool> look_up_presented(Exchange& x) {
  Asked& asked = *x.asked;
  if (asked.presented_id.empty()) co_return true;
  const auto record = co_await desk(x).find(asked.presented_id);
  if (!record || !same_text(record->nonce, asked.presented_nonce) || record->bound != asked.bound) {
    x.refuse(400, "malformed", "the requestState is of another call, or of none");
    x.refusal->rpc = mcp::Refusal{400, -32602, "requestState is of another call, or of none",
                                  std::string(x.message->id)};
    co_return false;
  }
  asked.record = *record;
  co_return record->open() || refuse_ended(x, *record);
}

// Waits until there is news, the time is over or the caller is gone.
net::Task<void> hold(Exchange& x, std::chrono::milliseconds most) {
  Connection& c = x.connection;
  Held& held = *x.asked->held;
  const auto every = x.worker.services().config.approvals.progress;
  const Steady start = steady_now();
  const Steady end = start + most;
  Steady next_sign = start + every;
  uint64_t signs = 0;
  x.worker.set_phase(c, Phase::kHeld, {});
  c.waiting = &held.timer;
  const auto waits = [&] {
    return !held.verdict && !held.cancelled && !held.draining && !c.given_up && !c.stopped &&
           !x.worker.services().draining && steady_now() < end;
  };
  while (waits()) {
    net::ErrorCode ignored;
    held.timer.expires_at(std::min(end, next_sign));
    co_await held.timer.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    if (steady_now() < next_sign) continue;
    next_sign += every;
    if (!waits() || !x.asked->events_open) continue;
    std::string sign;
    append_sign(sign, x, ++signs);
    if (!co_await c.stream.write(sign)) c.agent_gone = c.given_up = true;
  }
  c.waiting = nullptr;
  x.worker.set_phase(c, Phase::kHead, x.worker.services().config.limits.head);
}

// Opens the stream on which the caller is kept informed; once the caller is known to wait.
net::Task<bool> open_events(Exchange& x) {
  if (!may_open_events(x)) co_return true;
  std::string head;
  append_events_head(head, x);
  x.asked->events_open = true;
  co_return co_await x.connection.stream.write(head);
}

net::Task<bool> wait(Exchange& x) {
  Asked& asked = *x.asked;
  const auto most = longest_wait(x);
  if (asked.place && most.count() > 0) {
    if (!co_await open_events(x)) co_return refuse_gone(x);
    co_await hold(x, most);
  }
  if (x.connection.agent_gone) co_return refuse_gone(x);
  if (!goes_on(x)) co_return false;
  if (asked.held->cancelled) {
    asked.silent = true;
    co_return refuse_gone(x);
  }
  if (!asked.held->verdict) co_return refuse_pending(x);
  if (*asked.held->verdict == ApprovalState::kApproved) co_return true;
  if (const auto record = co_await desk(x).find(asked.record.id)) asked.record = *record;
  co_return refuse_ended(x, asked.record);
}

// What the yes must be for. A budget that people were asked about and that has room again asks for
// nothing any more, and takes nothing away from the yes.
std::vector<policy::ApprovalAsk> asks_now(const Exchange& x) {
  std::vector<policy::ApprovalAsk> asks = asks_of(x, rules_of(x));
  if (asks.empty()) return asks;
  const std::vector<policy::ApprovalAsk>& asked = x.asked->record.asks;
  for (const policy::ApprovalAsk& ask : asked) {
    if (!ask.rule.starts_with(kBudgetAsks)) continue;
    if (std::find(asks.begin(), asks.end(), ask) == asks.end()) asks.push_back(ask);
  }
  return asks;
}

}  // namespace

net::Task<bool> wait_for_people(Exchange& x) {
  if (!x.body_complete && !x.body_buffered && !co_await read_body(x)) co_return false;
  if (!x.asked) x.asked = std::make_unique<Asked>();
  Asked& asked = *x.asked;
  const ApprovalsConfig& config = x.worker.services().config.approvals;
  asked.way = way_of(x);
  asked.bound = binding_of(x);
  if (!co_await look_up_presented(x)) co_return false;
  if (x.call.action == "subscriptions/listen") {
    co_return x.refuse(403, kReason,
                       "Denied: people are asked about each resource when it is read, "
                       "not about a subscription");
  }
  const auto rules = rules_of(x);
  if (rules.empty()) co_return x.refuse(403, kReason, "Denied: no rule says who is to be asked");
  asked.held = std::make_shared<Held>(x.worker.context(),
                                      x.message ? request_key(x, x.message->id) : std::string());
  const size_t bytes = x.connection.work->capacity + x.connection.work->body.size();
  if (desk(x).take_place(bytes, config.held, config.held_bytes)) {
    asked.place = Place(desk(x), bytes);
  }
  const CallId id = x.worker.ids().next(wall_now());
  auto answer = co_await desk(x).ask(question_of(x, rules), std::string(view(id)),
                                     std::string(view(x.id)), asked.held);
  if (!answer) {
    co_return x.refuse(503, kReason,
                       fmt::format("nobody can be asked: {}", answer.error().message));
  }
  if (answer->kind == Kind::kTooMany) {
    co_return x.refuse(429, kReason, "as many calls wait for people as may; call again later");
  }
  asked.record = std::move(answer->record);
  if (answer->kind == Kind::kTold) co_return refuse_ended(x, asked.record);
  if (asked.record.state == ApprovalState::kApproved) co_return true;
  co_return co_await wait(x);
}

net::Task<bool> use_yes(Exchange& x) {
  Asked& asked = *x.asked;
  if (x.connection.given_up || x.connection.stream.hung_up()) {
    x.connection.agent_gone = true;
    co_return refuse_gone(x);
  }
  std::vector<policy::ApprovalAsk> asks = asks_now(x);
  const bool nobody_asks = asks.empty();
  const auto released =
      co_await desk(x).release(asked.record.id, binding_of(x), std::move(asks), x.snapshot->policy);
  if (!released) {
    co_return x.refuse(503, kReason,
                       fmt::format("the yes cannot be used: {}", released.error().message));
  }
  // Nobody is asked any more: the call goes on because it is allowed, and its yes is void.
  if (nobody_asks) co_return true;
  if (const auto record = co_await desk(x).find(asked.record.id)) asked.record = *record;
  if (*released != policy::Approvals::Released::kReleased) co_return refuse_ended(x, asked.record);
  if (x.connection.given_up) co_return refuse_gone(x);
  for (const policy::ApprovalVote& vote : asked.record.votes) {
    if (!asked.approver.empty()) asked.approver += ',';
    asked.approver += vote.person;
  }
  x.decision.verdict = policy::Verdict::kAllow;
  co_return true;
}

void drop_yes(Exchange& x) { desk(x).void_open(x.asked->record.id); }

namespace {
constexpr std::string_view kStatusPath = "/.reeve/approvals/";
}  // namespace

bool asks_for_status(const Exchange& x) {
  return x.head.path.substr(0, kStatusPath.size()) == kStatusPath;
}

net::Task<void> read_status(Exchange& x) {
  x.call.action = x.head.method;
  x.call.target = x.head.path;
  if (x.head.method != "GET" && x.head.method != "HEAD") {
    x.refuse(405, "malformed", "an approval's state is read with GET");
    co_return;
  }
  const std::string id(x.head.path.substr(kStatusPath.size()));
  const auto record = co_await desk(x).find(id);
  if (!record || record->bound.agent != x.agent_info()->name) {
    x.refuse(404, kReason, "this agent has no such approval");
    co_return;
  }
  x.asked = std::make_unique<Asked>();
  x.asked->status = to_agent_json(*record);
  x.asked->record = *record;
  x.refuse(record->state == ApprovalState::kPending ? 202 : 200, kReason, {});
}

void note_cancelled(Exchange& x) {
  if (x.message == nullptr || x.message->method != "notifications/cancelled") return;
  const auto& params = x.message->params;
  const auto id = params && params->is_object() ? params->find("requestId") : std::nullopt;
  if (id) desk(x).cancel(request_key(x, id->raw()));
}

}  // namespace reeve::approvals
