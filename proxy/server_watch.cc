// See server_watch.h. Tested end to end by tests/e2e/mcp_forgery_test.mjs.
#include "proxy/server_watch.h"

#include "proxy/worker.h"

namespace reeve {
namespace {

using Dropped = DroppedMessages::Kind;

std::optional<json::Value> member(const std::optional<json::Value>& object, std::string_view key) {
  return object && object->is_object() ? object->find(key) : std::nullopt;
}

// Canonical JSON of a token; empty: it is none.
std::string token_of(const std::optional<json::Value>& value) {
  std::string text;
  if (value && (value->is_string() || value->is_number())) json::append_canonical(text, *value);
  return text;
}

Awaited& awaited(const Exchange& x) { return x.worker.services().awaited; }

Awaited::Conversation conversation_of(const Exchange& x) {
  return {x.upstream->config().name, x.agent_info()->name,
          x.head.fields.single("mcp-session-id").value_or("")};
}

// A stream that is resumed tells again what was told before (2025-11-25, Resumability).
bool is_replay(const Exchange& x) { return !x.message && x.head.fields.count("last-event-id") > 0; }

bool is_modern(const Exchange& x) { return x.message && x.message->era == mcp::Era::kModern; }

}  // namespace

ServerWatch::ServerWatch(Exchange& x) : x_(x) {
  if (!x.message) return;
  const mcp::Message& message = *x.message;
  if (message.shape == mcp::Shape::kResponse) {
    awaited(x).take_question(conversation(), mcp::id_key(*message.id_value));
  }
  if (message.shape != mcp::Shape::kRequest) return;
  id_ = mcp::id_key(*message.id_value);
  token_ = token_of(member(member(message.params, "_meta"), "progressToken"));
  awaited(x).ask(conversation(), id_, token_);
}

ServerWatch::~ServerWatch() {
  if (!asks()) return;
  // Leaving the answer cancels in the modern era; in the legacy one it does not.
  const bool over = delivered_ || is_modern(x_);
  const auto after = !over          ? Awaited::After::kAnswer
                     : became_task_ ? Awaited::After::kProgress
                                    : Awaited::After::kNothing;
  awaited(x_).end(conversation(), id_, token_, after);
}

Awaited::Conversation ServerWatch::conversation() const { return conversation_of(x_); }

Awaited::Conversation ServerWatch::with_session() const {
  Awaited::Conversation in = conversation();
  if (in.session.empty()) in.session = begun_;
  return in;
}

bool ServerWatch::drop(Dropped kind) {
  ++x_.dropped;
  x_.worker.services().dropped.count(x_.upstream->config().name, kind);
  return false;
}

bool ServerWatch::passes(const json::Value& message) {
  // What one reader takes for an answer and another for a request is neither.
  for (const std::string_view each : {"method", "id", "result", "error", "params"}) {
    if (message.has_case_variant(each)) return drop(Dropped::kUnreadable);
  }
  const auto method = message.find("method");
  if (!method) return passes_answer(message);
  if (!method->is_string() || message.find("result") || message.find("error")) {
    return drop(Dropped::kUnreadable);
  }
  std::string scratch;
  const std::string_view name = method->text(scratch);
  return message.find("id") ? passes_request(message, name) : passes_notification(message, name);
}

bool ServerWatch::passes_request(const json::Value& message, std::string_view method) {
  const std::string id = mcp::id_key(*message.find("id"));
  const bool may_ask = !is_modern(x_) && !id.empty() && !method.starts_with("notifications/");
  return (may_ask && awaited(x_).question(with_session(), id)) || drop(Dropped::kRequest);
}

bool ServerWatch::passes_notification(const json::Value& message, std::string_view method) {
  if (!method.starts_with("notifications/")) return drop(Dropped::kRequest);
  const auto params = message.find("params");
  if (method == "notifications/progress") {
    const std::string token = token_of(member(params, "progressToken"));
    const bool own = !token.empty() && token == token_;
    const bool known = own || awaited(x_).has_token(conversation(), token);
    return known || (is_replay(x_) && !token.empty()) || drop(Dropped::kProgress);
  }
  if (method == "notifications/tasks/status" || method == "notifications/tasks") {
    const auto task = member(params, "taskId");
    std::string scratch;
    const bool known =
        task && task->is_string() &&
        x_.worker.services().issued.is_own(Issued::Kind::kTask, x_.upstream->config().name,
                                           task->text(scratch), x_.agent_info()->name);
    return known || drop(Dropped::kTask);
  }
  return true;
}

// Only on a stream of the session may come what its own call was not told; and again, where the
// stream is resumed, what nobody waits for any more.
bool ServerWatch::may_come_late(const std::string& id) {
  return awaited(x_).take_answer(conversation(), id) ||
         (is_replay(x_) && !awaited(x_).is_asked(conversation(), id));
}

bool ServerWatch::passes_answer(const json::Value& message) {
  const auto id = message.find("id");
  const auto result = message.find("result");
  const bool well_formed = result.has_value() != message.find("error").has_value();
  const std::string key = id ? mcp::id_key(*id) : std::string();
  if (!well_formed || key.empty()) return drop(Dropped::kAnswer);
  if (asks() && key == id_) {
    if (answered_) return drop(Dropped::kAnswer);
    answered_ = true;
  } else if (x_.message || !may_come_late(key)) {
    return drop(Dropped::kAnswer);
  }
  if (result && result->is_object()) learn(*result);
  return true;
}

bool ServerWatch::answers(const std::optional<json::Value>& body, int status) {
  const bool readable = body && body->is_object();
  if (status < 300) {
    if (!readable) return drop(Dropped::kUnreadable);
    return body->find("method") ? drop(Dropped::kAnswer) : passes(*body);
  }
  // An error is about this call, unless it says that it is about another one.
  if (readable) {
    const auto id = body->find("id");
    const std::string key = id ? mcp::id_key(*id) : std::string();
    const bool foreign = key != id_ && awaited(x_).is_asked(conversation(), key);
    if (foreign || body->find("result") || body->find("method")) return drop(Dropped::kAnswer);
  }
  answered_ = true;
  return true;
}

// Task ids and request states are this agent's from now on.
void ServerWatch::learn(const json::Value& result) {
  Issued& issued = x_.worker.services().issued;
  std::string scratch;
  const auto give = [&](Issued::Kind kind, const std::optional<json::Value>& value) {
    if (!value || !value->is_string()) return false;
    issued.issue(kind, x_.upstream->config().name, value->text(scratch), x_.agent_info()->name);
    return true;
  };
  give(Issued::Kind::kState, result.find("requestState"));
  const auto type = result.find("resultType");
  const bool is_task = (type && type->is_string() && type->equals("task")) ||
                       (x_.message && x_.message->method.starts_with("tasks/"));
  const bool created = give(Issued::Kind::kTask, member(result.find("task"), "taskId"));
  const bool named = is_task && give(Issued::Kind::kTask, result.find("taskId"));
  const bool asked_again = x_.message && x_.message->method.starts_with("tasks/");
  became_task_ = (created || named) && !asked_again;
}

bool speaks_of_what_is_awaited(Exchange& x) {
  if (!x.message || x.message->shape == mcp::Shape::kRequest) return true;
  if (x.message->shape == mcp::Shape::kResponse) {
    if (awaited(x).has_question(conversation_of(x), mcp::id_key(*x.message->id_value))) return true;
    x.refuse(400, "not-asked", "no server has asked this");
    x.refusal->rpc = mcp::Refusal{400, -32600, x.refusal->detail, std::string(x.message->id)};
    return false;
  }
  if (x.message->method != "notifications/cancelled") return true;
  const auto id = member(x.message->params, "requestId");
  if (id && awaited(x).is_asked(conversation_of(x), mcp::id_key(*id))) return true;
  // It may just have ended, so nothing is said of it: 202.
  return x.refuse(400, "not-asked", "no request of this session waits under that id");
}

}  // namespace reeve
