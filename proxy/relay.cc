// Three ways for an answer: as it is; as server-sent events, parsed and written anew one by one; or
// a list read whole and filtered. Which one depends on the upstream's protocol, the content type
// and what was asked. Tested end to end by tests/e2e.
#include "proxy/relay.h"

#include "proxy/http/writer.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/list_filter.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

bool media_type_is(const http::Fields& fields, std::string_view wanted) {
  const auto type = fields.single("content-type");
  if (!type) return false;
  std::string_view media = type->substr(0, type->find(';'));
  while (!media.empty() && (media.back() == ' ' || media.back() == '\t')) media.remove_suffix(1);
  return http::iequals(media, wanted);
}

// Reads the body of an answer piece by piece.
class BodyReader {
 public:
  // Between two pieces the upstream may take `answer_idle`, unless `stream`: events have no hurry.
  BodyReader(Exchange& x, UpstreamConnection& from, bool stream)
      : from_(from),
        agent_(x.connection),
        idle_(x.upstream->config().answer_idle),
        stream_(stream) {
    const http::ResponseHead& head = from.parser.head();
    decoder_.start(head.framing, head.content_length);
    done_ = head.framing == http::Framing::kNone ||
            (head.framing == http::Framing::kLength && head.content_length == 0);
  }

  bool done() const { return done_; }
  bool broken() const { return broken_; }

  // What is there without waiting, or else what comes next. Empty at the end or when broken. The
  // view lives until the next call.
  net::Step<std::string_view> next() {
    if (const std::string_view data = take(); !data.empty() || done_ || broken_) return data;
    return read();
  }

  // What is in the buffer already.
  std::string_view take() {
    while (!done_ && !broken_ && from_.begin != from_.end) {
      const http::BodyDecoder::Step step = decoder_.step(from_.unread());
      from_.consume(step.consumed);
      done_ = step.done;
      broken_ = static_cast<bool>(step.fault);
      if (!step.data.empty()) return step.data;
      if (step.consumed == 0) break;
    }
    return {};
  }

  bool closed() const { return closed_; }

 private:
  net::Task<std::string_view> read() {
    for (;;) {
      net::ErrorCode ec;
      if (!stream_) {
        agent_.deadline = steady_now() + idle_;
        agent_.phase = Phase::kAnswer;
      }
      const size_t n = co_await from_.fill(ec);
      agent_.phase = Phase::kStream;  // the agent may take its time to read
      if (n == 0) {
        done_ = ec == net::asio::error::eof && decoder_.complete_at_close();
        broken_ = !done_;
        closed_ = true;
        co_return std::string_view{};
      }
      if (const std::string_view data = take(); !data.empty() || done_ || broken_) co_return data;
    }
  }

  UpstreamConnection& from_;
  Connection& agent_;
  const std::chrono::milliseconds idle_;
  const bool stream_;
  http::BodyDecoder decoder_;
  bool done_ = false, broken_ = false, closed_ = false;
};

// Remembers whose session it is that the upstream begins or ends by this answer.
void follow_session(Exchange& x, const UpstreamConnection& from) {
  const http::ResponseHead& head = from.parser.head();
  McpSessions& sessions = x.worker.services().sessions;
  if (const auto issued = head.fields.single("mcp-session-id")) {
    if (x.head.fields.count("mcp-session-id") == 0) {
      sessions.bind(x.call.upstream, *issued, x.agent_info()->name, from.address->endpoint);
    }
  }
  if (x.head.method == "DELETE" && head.status < 300) {
    if (const auto ended = x.head.fields.single("mcp-session-id")) {
      sessions.forget(x.call.upstream, *ended);
    }
  }
}

// Writes an answer to the agent in the framing that suits it.
class Answer {
 public:
  explicit Answer(Exchange& x) : x_(x), out_(x.connection.out) { out_.clear(); }

  void head(const http::ResponseHead& head, http::Framing framing, uint64_t length,
            std::span<const http::Field> extra) {
    x_.status = head.status;
    framing_ = framing;
    if (framing == http::Framing::kChunked && x_.head.minor_version == 0) {
      framing_ = http::Framing::kUntilClose;
    }
    if (framing_ == http::Framing::kUntilClose) x_.keep_alive = false;
    if (x_.worker.services().draining) x_.keep_alive = false;
    if (!x_.body_complete) x_.keep_alive = false;  // an answer before the end of its request
    http::write_response_head(out_, head.status, head.reason, head.fields, {}, extra, framing_,
                              length, x_.keep_alive, x_.head.minor_version);
  }

