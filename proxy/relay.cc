// Three ways for an answer: as it is; as server-sent events, parsed and written anew one by one; or
// read whole: an MCP server's answer to a request, a list to be filtered, or what guards look at.
// Which one depends on the upstream's protocol, the content type and what was asked. Tested end to
// end by tests/e2e.
#include "proxy/relay.h"

#include "proxy/drift.h"
#include "proxy/guard_results.h"
#include "proxy/llm/metered.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/list_filter.h"
#include "proxy/relay_parts.h"
#include "proxy/reply.h"
#include "proxy/retried.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

// Remembers whose session it is that the upstream begins or ends by this answer.
void follow_session(Exchange& x, const UpstreamConnection& from, ServerWatch& watch) {
  const http::ResponseHead& head = from.parser.head();
  McpSessions& sessions = x.worker.services().sessions;
  if (const auto issued = head.fields.single("mcp-session-id")) {
    if (x.head.fields.count("mcp-session-id") == 0) {
      watch.begins_session(*issued);
      sessions.bind(x.call.upstream, *issued, x.agent_info()->name, from.address->endpoint);
    }
  }
  if (x.head.method == "DELETE" && head.status < 300) {
    if (const auto ended = x.head.fields.single("mcp-session-id")) {
      sessions.forget(x.call.upstream, *ended);
      x.worker.services().awaited.forget({x.call.upstream, x.agent_info()->name, *ended});
    }
  }
}

// The agent has gone, but what the call costs is told at the end of the answer.
net::Task<RelayEnd> read_on(Exchange& x, BodyReader& body) {
  if (!x.worker.read_on(x.connection)) co_return RelayEnd::kBroken;
  while (!body.done() && !body.broken()) {
    if (!x.metered->pass(co_await body.next())) break;
  }
  co_return RelayEnd::kBroken;
}

// `begun` is what of the body was read with its head already.
net::Task<RelayEnd> pass_through(Exchange& x, UpstreamConnection& from, BodyReader& body,
                                 const http::ResponseHead& head, std::string_view begun) {
  Answer answer(x);
  http::Framing framing = http::Framing::kChunked;
  const bool as_long = !x.metered || !x.metered->rewrites();
  if (head.framing == http::Framing::kLength && as_long) framing = http::Framing::kLength;
  if (head.framing == http::Framing::kNone) {
    // An answer to HEAD tells the length of a body that does not follow.
    framing = head.has_content_length ? http::Framing::kLength : http::Framing::kNone;
  }
  answer.head(head, framing, head.content_length, {});
  if (begun.empty()) {
    from.consume(from.parser.head_bytes());
  } else {
    answer.body(begun);
  }
  for (;;) {
    // Head and what came with it leave in one write.
    std::string_view data = answer.empty() ? co_await body.next() : body.take();
    if (x.metered) {
      const auto passed = x.metered->pass(data);
      if (!passed) co_return RelayEnd::kBroken;
      data = *passed;
    }
    if (!data.empty()) answer.body(data);
    if (body.broken()) co_return RelayEnd::kBroken;
    if (body.done()) answer.end();
    if (!co_await answer.flush()) co_return co_await read_on(x, body);
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
      case mcp::List::kTasks:
        return x.worker.services().issued.is_own(Issued::Kind::kTask, x.call.upstream, name,
                                                 x.agent_info()->name);
    }
    const policy::PolicySet& policy = *x.snapshot->policy;
    if (policy::is_dispatch(policy, call)) return policy::could_dispatch(policy, *x.agent, call);
    return policy.could_allow(*x.agent, call);
  };
}

// Whether this answer may have a list: one was asked for, or it may be a replay of one, or what the
// server says of itself, or what a task came to.
bool may_hold_list(const Exchange& x) {
  if (x.message == nullptr) return x.head.method == "GET";
  const std::string_view method = x.message->method;
  mcp::List list{};
  return mcp::list_of_method(method, list) || may_say_instructions(x) ||
         method.starts_with("tasks/") || method == "subscriptions/listen";
}

// Tells the agent why guards refuse the answer. What of it was not read goes with its connection.
net::Task<RelayEnd> answer_refused(Exchange& x, UpstreamConnection& from, const BodyReader& body) {
  if (!body.done()) from.stream.close();
  if (!x.body_complete) x.keep_alive = false;
  std::string& out = x.connection.work->out;
  out.clear();
  append_refusal(out, x);
  x.answered = true;
  if (!co_await x.connection.stream.write(out)) x.keep_alive = false;
  co_return RelayEnd::kWhole;
}

