// One call under way: what each step found out, for the steps after it.
#ifndef REEVE_PROXY_EXCHANGE_H_
#define REEVE_PROXY_EXCHANGE_H_

#include <memory>
#include <optional>
#include <string>

#include "policy/dispatch.h"
#include "policy/limits.h"
#include "policy/path.h"
#include "proxy/approvals/asked.h"
#include "proxy/connection.h"
#include "proxy/destination.h"
#include "proxy/guarded.h"
#include "proxy/http/parser.h"
#include "proxy/ids.h"
#include "proxy/mcp/message.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream.h"

namespace reeve {

class Worker;
class Retried;
class ResultCost;
namespace llm {
class Metered;
}

// Why a call is not forwarded. One table in reply.cc turns it into an answer.
struct Refusal {
  int status = 0;           // of the HTTP answer
  std::string_view reason;  // as the record names it: rule, default, budget, malformed, …
  std::string detail;       // for the agent; no secrets, no condition's inner values
  std::optional<SpendRefusal> budget;
  std::optional<policy::LimitRefusal> limit;  // of the exchange's policy
  std::optional<mcp::Refusal> rpc;            // a message that is refused before any rule is asked
};

struct Exchange {
  Exchange(Worker& on, Connection& from, const http::RequestHead& parsed)
      : worker(on), connection(from), head(parsed) {}

  bool refuse(int code, std::string_view reason, std::string detail) {
    refusal = Refusal{code, reason, std::move(detail), {}, {}, {}};
    return false;
  }
  // refuse(), but where the policy is in report mode: then true, unless it is a tunnel.
  bool refuse_or_overlook(int code, std::string_view reason, std::string detail) {
    const bool tunnel = call.kind == policy::Kind::kConnect;
    if (!snapshot->policy->report() || tunnel) return refuse(code, reason, std::move(detail));
    if (!overlooked) overlooked = Refusal{code, reason, std::move(detail), {}, {}, {}};
    return true;
  }
  // When it was over: as of the first time that anyone asks.
  Steady ended() {
    if (!ended_at) ended_at = steady_now();
    return *ended_at;
  }
  bool is_mcp() const { return upstream && upstream->config().protocol == Protocol::kMcp; }
  Label upstream_label() const { return upstream ? upstream->label() : kOtherLabel; }
  const policy::AgentInfo* agent_info() const {
    return agent ? &snapshot->policy->agents()[*agent] : nullptr;
  }

  Worker& worker;
  Connection& connection;
  const http::RequestHead& head;

  CallId id{};
  policy::Time time{};  // when the head was complete
  Steady started{};
  std::shared_ptr<const Snapshot> snapshot;
  std::optional<policy::AgentId> agent;
  Upstream* upstream = nullptr;
  policy::NormalPath path;                 // below the upstream
  std::optional<Destination> destination;  // of a request to the forward proxy

  // The request's body: read whole into connection.work->body, or still to be streamed.
  http::BodyDecoder decoder;
  size_t body_start = 0;  // in the connection's buffer, behind the head
  bool body_complete = false;
  bool body_buffered = false;
  bool continue_sent = false;

  // MCP: message() of connection.work->reader, when the body was one.
  const mcp::Message* message = nullptr;
  std::optional<json::Value> args;  // as sent
  size_t described =
      0;  // bytes of connection.work->line that tell who and what, once they are there
  std::optional<policy::Sha256> args_sha256;  // of the canonical form

  std::shared_ptr<llm::Metered> metered;  // of a call on an LLM API that takes tokens

  policy::Call call;
  // Of a dispatch tool's call: `call`, and the digest of arguments, are then those of the one
  // inside.
  std::unique_ptr<policy::DispatchedCall> dispatched;
  uint64_t pin_epoch = 0;  // PinWatch::epoch() of the upstream, before the call went out
  policy::Decision decision;
  policy::Admission admission;
  policy::Spend spend;
  std::shared_ptr<Retried> retried;         // of a call with an idempotency key that counts
  std::shared_ptr<ResultCost> result_cost;  // of an answer that says what the call cost
  policy::Reservation reservation;
  std::unique_ptr<approvals::Over> over;    // null: no budget asks about it
  std::unique_ptr<approvals::Asked> asked;  // null: nobody is asked about it
  std::unique_ptr<Guarded> guarded;         // null: no guard is at work
  std::optional<Refusal> refusal;
  // In report mode, what would have been its refusal; it is let through and recorded as such.
  std::optional<Refusal> overlooked;
  const policy::RuleInfo* reported =
      nullptr;  // the rule in report mode that would decide otherwise

  // What came of it.
  bool keep_alive = true;
  bool answered = false;   // bytes of an answer have been sent to the agent
  bool forwarded = false;  // bytes were sent upstream
  int status = 0;
  unsigned tries = 0;      // connections to the upstream that were tried
  std::string_view error;  // upstream failure, as the record names it; empty: none
  policy::Micros cost = 0;
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t dropped = 0;  // messages of an MCP server that were not passed on (server_watch.h)
  std::optional<Steady> ended_at;  // of the first who asked ended()
  Steady upstream_started{}, upstream_ended{};
};

}  // namespace reeve

#endif  // REEVE_PROXY_EXCHANGE_H_
