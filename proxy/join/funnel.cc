// Tested end to end by tests/e2e/join_test.mjs.
#include "proxy/join/funnel.h"

#include "proxy/worker.h"

namespace reeve::join {
namespace {

constexpr size_t kLongestPosition = 4096;  // of a header's value, sealed
constexpr size_t kHeld = 256 * 1024;       // bytes of events before an upstream has to wait
constexpr std::chrono::milliseconds kFirstPause{1000}, kLongestPause{30'000}, kRoomPause{20};

net::Task<void> pause(net::asio::io_context& context, std::chrono::milliseconds time) {
  net::Timer timer(context, time);
  net::ErrorCode ignored;
  co_await timer.async_wait(net::asio::redirect_error(net::kAwait, ignored));
}

// Takes events until the stream ends. Whether anything came.
net::Task<bool> take_events(std::shared_ptr<Funnel> funnel, std::string upstream, Part& part) {
  Worker& worker = *funnel->asker.worker;
  const Seal& seal = worker.services().join.seal;
  mcp::EventStreamParser events(worker.services().config.limits.body_bytes);
  Translator translator(seal, funnel->holder, upstream);
  if (!funnel->session) translator.refuse_requests();
  std::string changed, id;
  bool came = false;
  const auto on_event = [&](const mcp::Event& event) {
    if (event.comment) return;  // signs of life are the writer's own
    mcp::Event out = event;
    out.has_id = false;
    if (event.has_id && funnel->session) {
      funnel->where[upstream] = event.id;
      id = funnel->position(seal);
      out.id = id;
      out.has_id = !id.empty();
    }
    if (event.has_data && !event.data.empty()) {
      json::Parser parser;
      const Fate fate = translator.message(parser, event.data, changed);
      if (fate == Fate::kChanged) out.data = changed;
      // What has been subscribed to is acknowledged once, for all.
      const bool own = fate == Fate::kDrop ||
                       (!funnel->session && text_of(member(parser.parse(event.data), "method")) ==
                                                "notifications/subscriptions/acknowledged");
      if (own) {
        out.data = {};
        out.has_data = false;
      }
    }
    if (!out.has_data && !out.has_id) return;
    came = true;
    mcp::append_event(funnel->out, out);
    funnel->wake->set();
  };
  for (;;) {
    const std::string_view data = co_await part.next();
    if (data.empty() || funnel->over || !events.feed(data, on_event)) break;
    while (funnel->out.size() > kHeld && !funnel->over) {
      co_await pause(worker.context(), kRoomPause);
    }
  }
  co_return came;
}

}  // namespace

std::string Funnel::position(const Seal& seal) const {
  std::string text;
  for (const auto& [upstream, id] : where) text.append(upstream).append(1, '\n').append(id + "\n");
  std::string sealed = seal.close(Purpose::kStream, holder, text);
  return sealed.size() <= kLongestPosition ? sealed : std::string();
}

void Funnel::resume(std::string_view position) {
  while (!position.empty()) {
    const size_t name = position.find('\n');
    const size_t end = name == position.npos ? name : position.find('\n', name + 1);
    if (end == position.npos) return;
    where[std::string(position.substr(0, name))] = position.substr(name + 1, end - name - 1);
    position.remove_prefix(end + 1);
  }
}

void Funnel::end() {
  over = true;
  for (const auto& [upstream, part] : parts) {
    if (part != nullptr) part->cancel();
  }
}

net::Task<void> pour(std::shared_ptr<Funnel> funnel, std::string upstream) {
  Worker& worker = *funnel->asker.worker;
  std::chrono::milliseconds wait = kFirstPause;
  while (!funnel->over && funnel->session->way(upstream).door == Session::Door::kOpen) {
    std::vector<OwnField> fields = session_fields(*funnel->session, upstream);
    const auto last = funnel->where.find(upstream);
    if (last != funnel->where.end() && !last->second.empty()) {
      fields.emplace_back("Last-Event-ID", last->second);
    }
    Part part(worker, funnel->asker.caller);
    funnel->parts[upstream] = &part;
    const bool begun = co_await part.begin("GET", upstream, std::move(fields), {});
    if (begun && part.status() == 200 && part.is_events()) {
      if (co_await take_events(funnel, upstream, part)) wait = kFirstPause;
    } else if (begun && (part.status() == 405 || part.status() == 404 || part.status() == 400 ||
                         part.status() == 403)) {
      funnel->without.insert(upstream);
    }
    funnel->parts[upstream] = nullptr;
    if (funnel->without.contains(upstream)) break;
    part.cancel();
    // Where another stream of the session still seems to be open (409), it soon is not.
    co_await pause(worker.context(), wait);
    wait = std::min(2 * wait, kLongestPause);
  }
  funnel->parts.erase(upstream);
}

net::Task<void> pour_subscription(std::shared_ptr<Funnel> funnel, Subscription subscription) {
  const std::string upstream = subscription.upstream;
  if (co_await find_era(funnel->asker, upstream) == Eras::Speaks::kModern && !funnel->over) {
    Part part(*funnel->asker.worker, funnel->asker.caller);
    funnel->parts[upstream] = &part;
    const bool begun = co_await part.begin("POST", upstream, std::move(subscription.fields),
                                           std::move(subscription.body));
    if (begun && part.status() == 200 && part.is_events()) {
      co_await take_events(funnel, upstream, part);
    }
  }
  funnel->parts.erase(upstream);
  funnel->wake->set();
}

}  // namespace reeve::join