// A list that is filtered, an MCP server's answer to a request, or what guards look at.
net::Task<RelayEnd> relay_whole(Exchange& x, UpstreamConnection& from, BodyReader& body,
                                ServerWatch* watch) {
  const size_t most = x.worker.services().config.limits.body_bytes;
  const HeldHead held(from.parser.head());
  const http::ResponseHead& head = held.head();
  const bool list = x.is_mcp() && may_hold_list(x);
  const bool rpc =
      watch && (list || watch->asks()) && media_type_is(head.fields, "application/json");
  if ((list || rpc) && head.fields.count("content-encoding") > 0) co_return RelayEnd::kRefused;
  from.consume(from.parser.head_bytes());
  std::string message, edited;
  while (!body.done()) {
    const std::string_view data = co_await body.next();
    if (body.broken()) co_return RelayEnd::kRefused;
    const bool first = message.empty() && !data.empty();
    if (x.metered) x.metered->pass(data);  // of no stream: nothing is left out
    message += data;
    const bool too_long = message.size() > most;
    if (!too_long && !(first && guards_results(x))) continue;
    if (too_long && !guards_results(x)) co_return RelayEnd::kRefused;
    const bool goes_on = too_long ? refuse_long_answer(x) : can_guard_answer(x, head);
    if (!goes_on) co_return co_await answer_refused(x, from, body);
    if (guards_results(x)) continue;
    // In report mode an answer that cannot be looked at goes on as it comes.
    if (list || rpc) co_return RelayEnd::kRefused;
    co_return co_await pass_through(x, from, body, head, message);
  }
  if (rpc && (list || !message.empty())) {
    const auto root = x.connection.work->json.parse(message);
    if (watch->asks() && !watch->answers(root, head.status)) co_return RelayEnd::kRefused;
    if (list) {
      if (!root || !root->is_object()) co_return RelayEnd::kRefused;
      DriftObserver drift(x);
      const auto result = mcp::filter_message(*root, message, visibility(x), edited, &drift);
      drift.finish_message();
      if (result == mcp::Filtered::kInvalid) co_return RelayEnd::kRefused;
      if (result == mcp::Filtered::kChanged) message = edited;
    }
  }
  std::span<const std::string_view> drop;
  if (guards_results(x) && !message.empty()) {
    const GuardedAs as = guard_answer(x, head.fields, message, edited);
    if (as == GuardedAs::kRefused) co_return co_await answer_refused(x, from, body);
    if (as == GuardedAs::kChanged) {
      message = std::move(edited);
      drop = kFieldsOfBody;
    }
  }
  Answer answer(x);
  answer.head(head, http::Framing::kLength, message.size(), {}, drop);
  answer.body(message);
  answer.end();
  if (!co_await answer.flush()) co_return RelayEnd::kBroken;
  if (watch) watch->sent();
  co_return RelayEnd::kWhole;
}

// An MCP server's answer to a request, which mostly has come whole with its head.
net::Task<RelayEnd> relay_answer(Exchange& x, UpstreamConnection& from, BodyReader& body,
                                 ServerWatch& watch) {
  const http::ResponseHead& head = from.parser.head();
  const size_t at_hand = from.unread().size() - from.parser.head_bytes();
  if (head.framing != http::Framing::kLength || at_hand < head.content_length ||
      head.fields.count("content-encoding") > 0) {
    co_return co_await relay_whole(x, from, body, &watch);
  }
  from.consume(from.parser.head_bytes());
  const std::string_view message = body.take();
  if (!watch.answers(x.connection.work->json.parse(message), head.status))
    co_return RelayEnd::kRefused;
  Answer answer(x);
  answer.head(head, http::Framing::kLength, message.size(), {});
  answer.body(message);
  answer.end();
  if (!co_await answer.flush()) co_return RelayEnd::kBroken;
  watch.sent();
  co_return RelayEnd::kWhole;
}

// Nothing answers a notification, nor an answer: whatever comes as one goes no further.
net::Task<RelayEnd> relay_nothing(Exchange& x, UpstreamConnection& from, BodyReader& body) {
  const HeldHead held(from.parser.head());
  from.consume(from.parser.head_bytes());
  size_t left = x.worker.services().config.limits.body_bytes;
  while (!body.done()) {
    const size_t size = (co_await body.next()).size();
    if (body.broken() || size > left) co_return RelayEnd::kRefused;
    left -= size;
  }
  static constexpr std::string_view kTypes[] = {"content-type", "content-encoding"};
  Answer answer(x);
  answer.head(held.head(), http::Framing::kLength, 0, {}, kTypes);
  co_return co_await answer.flush() ? RelayEnd::kWhole : RelayEnd::kBroken;
}

