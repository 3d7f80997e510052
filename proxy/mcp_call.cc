// Which rules speak about which message (mcp/README.md has the table). A method that is in no list
// here is unknown to reeve and allowed only by its name in `methods`.
// Tested by tests/e2e/mcp_test.mjs.
#include "proxy/mcp_call.h"

#include "policy/selector.h"
#include "proxy/approvals/ask.h"
#include "proxy/body.h"
#include "proxy/dispatched.h"
#include "proxy/mcp/message.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

using policy::Kind;

bool refuse_rpc(Exchange& x, const mcp::Refusal& why) {
  x.refuse(why.http_status, "malformed", why.message);
  x.refusal->rpc = why;
  return false;
}

void digest_arguments(Exchange& x) {
  std::string& canonical = x.connection.work->line;
  canonical.clear();
  json::append_canonical(canonical, *x.args);
  x.args_sha256 = sha256(canonical);
}

// `ref` of completion/complete: completion leaks values of what it names.
void name_completion(Exchange& x, const mcp::Message& message, std::string& scratch) {
  const auto ref =
      message.params && message.params->is_object() ? message.params->find("ref") : std::nullopt;
  if (!ref || !ref->is_object()) return;
  const auto type = ref->find("type");
  const bool resource = type && type->is_string() && type->equals("ref/resource");
  const auto target = ref->find(resource ? "uri" : "name");
  if (!target || !target->is_string()) return;
  x.call.kind = resource ? Kind::kResource : Kind::kPrompt;
  x.call.target = target->text(scratch);
}

void name_call(Exchange& x, const mcp::Message& message) {
  x.call.action = message.method;
  x.call.target = message.target;
  const std::string_view method = message.method;
  if (method == "tools/call") {
    x.call.kind = Kind::kTool;
    x.args = message.arguments;
    if (x.args) {
      x.call.args = &*x.args;
      digest_arguments(x);
    }
  } else if (method == "resources/read" || method == "resources/subscribe" ||
             method == "resources/unsubscribe") {
    x.call.kind = Kind::kResource;
  } else if (method == "prompts/get") {
    x.call.kind = Kind::kPrompt;
  } else if (method == "completion/complete") {
    name_completion(x, message, x.connection.work->target);
  } else {
    // Task ids and the like name nothing that rules select.
    x.call.target = {};
  }
}

policy::Decision decide_subscriptions(Exchange& x) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  policy::Decision decision = policy.decide_housekeeping(*x.agent, x.call);
  const auto& params = x.message->params;
  const auto wanted = params && params->is_object() ? params->find("notifications") : std::nullopt;
  const auto uris =
      wanted && wanted->is_object() ? wanted->find("resourceSubscriptions") : std::nullopt;
  if (!uris || !uris->is_array()) return decision;
  std::string scratch;
  for (const json::Value uri : uris->items()) {
    if (!decision.allowed()) break;
    policy::Call call = x.call;
    call.kind = Kind::kResource;
    call.action = "resources/subscribe";
    call.target = uri.text(scratch);
    decision = policy.decide(*x.agent, call);
    if (decision.allowed()) continue;
    x.call.kind = Kind::kResource;
    x.connection.work->target = call.target;
    x.call.target = x.connection.work->target;
  }
  return decision;
}

bool is_absent_or_texts(const std::optional<json::Value>& list) {
  if (!list) return true;
  if (!list->is_array()) return false;
  for (const json::Value each : list->items()) {
    if (!each.is_string()) return false;
  }
  return true;
}

// What another reader might still take for a list of URIs or tasks must be one.
bool well_formed_subscriptions(const mcp::Message& message) {
  if (message.method != "subscriptions/listen") return true;
  if (!message.params || !message.params->is_object()) return true;
  const auto wanted = message.params->find("notifications");
  if (!wanted) return true;
  if (!wanted->is_object()) return false;
  return is_absent_or_texts(wanted->find("resourceSubscriptions")) &&
         is_absent_or_texts(wanted->find("taskIds"));
}

