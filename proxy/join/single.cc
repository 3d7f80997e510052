// A call that is about one upstream: the name taken apart, the rest as it came.
// Tested end to end by tests/e2e/join_test.mjs.
#include <fmt/format.h>

#include "proxy/join/call.h"
#include "proxy/join/stream_writer.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/stdio/bridge.h"

namespace reeve::join {
namespace {

constexpr int kInternalError = -32603;

// Whether an error says of no request that it is its answer: it may be shown, it can be taken for
// nothing else.
bool is_plain_error(json::Parser& parser, std::string_view text) {
  const auto root = parser.parse(text);
  const auto id = member(root, "id");
  return root && root->is_object() && root->find("error") && !root->find("method") &&
         !root->find("result") && (!id || id->is_null());
}

}  // namespace

// What one upstream is sent, and how what it sends is read.
struct Call::Single {
  Translator translator;
  std::shared_ptr<Session> via;  // whose session at the upstream, if any
  std::string id;                // instead of the request's, as JSON
};

net::Task<bool> Call::open_single(Single& single) {
  // Who may not use the upstream at all is told so by the call itself.
  if (!may_use(upstream_)) co_return true;
  if (modern()) {
    const Eras::Speaks speaks = co_await find_era(asker_, upstream_);
    if (speaks != Eras::Speaks::kLegacyOnly) co_return true;
    single.via = shared().sessions.bridge(agent_);
    single.translator.bridge();
    single.id = std::to_string(shared().next_id.fetch_add(1, std::memory_order_relaxed));
  } else {
    single.via = session_;
  }
  const auto patience = x_.worker.find_upstream(upstream_)->config().timeout;
  co_return co_await ensure_open(asker_, single.via, upstream_, steady_now() + patience,
                                 &x_.connection);
}

std::vector<OwnField> Call::fields_of_single(const Single& single) const {
  std::vector<OwnField> fields;
  if (single.via) fields = session_fields(*single.via, upstream_);
  if (modern() && !single.via) {
    for (const char* name : {"MCP-Protocol-Version", "Mcp-Method"}) {
      if (const auto value = x_.head.fields.single(std::string_view(name))) {
        fields.emplace_back(name, *value);
      }
    }
    if (x_.head.fields.count("mcp-name") > 0) fields.emplace_back("Mcp-Name", stdio::mirror(name_));
  }
  if (x_.message == nullptr && !last_event_.empty()) {
    fields.emplace_back("Last-Event-ID", last_event_);
  }
  return fields;
}

net::Task<void> Call::run_single() {
  Single single{Translator(shared().seal, holder(), upstream_), {}, {}};
  if (modern()) single.translator.refuse_requests();
  const bool asks = x_.message && message().shape == mcp::Shape::kRequest;
  for (bool again = false;; again = true) {
    if (!co_await open_single(single)) {
      co_return co_await answer_error(
          502, kInternalError,
          fmt::format("the server `{}` cannot be reached, or does not speak this revision of MCP",
                      upstream_));
    }
    const bool read = x_.message && message().method == "resources/read";
    if (!key_.empty()) single.translator.expect(key_of(single), shown_of(single), read);
    std::string body = body_;
    if (x_.message && body.empty()) {
      body = single.translator.request(x_.connection.work->body, message(), name_, single.id);
    }
    const uint64_t generation = single.via ? single.via->way(upstream_).generation : 0;
    Part part(x_.worker, asker_.caller);
    if (asks && session_) session_->started(key_, upstream_);
    const bool begun = co_await begin_single(part, single, std::move(body));
    // A server that was started anew knows no session of before.
    if (begun && part.status() == 404 && asks && single.via && generation > 0 && !again) {
      x_.connection.upstream = nullptr;
      single.via->lost(upstream_, generation);
      continue;
    }
    if (begun) {
      co_await pass_on(part, single);
    } else {
      co_await answer_error(503, kInternalError, "the sidecar has no room for this call");
    }
    x_.connection.upstream = nullptr;
    if (asks && session_) session_->ended(key_);
    if (x_.connection.agent_gone && !single.id.empty()) cancel_bridged(single);
    co_return;
  }
}

// A modern client cancels by hanging up, which a server of the legacy era does not understand.
void Call::cancel_bridged(const Single& single) {
  net::spawn(x_.worker.context(),
             notify(asker_, single.via, upstream_,
                    fmt::format(R"({{"jsonrpc":"2.0","method":"notifications/cancelled",)"
                                R"("params":{{"requestId":{}}}}})",
                                single.id)));
}

net::Task<bool> Call::begin_single(Part& part, const Single& single, std::string body) {
  x_.connection.upstream = nullptr;
  part.on_open([this](net::Stream& stream) { x_.connection.upstream = &stream; });
  co_return co_await part.begin(x_.head.method, upstream_, fields_of_single(single),
                                std::move(body));
}

std::string Call::key_of(const Single& single) const {
  return single.id.empty() ? key_ : single.id;
}

std::string Call::shown_of(const Single& single) const {
  return single.id.empty() ? std::string() : std::string(message().id);
}

net::Task<void> Call::pass_on(Part& part, Single& single) {
  const bool answers = x_.message == nullptr || message().shape == mcp::Shape::kRequest;
  if (answers && part.is_events()) co_return co_await pass_events(part, single);
  const size_t most = x_.worker.services().config.limits.body_bytes;
  auto text = co_await part.rest(most);
  if (x_.connection.agent_gone) {
    x_.keep_alive = false;
    co_return;
  }
  if (!answers) {
    // Nothing answers a notification or an answer; what was refused is said all the same.
    co_return co_await answer(part.status(), part.status() < 300 || !text ? std::string() : *text);
  }
  if (!text) {
    co_return co_await answer_error(502, kInternalError,
                                    "the server's answer was cut short or is too long");
  }
  std::string changed;
  if (part.is_json()) {
    json::Parser& parser = x_.connection.work->json;
    const Fate fate = single.translator.message(parser, *text, changed);
    const bool plain = part.status() >= 400 && is_plain_error(parser, *text);
    if (fate == Fate::kDrop && !plain) {
      co_return co_await answer_error(502, kInternalError, "the server answered something else");
    }
    if (fate != Fate::kChanged) changed = std::move(*text);
  } else {
    if (part.status() < 300 && !text->empty()) {
      co_return co_await answer_error(502, kInternalError, "the server's answer is no message");
    }
    changed = std::move(*text);
  }
  http::ResponseHead anew;
  anew.status = part.status();
  anew.fields = fields_of(part);
  static constexpr std::string_view kDrop[] = {"mcp-session-id"};
  std::string& out = x_.connection.work->out;
  out.clear();
  x_.status = part.status();
  http::write_response_head(out, anew.status, {}, anew.fields, kDrop, {}, http::Framing::kLength,
                            changed.size(), x_.keep_alive, x_.head.minor_version);
  out += changed;
  x_.bytes_out += changed.size();
  x_.answered = true;
  if (!co_await x_.connection.stream.write(out)) x_.keep_alive = false;
}

std::string Call::event_id(const Single& single, std::string_view id) const {
  return shared().seal.close(Purpose::kEvent, holder(),
                             fmt::format("{}\n{}\n{}", upstream_, key_of(single), id));
}

net::Task<void> Call::pass_events(Part& part, Single& single) {
  StreamWriter writer(x_);
  if (!co_await writer.head(part.status(), fields_of(part))) co_return;
  mcp::EventStreamParser events(x_.worker.services().config.limits.body_bytes);
  json::Parser& parser = x_.connection.work->json;
  std::string written, changed, id;
  const auto on_event = [&](const mcp::Event& event) {
    mcp::Event out = event;
    if (event.has_id && !event.id.empty()) {
      id = event_id(single, event.id);
      out.id = id;
    }
    if (!event.comment && event.has_data && !event.data.empty()) {
      switch (single.translator.message(parser, event.data, changed)) {
        case Fate::kSame:
          break;
        case Fate::kChanged:
          out.data = changed;
          break;
        case Fate::kDrop:
          out.data = {};
          out.has_data = false;
          if (!out.has_id && !out.has_retry) return;
      }
    }
    mcp::append_event(written, out);
  };
  for (;;) {
    const std::string_view data = co_await part.next();
    const bool fits = events.feed(data, on_event);
    const bool ended = data.empty();
    if (ended && !part.whole()) break;
    if (!fits) break;
    if ((!written.empty() || ended) && !co_await writer.write(written, ended)) co_return;
    written.clear();
    if (ended) co_return;
  }
  writer.cut();
}

}  // namespace reeve::join