net::Task<RelayEnd> relay_events(Exchange& x, UpstreamConnection& from, BodyReader& body,
                                 ServerWatch* watch) {
  const http::ResponseHead& head = from.parser.head();
  if (x.is_mcp() && head.fields.count("content-encoding") > 0) co_return RelayEnd::kRefused;
  static constexpr http::Field kUnbuffered[] = {{"X-Accel-Buffering", "no"}};
  const bool said = head.fields.count("x-accel-buffering") > 0;
  Answer answer(x);
  answer.head(head, http::Framing::kChunked, 0,
              said ? std::span<const http::Field>() : std::span<const http::Field>(kUnbuffered));
  from.consume(from.parser.head_bytes());
  // The head goes out at once: clients wait for it while the first event may be long in coming.
  if (!co_await answer.flush()) co_return RelayEnd::kBroken;

  const bool filters = x.is_mcp() && may_hold_list(x);
  std::optional<GuardedEvents> guards;
  if (guards_results(x)) guards.emplace(x);
  const mcp::Visible visible = visibility(x);
  DriftObserver drift(x);
  mcp::EventStreamParser parser(x.worker.services().config.limits.body_bytes);
  std::string written, filtered;
  bool refused = false, guarded = false;
  const auto on_event = [&](const mcp::Event& event) {
    if (refused || guarded) return;
    mcp::Event out = event;
    if (event.has_id && !event.id.empty()) {
      x.worker.services().issued.issue(Issued::Kind::kEvent, x.call.upstream, event.id,
                                       x.agent_info()->name);
    }
    if (watch && !event.comment && event.has_data && !event.data.empty()) {
      const auto root = x.connection.work->json.parse(event.data);
      bool readable = root && root->is_object();
      const bool passes = readable && watch->passes(*root);
      if (readable) drift.sees_event(*root);
      if (passes && filters) {
        const mcp::Filtered result =
            mcp::filter_message(*root, event.data, visible, filtered, &drift);
        drift.finish_message();
        if (result == mcp::Filtered::kChanged) out.data = filtered;
        readable = result != mcp::Filtered::kInvalid;
      }
      if (!readable) {
        watch->drop_unreadable();
        // A message that cannot be read may hold anything; another event is only left out.
        refused = event.name.empty() || event.name == "message";
        return;
      }
      if (!passes) {
        out.data = {};
        out.has_data = false;  // its id stays: the client may ask for what comes after it
        if (!out.has_id && !out.has_retry) return;
      }
    }
    if (guards) {
      guarded = !guards->pass(out, written);
    } else {
      mcp::append_event(written, out);
    }
  };
  for (;;) {
    std::string_view data = co_await body.next();
    if (x.metered) {
      const auto passed = x.metered->pass(data);
      if (!passed) co_return RelayEnd::kBroken;
      data = *passed;
    }
    const bool fits = parser.feed(data, on_event);
    if (guards && !guarded && body.done()) guarded = !guards->finish(written);
    if (!written.empty()) answer.body(written);
    written.clear();
    if (refused || guarded || !fits || body.broken()) {
      co_await answer.flush();
      co_return guarded ? RelayEnd::kGuarded : RelayEnd::kBroken;
    }
    if (body.done()) answer.end();
    if (!co_await answer.flush()) co_return co_await read_on(x, body);
    if (watch) watch->sent();
    if (body.done()) co_return RelayEnd::kWhole;
  }
}

void begin_metering(Exchange& x, const http::ResponseHead& head) {
  x.metered->begin(head, x.worker.services().config.limits.body_bytes);
  if (x.metered->may_tell_usage()) x.connection.reads_on = x.upstream->config().answer_idle;
}

// What the call cost may stand in its answer. A key's first attempt is charged from here on, but
// where that is still to be told.
void begin_pricing(Exchange& x, const http::ResponseHead& head) {
  if (x.result_cost) return x.result_cost->begin(head);
  if (x.retried) x.retried->answered(x.started);
}

}  // namespace

net::Task<RelayEnd> relay(Exchange& x, UpstreamConnection& from, ServerWatch* watch) {
  const http::ResponseHead& head = from.parser.head();
  const bool events = media_type_is(head.fields, "text/event-stream");
  begin_pricing(x, head);
  BodyReader body(x, from, events);
  RelayEnd end;
  // reeve holds the credential of an MCP upstream: its 401 is no question to the agent.
  if (x.is_mcp() && head.status == 401) co_return RelayEnd::kRefused;
  if (watch) follow_session(x, from, *watch);
  if (x.metered) begin_metering(x, head);
  bool guards = !body.done() && guards_results(x);
  if (guards && events && !can_guard_answer(x, head)) {
    co_return co_await answer_refused(x, from, body);
  }
  guards = guards && guards_results(x);
  const bool list = watch && !body.done() && may_hold_list(x);
  const bool json = watch && !body.done() && media_type_is(head.fields, "application/json");
  if ((watch || guards) && !body.done() && events) {
    end = co_await relay_events(x, from, body, watch);
  } else if (x.message && !body.done() && !watch->asks() && head.status < 300) {
    end = co_await relay_nothing(x, from, body);
  } else if (list && !json && head.status < 300) {
    end = RelayEnd::kRefused;  // a list in a form that cannot be read shows more than it may
  } else if (guards || (list && json)) {
    end = co_await relay_whole(x, from, body, watch);
  } else if (json && watch->asks()) {
    end = co_await relay_answer(x, from, body, *watch);
  } else {
    end = co_await pass_through(x, from, body, head, {});
  }
  if (x.result_cost) x.result_cost->end(body.done() && !body.broken());
  if (x.metered) {
    x.metered->end(body.done() && !body.broken());
    x.worker.end_read_on(x.connection);
  }
  if (end == RelayEnd::kWhole && body.closed()) from.stream.close();
  co_return end;
}

}  // namespace reeve
