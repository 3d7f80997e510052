// Tested end to end by tests/e2e/stop_test.mjs.
#include "proxy/stops/cut.h"

#include <boost/asio/post.hpp>
#include <memory>

#include "policy/text.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

// A call that goes somewhere, or whose answer has begun: nobody can be told any more.
bool flows(const Exchange& x) {
  if (x.forwarded || x.answered) return true;
  switch (x.connection.phase) {
    case Phase::kAnswer:
    case Phase::kStream:
    case Phase::kReadOn:
    case Phase::kTunnel:
      return true;
    default:
      return false;
  }
}

void note(const Exchange& x, Cut& cut) {
  const Phase phase = x.connection.phase;
  const bool begun = x.answered || phase == Phase::kStream;
  const auto& [number, kind] = x.head.connect          ? std::pair{&CutCounts::tunnels, "tunnel"}
                               : phase == Phase::kHeld ? std::pair{&CutCounts::held, "held"}
                               : begun                 ? std::pair{&CutCounts::streams, "stream"}
                                                       : std::pair{&CutCounts::calls, "call"};
  ++(cut.counts.*number);
  if (cut.calls.size() >= Cut::kMostNamed) return;
  constexpr size_t kLongest = 200;
  const std::string_view upstream =
      x.upstream && !x.destination ? x.upstream->config().name : std::string_view();
  const std::string_view action = x.call.action.empty() ? x.head.method : x.call.action;
  const std::string_view target = x.call.target.empty() ? x.head.path : x.call.target;
  cut.calls.push_back({kind, std::string(view(x.id)), x.agent_info()->name, std::string(upstream),
                       std::string(action), policy::visible(target, kLongest)});
}

const char* detail_of(const policy::Stop& stop) {
  if (stop.retired) return "Denied: the agent is retired";
  switch (stop.scope) {
    case policy::StopScope::kAll:
      return "Denied: all agents are stopped";
    case policy::StopScope::kAgent:
      return "Denied: the agent is stopped";
    case policy::StopScope::kRole:
      return "Denied: the agent's role is stopped";
    case policy::StopScope::kTeam:
      return "Denied: the agent's team is stopped";
    case policy::StopScope::kUpstream:
      break;
  }
  return "Denied: this upstream is stopped";
}

}  // namespace

const policy::Stop* covering(const policy::Stops& stops, const Exchange& x) {
  if (!x.agent) return nullptr;
  // Through the forward proxy there is an upstream that is none of reeve.yaml's.
  const bool named = x.upstream && !x.destination;
  return stops.covering(policy::stop_subject(*x.snapshot->policy, *x.agent),
                        named ? x.upstream->config().name : std::string_view());
}

bool is_revoked(const Exchange& x, uint32_t agent) {
  const policy::Stops* stops = x.worker.stops();
  if (stops == nullptr) return false;
  const std::string& name = x.snapshot->policy->agents()[agent].name;
  const policy::Stop* own = stops->find(policy::StopScope::kAgent, name);
  return own != nullptr && own->retired;
}

bool not_stopped(Exchange& x) {
  const policy::Stops* stops = x.worker.stops();
  if (stops == nullptr) return true;
  const policy::Stop* stop = covering(*stops, x);
  if (stop == nullptr) return true;
  return x.refuse(403, stop->retired ? "retired" : kStopped, detail_of(*stop));
}

bool goes_on(Exchange& x) {
  if (!x.connection.stopped) return true;
  // It may have been resumed meanwhile; what was stopped stays so.
  return not_stopped(x) && x.refuse(403, kStopped, kStoppedDetail);
}

Cut Worker::cut_stopped(const policy::Stops& stops, bool cuts) {
  Cut found;
  for (const auto& connection : connections_) {
    Connection& c = *connection;
    if (c.exchange == nullptr || c.stopped) continue;
    const Exchange& x = *c.exchange;
    if (covering(stops, x) == nullptr) continue;
    // A part of a call that is cut as a whole is not counted on its own.
    const auto subject = policy::stop_subject(*x.snapshot->policy, *x.agent);
    const bool part = c.inner && stops.covering(subject, {}) != nullptr;
    if (!part) note(x, found);
    if (!cuts) continue;
    c.stopped = true;
    if (!flows(x)) {
      end_waiting(c);
      continue;
    }
    end_read_on(c);
    c.agent_gone = c.given_up = true;
    end_waiting(c);
    c.stream.close(true);
  }
  return found;
}

void Worker::stop_calls(std::shared_ptr<const policy::Stops> stops, bool cuts, CutDone done) {
  net::asio::post(context_, [this, cuts, stops = std::move(stops), done = std::move(done)] {
    if (cuts) stops_ = stops->empty() ? nullptr : stops;
    done(cut_stopped(*stops, cuts));
  });
}

}  // namespace reeve