  void body(std::string_view data) {
    x_.bytes_out += data.size();
    if (framing_ == http::Framing::kChunked) {
      http::write_chunk_header(out_, data.size());
      out_ += data;
      out_ += "\r\n";
    } else {
      out_ += data;
    }
  }

  void end() {
    if (framing_ == http::Framing::kChunked) out_ += "0\r\n\r\n";
  }

  net::Step<bool> flush() {
    if (out_.empty()) return true;
    x_.answered = true;
    std::string_view bytes = out_;
    if (!x_.connection.stream.write_at_once(bytes)) return write(bytes);
    out_.clear();
    return true;
  }

  bool empty() const { return out_.empty(); }

 private:
  net::Task<bool> write(std::string_view bytes) {
    const bool sent = co_await x_.connection.stream.write(bytes);
    out_.clear();
    if (!sent) x_.connection.agent_gone = true;
    co_return sent;
  }

  Exchange& x_;
  std::string& out_;
  http::Framing framing_ = http::Framing::kNone;
};

net::Task<RelayEnd> pass_through(Exchange& x, UpstreamConnection& from, BodyReader& body) {
  const http::ResponseHead& head = from.parser.head();
  Answer answer(x);
  http::Framing framing = http::Framing::kChunked;
  if (head.framing == http::Framing::kLength) framing = http::Framing::kLength;
  if (head.framing == http::Framing::kNone) {
    // An answer to HEAD tells the length of a body that does not follow.
    framing = head.has_content_length ? http::Framing::kLength : http::Framing::kNone;
  }
  answer.head(head, framing, head.content_length, {});
  from.consume(from.parser.head_bytes());
  for (;;) {
    // Head and what came with it leave in one write.
    const std::string_view data = answer.empty() ? co_await body.next() : body.take();
    if (!data.empty()) answer.body(data);
    if (body.broken()) co_return RelayEnd::kBroken;
    if (body.done()) answer.end();
    if (!co_await answer.flush()) co_return RelayEnd::kBroken;
    if (body.done()) co_return RelayEnd::kWhole;
  }
}

mcp::Visible visibility(Exchange& x) {
  return [&x](mcp::List list, std::string_view name) {
    policy::Call call = x.call;
    call.target = name;
    switch (list) {
      case mcp::List::kTools:
        call.kind = policy::Kind::kTool;
        call.action = "tools/call";
        break;
      case mcp::List::kPrompts:
        call.kind = policy::Kind::kPrompt;
        call.action = "prompts/get";
        break;
      case mcp::List::kResources:
      case mcp::List::kResourceTemplates:
        call.kind = policy::Kind::kResource;
        call.action = "resources/read";
        break;
    }
    const policy::PolicySet& policy = *x.snapshot->policy;
    if (policy::is_dispatch(policy, call)) return policy::could_dispatch(policy, *x.agent, call);
    return policy.could_allow(*x.agent, call);
  };
}

// Whether lists in this answer are to be filtered: it was asked for, or it may be a replay.
bool may_hold_list(const Exchange& x) {
  if (x.message == nullptr) return x.head.method == "GET";
  mcp::List list{};
  return mcp::list_of_method(x.message->method, list);
}

