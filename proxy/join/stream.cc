// The one stream on which a client hears of all its servers: GET in the legacy era,
// subscriptions/listen in the modern one. Tested end to end by tests/e2e/join_test.mjs.
#include <fmt/format.h>

#include "proxy/join/call.h"
#include "proxy/join/edits.h"
#include "proxy/join/funnel.h"
#include "proxy/join/names.h"
#include "proxy/join/stream_writer.h"

namespace reeve::join {
namespace {

constexpr std::chrono::seconds kSignOfLife{15}, kLook{1};
constexpr std::string_view kChanged[] = {"tools", "prompts", "resources"};

void append_message(std::string& out, std::string_view message) {
  mcp::Event event;
  event.data = message;
  event.has_data = true;
  mcp::append_event(out, event);
}

}  // namespace

// Streams of upstreams that are open and not being read are read; with those that were opened since
// the last look, the lists have changed.
void Call::start_streams(const std::shared_ptr<Funnel>& funnel, uint64_t& openings) {
  const uint64_t now = session_->openings();
  if (now == openings) return;
  for (const std::string& each : open_ones()) {
    if (funnel->parts.contains(each) || funnel->without.contains(each)) continue;
    funnel->parts[each] = nullptr;
    net::spawn(x_.worker.context(), pour(funnel, each));
  }
  if (openings != kNoneSeen) {
    for (const std::string_view what : kChanged) {
      append_message(
          funnel->out,
          fmt::format(R"({{"jsonrpc":"2.0","method":"notifications/{}/list_changed"}})", what));
    }
  }
  openings = now;
}

// What each upstream is asked for: of the URIs, those that are its own.
std::vector<Subscription> Call::subscriptions() const {
  std::vector<Subscription> all;
  const std::string body = x_.connection.work->body;
  for (const std::string& upstream : usable_) {
    Subscription each;
    each.upstream = upstream;
    json::Parser parser;
    const auto uris = member(member(member(parser.parse(body), "params"), "notifications"),
                             "resourceSubscriptions");
    Edits edits;
    if (uris && uris->is_array()) {
      std::string own = "[";
      for (const json::Value uri : uris->items()) {
        const std::string text = text_of(uri);
        const auto split = split_uri(text);
        if (!split || split->upstream != upstream) continue;
        if (own.size() > 1) own += ',';
        json::append_string(own, split->name);
      }
      edits.replace(*uris, own + "]");
    }
    each.body = edits.apply(body);
    each.fields = {{"MCP-Protocol-Version", std::string(kModernVersion)},
                   {"Mcp-Method", "subscriptions/listen"}};
    all.push_back(std::move(each));
  }
  return all;
}

net::Task<void> Call::join_streams() {
  const auto funnel = std::make_shared<Funnel>(asker_, session_, holder());
  StreamWriter writer(x_);
  http::Fields fields;
  fields.list = {{"Content-Type", "text/event-stream"},
                 {"Cache-Control", "no-cache"},
                 {"X-Accel-Buffering", "no"}};
  if (!co_await writer.head(200, fields)) co_return;
  if (modern()) {
    const auto wanted = member(message().params, "notifications");
    append_message(
        funnel->out,
        fmt::format(R"({{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",)"
                    R"("params":{{"notifications":{},"_meta":)"
                    R"({{"io.modelcontextprotocol/subscriptionId":{}}}}}}})",
                    wanted ? wanted->raw() : "{}", message().id));
    for (Subscription& each : subscriptions()) {
      funnel->parts[each.upstream] = nullptr;
      net::spawn(x_.worker.context(), pour_subscription(funnel, std::move(each)));
    }
  } else {
    funnel->resume(last_event_);
  }
  uint64_t openings = kNoneSeen;
  Steady spoken = steady_now();
  bool goes_on = true;
  while (goes_on) {
    if (session_) start_streams(funnel, openings);
    const bool ends = x_.worker.services().draining || (modern() && funnel->parts.empty());
    if (steady_now() - spoken >= kSignOfLife) funnel->out += ":\n\n";
    if (!funnel->out.empty() || ends) {
      spoken = steady_now();
      goes_on = co_await writer.write(std::exchange(funnel->out, {}), ends) && !ends;
      continue;
    }
    co_await funnel->wake->wait(steady_now() + kLook, &x_.connection);
    if (x_.connection.agent_gone) break;
  }
  if (x_.connection.agent_gone) x_.keep_alive = false;
  funnel->end();
}

}  // namespace reeve::join