net::Task<bool> read_post(Exchange& x) {
  if (const auto why = mcp::Reader::check_post_fields(x.head.fields)) {
    co_return refuse_rpc(x, *why);
  }
  if (!co_await read_body(x)) {
    if (!x.refusal->rpc) {
      const int code = x.refusal->status == 413 ? -32600 : -32700;
      x.refusal->rpc = mcp::Refusal{x.refusal->status, code, x.refusal->detail, "null"};
    }
    co_return false;
  }
  co_return read_message(x);
}

// Another agent's session answers as one that does not exist.
bool owns_session(const Exchange& x) {
  const auto session = x.head.fields.single("mcp-session-id");
  return !session ||
         x.worker.services().sessions.may_use(x.call.upstream, *session, x.agent_info()->name);
}

bool accepts_events(const http::Fields& fields) {
  for (const http::Field& field : fields.list) {
    if (http::iequals(field.name, "accept") &&
        (field.value.find("text/event-stream") != std::string_view::npos ||
         field.value.find("*/*") != std::string_view::npos)) {
      return true;
    }
  }
  return false;
}

}  // namespace

net::Task<bool> read_mcp_call(Exchange& x) {
  x.call.upstream = x.upstream->config().name;
  x.call.kind = Kind::kMethod;
  x.call.query = x.head.query;
  x.call.headers = x.head.fields.list;
  x.call.time = x.time;
  if (x.path.match != "/") {
    co_return x.refuse(404, "no-upstream", "an MCP upstream has one endpoint: /UPSTREAM");
  }
  x.path.forward.clear();
  const std::string_view method = x.head.method;
  if (method == "POST") {
    if (!co_await read_post(x)) co_return false;
    if (owns_session(x)) co_return owns_what_it_presents(x);
    co_return refuse_rpc(x, {404, -32001, "Session not found", std::string(x.message->id)});
  }
  if (!owns_session(x)) co_return x.refuse(404, "session", "Session not found");
  x.call.action = method;
  if (method != "GET" && method != "DELETE") {
    co_return x.refuse(405, "malformed", "an MCP endpoint takes POST, GET and DELETE");
  }
  if (!x.body_complete) co_return x.refuse(400, "malformed", "this method has no body in MCP");
  if (method == "GET" && !accepts_events(x.head.fields)) {
    co_return x.refuse(406, "malformed", "GET needs `Accept: text/event-stream`");
  }
  co_return owns_what_it_presents(x);
}

bool read_message(Exchange& x) {
  mcp::Reader& reader = x.connection.work->reader;
  x.call.args = nullptr;  // of a message that was there before
  if (!reader.read(x.connection.work->body, x.head.fields)) return refuse_rpc(x, reader.refusal());
  if (!well_formed_subscriptions(reader.message())) {
    return refuse_rpc(x, {400, -32602, "resourceSubscriptions and taskIds must be lists of texts",
                          std::string(reader.message().id)});
  }
  x.message = &reader.message();
  if (!approvals::take_request_state(x)) return false;
  name_call(x, *x.message);
  if (x.message->shape == mcp::Shape::kResponse) x.call.action = "response";
  return read_dispatched(x);
}

void decide_mcp(Exchange& x) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  const bool stream_or_answer = x.message == nullptr || x.message->shape == mcp::Shape::kResponse;
  if (x.dispatched) {
    x.decision = x.dispatched->decide(policy, *x.agent);
  } else if (!stream_or_answer && x.call.action == "subscriptions/listen") {
    x.decision = decide_subscriptions(x);
  } else if (stream_or_answer) {
    x.decision = policy.may_use(*x.agent, x.call.upstream, x.time);
  } else if (policy::is_housekeeping(x.call.action)) {
    x.decision = policy.decide_housekeeping(*x.agent, x.call);
  } else {
    x.decision = policy.decide(*x.agent, x.call);
  }
}

}  // namespace reeve