net::Task<RelayEnd> filter_json(Exchange& x, UpstreamConnection& from, BodyReader& body) {
  const size_t most = x.worker.services().config.limits.body_bytes;
  // The head's fields are views into the buffer that the body is read into: written first, sent
  // last.
  const http::ResponseHead head = from.parser.head();
  if (head.fields.count("content-encoding") > 0) co_return RelayEnd::kRefused;
  std::string fields_text;
  http::Fields fields;
  for (const http::Field& field : head.fields.list) {
    fields_text.append(field.name).append(field.value);
  }
  size_t at = 0;
  for (const http::Field& field : head.fields.list) {
    const std::string_view all = fields_text;
    fields.list.push_back({all.substr(at, field.name.size()),
                           all.substr(at + field.name.size(), field.value.size())});
    at += field.name.size() + field.value.size();
  }
  from.consume(from.parser.head_bytes());
  std::string message;
  while (!body.done()) {
    const std::string_view data = co_await body.next();
    if (body.broken() || message.size() + data.size() > most) co_return RelayEnd::kRefused;
    message += data;
  }
  std::string filtered;
  const mcp::Filtered result =
      mcp::filter_message(x.connection.json, message, visibility(x), filtered);
  if (result == mcp::Filtered::kInvalid) co_return RelayEnd::kRefused;
  const std::string& bytes = result == mcp::Filtered::kChanged ? filtered : message;
  http::ResponseHead anew;
  anew.status = head.status;
  anew.fields = fields;
  Answer answer(x);
  answer.head(anew, http::Framing::kLength, bytes.size(), {});
  answer.body(bytes);
  if (!co_await answer.flush()) co_return RelayEnd::kBroken;
  co_return RelayEnd::kWhole;
}

net::Task<RelayEnd> relay_events(Exchange& x, UpstreamConnection& from, BodyReader& body) {
  const http::ResponseHead& head = from.parser.head();
  if (head.fields.count("content-encoding") > 0) co_return RelayEnd::kRefused;
  static constexpr http::Field kUnbuffered[] = {{"X-Accel-Buffering", "no"}};
  const bool said = head.fields.count("x-accel-buffering") > 0;
  Answer answer(x);
  answer.head(head, http::Framing::kChunked, 0,
              said ? std::span<const http::Field>() : std::span<const http::Field>(kUnbuffered));
  from.consume(from.parser.head_bytes());
  // The head goes out at once: clients wait for it while the first event may be long in coming.
  if (!co_await answer.flush()) co_return RelayEnd::kBroken;

  const bool filters = may_hold_list(x);
  const mcp::Visible visible = visibility(x);
  mcp::EventStreamParser parser(x.worker.services().config.limits.body_bytes);
  std::string written, filtered;
  bool refused = false;
  const auto on_event = [&](const mcp::Event& event) {
    if (refused) return;
    mcp::Event out = event;
    if (filters && !event.comment && event.has_data && !event.data.empty()) {
      const mcp::Filtered result =
          mcp::filter_message(x.connection.json, event.data, visible, filtered);
      if (result == mcp::Filtered::kChanged) out.data = filtered;
      if (result == mcp::Filtered::kInvalid) {
        // A message that cannot be read may hold anything; another event is only left out.
        refused = event.name.empty() || event.name == "message";
        return;
      }
    }
    if (!refused) mcp::append_event(written, out);
  };
  for (;;) {
    const std::string_view data = co_await body.next();
    const bool fits = parser.feed(data, on_event);
    if (!written.empty()) answer.body(written);
    written.clear();
    if (refused || !fits || body.broken()) {
      co_await answer.flush();
      co_return RelayEnd::kBroken;
    }
    if (body.done()) answer.end();
    if (!co_await answer.flush()) co_return RelayEnd::kBroken;
    if (body.done()) co_return RelayEnd::kWhole;
  }
}

}  // namespace

net::Task<RelayEnd> relay(Exchange& x, UpstreamConnection& from) {
  const http::ResponseHead& head = from.parser.head();
  const bool events = media_type_is(head.fields, "text/event-stream");
  BodyReader body(x, from, events);
  RelayEnd end;
  // reeve holds the credential of an MCP upstream: its 401 is no question to the agent.
  if (x.is_mcp() && head.status == 401) co_return RelayEnd::kRefused;
  if (x.is_mcp()) follow_session(x, from);
  if (x.is_mcp() && !body.done() && events) {
    end = co_await relay_events(x, from, body);
  } else if (x.is_mcp() && !body.done() && may_hold_list(x) &&
             media_type_is(head.fields, "application/json")) {
    end = co_await filter_json(x, from, body);
  } else if (x.is_mcp() && !body.done() && may_hold_list(x) && head.status < 300) {
    end = RelayEnd::kRefused;  // a list in a form that cannot be read shows more than it may
  } else {
    end = co_await pass_through(x, from, body);
  }
  if (end == RelayEnd::kWhole && body.closed()) from.stream.close();
  co_return end;
}

}  // namespace reeve
