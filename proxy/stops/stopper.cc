// Tested end to end by tests/e2e/stop_test.mjs.
#include "proxy/stops/stopper.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/log.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr std::chrono::seconds kPatience{10};

void member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += fmt::format(",\"{}\":", name);
  json::append_string(out, text);
}

void add(std::string& trouble, std::string_view what) {
  if (!trouble.empty()) trouble += "; ";
  trouble += what;
}

// The stop of what a person must have answered for a question to be about it.
approvals::Desk::About about(std::shared_ptr<const policy::Stops> stops, Stopper::Policy policy) {
  return [stops = std::move(stops), policy = std::move(policy)](const policy::ApprovalBinding& is) {
    return stops->covering(policy::stop_subject(*policy, is.agent), is.upstream) != nullptr;
  };
}

}  // namespace

Stopper::Stopper(Means means, policy::Stops kept)
    : means_(means), stops_(std::make_shared<const policy::Stops>(std::move(kept))) {}

net::Task<std::optional<Cut>> Stopper::apply(std::shared_ptr<const policy::Stops> stops,
                                             bool cuts) {
  struct Gathered {
    explicit Gathered(net::asio::io_context& context) : timer(context) {}
    net::Timer timer;
    size_t left = 0;
    Cut cut;
  };
  const auto gathered = std::make_shared<Gathered>(means_.context);
  gathered->left = means_.workers.size();
  gathered->timer.expires_after(kPatience);
  for (const auto& worker : means_.workers) {
    worker->stop_calls(stops, cuts, [gathered, &context = means_.context](Cut cut) {
      net::asio::post(context, [gathered, cut = std::move(cut)]() mutable {
        gathered->cut.counts += cut.counts;
        for (CutCall& call : cut.calls) {
          if (gathered->cut.calls.size() >= Cut::kMostNamed) break;
          gathered->cut.calls.push_back(std::move(call));
        }
        if (--gathered->left == 0) gathered->timer.cancel();
      });
    });
  }
  net::ErrorCode ignored;
  co_await gathered->timer.async_wait(net::asio::redirect_error(net::kAwait, ignored));
  if (gathered->left > 0) co_return std::nullopt;
  co_return std::move(gathered->cut);
}

net::Task<Cut> Stopper::rehearse(policy::Stop stop) {
  policy::Stops next = *stops_;
  next.add(std::move(stop));
  auto cut = co_await apply(std::make_shared<const policy::Stops>(std::move(next)), false);
  co_return cut ? std::move(*cut) : Cut{};
}

net::Task<Stopper::Stopped> Stopper::stop(policy::Stop stop, Policy policy) {
  Stopped done;
  policy::Stops next = *stops_;
  next.add(stop);
  stops_ = std::make_shared<const policy::Stops>(std::move(next));
  if (auto cut = co_await apply(stops_, true)) {
    done.cut = std::move(*cut);
  } else {
    done.trouble = "a worker has not confirmed it in time, and may not have cut what was under way";
  }
  // By now there may be more of them; what is in force is what is kept.
  if (const auto kept = means_.store.save_stops(*stops_); !kept) {
    add(done.trouble, fmt::format("a restart would forget it: {}", kept.error().message));
  }
  const std::string why = stop.why.empty() ? "stopped" : fmt::format("stopped: {}", stop.why);
  const auto ended = co_await means_.desk.stop_open(about(stops_, std::move(policy)), stop.by, why);
  if (ended) done.approvals = *ended;
  if (!ended) {
    add(done.trouble, fmt::format("its approvals are still open: {}", ended.error().message));
  }
  if (!record(stop, stop.retired ? "retired" : "stopped", &done.cut)) {
    add(done.trouble, "the record cannot be written");
  }
  log(LogLevel::kWarning,
      fmt::format("{} {} {} by {}: {} calls, {} streams, {} tunnels and {} held calls cut",
                  policy::to_string(stop.scope), stop.name, stop.retired ? "retired" : "stopped",
                  stop.by, done.cut.counts.calls, done.cut.counts.streams, done.cut.counts.tunnels,
                  done.cut.counts.held));
  if (!done.trouble.empty()) log(LogLevel::kError, "the stop is in force, but " + done.trouble);
  co_return done;
}

net::Task<Result<policy::Stops::Resumed>> Stopper::resume(policy::StopScope scope, std::string name,
                                                          std::string by, std::string why,
                                                          Policy policy) {
  policy::Stops next = *stops_;
  const auto resumed = next.resume(scope, name, *policy);
  if (resumed != policy::Stops::Resumed::kResumed) co_return resumed;
  if (const auto kept = means_.store.save_stops(next); !kept) co_return kept.error();
  const policy::Stop told{scope, name, std::move(by), std::move(why), wall_now(), false, {}};
  if (!record(told, "resumed", nullptr)) {
    if (const auto undone = means_.store.save_stops(*stops_); !undone) {
      log(LogLevel::kError, undone.error().message);
    }
    co_return Error{"the record cannot be written"};
  }
  stops_ = std::make_shared<const policy::Stops>(std::move(next));
  log(LogLevel::kWarning,
      fmt::format("{} {} resumed by {}", policy::to_string(scope), name, told.by));
  if (!co_await apply(stops_, true)) co_return Error{"a worker has not answered in time"};
  co_return resumed;
}

bool Stopper::note(const std::string& agent, std::string_view state, std::string by,
                   std::string why) {
  const policy::Stop told{
      policy::StopScope::kAgent, agent, std::move(by), std::move(why), {}, false, {}};
  return record(told, state, nullptr);
}

bool Stopper::record(const policy::Stop& stop, std::string_view state, const Cut* cut) {
  std::string line;
  const auto scope = policy::to_string(stop.scope);
  member(line, "state", state);
  member(line, "scope", scope);
  if (stop.scope != policy::StopScope::kAll) member(line, scope, stop.name);
  member(line, "by", stop.by);
  member(line, "why", stop.why);
  if (cut) {
    line +=
        fmt::format(",\"cut\":{{\"calls\":{},\"streams\":{},\"tunnels\":{},\"held\":{}}}",
                    cut->counts.calls, cut->counts.streams, cut->counts.tunnels, cut->counts.held);
  }
  return means_.journal.append("agent", line, wall_now());
}

}  // namespace reeve
