// Whose a message is. Tested end to end by tests/e2e/join_test.mjs.
#include "proxy/join/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/body.h"
#include "proxy/http/writer.h"
#include "proxy/join/edits.h"
#include "proxy/join/names.h"
#include "proxy/mcp/reply.h"
#include "proxy/worker.h"

namespace reeve::join {
namespace {

constexpr int kInvalidRequest = -32600, kMethodNotFound = -32601, kInvalidParams = -32602;
constexpr int kNoSession = -32001;

bool is_for_all(std::string_view method, bool modern) {
  mcp::List list{};
  if (mcp::list_of_method(method, list)) return list != mcp::List::kTasks;
  if (modern) return method == "server/discover" || method == "subscriptions/listen";
  return method == "initialize" || method == "ping" || method == "logging/setLevel";
}

bool accepts_events(const http::Fields& fields) {
  return std::any_of(fields.list.begin(), fields.list.end(), [](const http::Field& field) {
    return http::iequals(field.name, "accept") &&
           (field.value.find("text/event-stream") != std::string_view::npos ||
            field.value.find("*/*") != std::string_view::npos);
  });
}

}  // namespace

bool is_endpoint(std::string_view path) { return path == "/mcp" || path == "/mcp/"; }

Call::Call(Exchange& x) : x_(x), agent_(x.agent_info()->name) {}
Call::~Call() = default;

Shared& Call::shared() const { return x_.worker.services().join; }
bool Call::modern() const { return x_.message && x_.message->era == mcp::Era::kModern; }

bool Call::refuse_rpc(int status, int code, std::string text, std::string_view reason) {
  x_.refuse(status, reason, text);
  x_.refusal->rpc = mcp::Refusal{status, code, std::move(text), "null"};
  if (x_.message && !x_.message->id.empty()) x_.refusal->rpc->id = x_.message->id;
  return false;
}

bool Call::is_mcp(std::string_view upstream) const {
  const Upstream* found = x_.worker.find_upstream(upstream);
  return found != nullptr && found->config().protocol == Protocol::kMcp;
}

bool Call::may_use(std::string_view upstream) const {
  return std::find(usable_.begin(), usable_.end(), upstream) != usable_.end();
}

net::Task<bool> Call::read() {
  x_.call.kind = policy::Kind::kMethod;
  x_.call.time = x_.time;
  const policy::PolicySet& policy = *x_.snapshot->policy;
  bool any = false;
  for (const UpstreamConfig& each : x_.worker.services().config.upstreams) {
    if (each.protocol != Protocol::kMcp) continue;
    const policy::Decision decision = policy.may_use(*x_.agent, each.name, x_.time);
    if (decision.allowed() || policy.report()) usable_.push_back(each.name);
    // What is said of the call as a whole: why the agent is let in, or why not.
    if (!any || (decision.allowed() && !x_.decision.allowed())) x_.decision = decision;
    any = true;
  }
  if (!any) co_return x_.refuse(404, "no-upstream", "reeve.yaml has no MCP upstream to join");
  const std::string_view method = x_.head.method;
  if (method == "POST") {
    if (!co_await read_post()) co_return false;
  } else if (method != "GET" && method != "DELETE") {
    co_return x_.refuse(405, "malformed", "an MCP endpoint takes POST, GET and DELETE");
  } else if (!x_.body_complete) {
    co_return x_.refuse(400, "malformed", "this method has no body in MCP");
  } else if (method == "GET" && !accepts_events(x_.head.fields)) {
    co_return x_.refuse(406, "malformed", "GET needs `Accept: text/event-stream`");
  } else {
    x_.call.action = method;
  }
  asker_ = {&x_.worker, std::make_shared<const Caller>(x_)};
  co_return find_target();
}

net::Task<bool> Call::read_post() {
  if (const auto why = mcp::Reader::check_post_fields(x_.head.fields)) {
    co_return refuse_rpc(why->http_status, why->code, why->message, "malformed");
  }
  if (!co_await read_body(x_)) {
    const int code = x_.refusal->status == 413 ? kInvalidRequest : -32700;
    x_.refusal->rpc = mcp::Refusal{x_.refusal->status, code, x_.refusal->detail, "null"};
    co_return false;
  }
  mcp::Reader& reader = x_.connection.work->reader;
  if (!reader.read(x_.connection.work->body, x_.head.fields)) {
    const mcp::Refusal& why = reader.refusal();
    x_.refuse(why.http_status, "malformed", why.message);
    x_.refusal->rpc = why;
    co_return false;
  }
  x_.message = &reader.message();
  const bool response = message().shape == mcp::Shape::kResponse;
  x_.call.action = response ? std::string_view("response") : message().method;
  x_.call.target = {};
  if (message().id_value) key_ = mcp::id_key(*message().id_value);
  co_return true;
}

// A session of another agent answers as one that does not exist.
bool Call::find_session(bool required) {
  if (!required) return true;
  const auto id = x_.head.fields.single("mcp-session-id");
  if (!id) {
    return refuse_rpc(400, kInvalidRequest, "Mcp-Session-Id is missing; call initialize first",
                      "session");
  }
  session_ = shared().sessions.find(*id, agent_);
  if (session_) return true;
  return refuse_rpc(404, kNoSession, "Session not found", "session");
}

bool Call::find_target() {
  const bool begins = x_.message && message().method == "initialize" && !modern();
  if (!find_session(!modern() && !begins)) return false;
  if (x_.message == nullptr) return find_stream();
  switch (message().shape) {
    case mcp::Shape::kResponse:
      return find_response();
    case mcp::Shape::kNotification:
      return find_notification();
    case mcp::Shape::kRequest:
      return find_request();
  }
  return false;
}

// The answer to what a server has asked goes to that server.
bool Call::find_response() {
  const auto opened = open_sealed(shared().seal, Purpose::kRequest, holder(), message().id_value);
  if (!opened || !is_mcp(opened->upstream)) {
    return refuse_rpc(400, kInvalidRequest, "no server has asked this", "malformed");
  }
  Edits edits;
  edits.replace(*message().id_value, opened->raw);
  body_ = edits.apply(x_.connection.work->body);
  return go_to(opened->upstream, {});
}

bool Call::find_notification() {
  const std::string_view method = message().method;
  if (method == "notifications/initialized" || method == "notifications/roots/list_changed") {
    if (session_ && method == "notifications/initialized") session_->initialized = true;
    target_ = Target::kAll;
    return true;
  }
  if (method == "notifications/cancelled" && session_) {
    const auto id = member(message().params, "requestId");
    const auto place = id ? session_->place_of(mcp::id_key(*id)) : std::nullopt;
    // It has ended: nothing is left to be cancelled.
    if (!place) target_ = Target::kAll;
    return !place || go_to(*place, {});
  }
  if (method == "notifications/progress") {
    const auto token = member(message().params, "progressToken");
    const auto opened = open_sealed(shared().seal, Purpose::kServerProgress, holder(), token);
    if (opened && is_mcp(opened->upstream)) {
      Edits edits;
      edits.replace(*token, opened->raw);
      body_ = edits.apply(x_.connection.work->body);
      return go_to(opened->upstream, {});
    }
    return refuse_rpc(400, kInvalidParams, "no server has asked for this progress", "malformed");
  }
  return refuse_rpc(400, kMethodNotFound, "this notification is none that /mcp can place",
                    "no-upstream");
}

bool Call::find_request() {
  const std::string_view method = message().method;
  if (is_for_all(method, modern())) {
    if (usable_.empty()) {
      const policy::RuleInfo* rule = x_.decision.rule;
      return x_.refuse(403, policy::to_string(x_.decision.reason),
                       rule != nullptr && !rule->because.empty()
                           ? fmt::format("Denied by policy: {}", rule->because)
                           : std::string("Denied: no rule lets this agent use an MCP upstream"));
    }
    target_ = Target::kAll;
    return true;
  }
  if (method == "tools/call") return find_named("tool");
  if (method == "prompts/get") return find_named("prompt");
  const bool subscribes = method == "resources/subscribe" || method == "resources/unsubscribe";
  if (method == "resources/read" || (subscribes && !modern())) {
    return find_resource(message().target);
  }
  if (method == "completion/complete") {
    const auto ref = member(message().params, "ref");
    if (text_of(member(ref, "type")) == "ref/resource") {
      return find_resource(text_of(member(ref, "uri")));
    }
    const std::string name = text_of(member(ref, "name"));
    if (const auto split = split_name(name); split && is_mcp(split->upstream)) {
      return go_to(split->upstream, split->name);
    }
    return refuse_rpc(200, kInvalidParams, "Unknown prompt: names are UPSTREAM__PROMPT",
                      "no-upstream");
  }
  return refuse_rpc(modern() ? 404 : 200, kMethodNotFound, "Method not found", "no-upstream");
}

bool Call::find_named(std::string_view kind) {
  x_.call.target = message().target;
  const auto split = split_name(message().target);
  if (split && is_mcp(split->upstream)) return go_to(split->upstream, split->name);
  return refuse_rpc(200, kInvalidParams, fmt::format("Unknown {}: {}", kind, message().target),
                    "no-upstream");
}

// `reeve:UPSTREAM/URI` says whose it is. Another URI is somebody's only where one upstream alone
// can be meant: where the rules let this agent read it.
bool Call::find_resource(std::string_view uri) {
  if (const auto split = split_uri(uri); split && is_mcp(split->upstream)) {
    return go_to(split->upstream, split->name);
  }
  policy::Call call = x_.call;
  call.kind = policy::Kind::kResource;
  call.action = "resources/read";
  call.target = uri;
  std::vector<std::string_view> candidates;
  for (const std::string& each : usable_) {
    call.upstream = each;
    if (x_.snapshot->policy->could_allow(*x_.agent, call)) candidates.push_back(each);
  }
  if (candidates.size() == 1) return go_to(candidates.front(), uri);
  return refuse_rpc(200, candidates.empty() && !modern() ? -32002 : kInvalidParams,
                    candidates.empty() ? std::string("Resource not found")
                                       : fmt::format("several servers may have this URI; write "
                                                     "`reeve:UPSTREAM/URI`, as in `{}`",
                                                     join_uri(candidates.front(), "URI")),
                    "no-upstream");
}

bool Call::find_stream() {
  target_ = Target::kAll;
  if (x_.head.method == "DELETE") return true;
  const auto last = x_.head.fields.single("last-event-id");
  if (!last || last->empty()) return true;
  const Seal& seal = shared().seal;
  if (const auto joined = seal.open(Purpose::kStream, holder(), *last)) {
    last_event_ = *joined;
    return true;
  }
  // Of the answer to a POST: upstream, request and event, a line each.
  const auto single = seal.open(Purpose::kEvent, holder(), *last);
  const size_t first = single ? single->find('\n') : std::string::npos;
  const size_t second = first == std::string::npos ? first : single->find('\n', first + 1);
  if (second == std::string::npos || !is_mcp(single->substr(0, first))) {
    return refuse_rpc(400, kInvalidRequest, "Last-Event-ID is none of this session", "malformed");
  }
  key_ = single->substr(first + 1, second - first - 1);
  last_event_ = single->substr(second + 1);
  return go_to(single->substr(0, first), {});
}

bool Call::go_to(std::string_view upstream, std::string_view name) {
  target_ = Target::kOne;
  upstream_ = upstream;
  name_ = name;
  return true;
}

net::Task<void> Call::run() {
  x_.worker.set_phase(x_.connection, Phase::kStream, {});
  if (target_ == Target::kOne) {
    co_await run_single();
  } else {
    co_await run_all();
  }
  x_.connection.upstream = nullptr;
}

net::Task<void> Call::answer(int status, std::string_view body,
                             std::span<const http::Field> extra) {
  x_.status = status;
  x_.bytes_out += body.size();
  if (x_.connection.agent_gone) {
    x_.keep_alive = false;
    co_return;
  }
  std::string& out = x_.connection.work->out;
  out.clear();
  http::write_response(out, status, body.empty() ? "" : "application/json", body, extra,
                       x_.keep_alive, false);
  x_.answered = true;
  if (!co_await x_.connection.stream.write(out)) x_.keep_alive = false;
}

net::Task<void> Call::answer_result(std::string_view members) {
  const std::string body =
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{{}}}}})", message().id, members);
  co_await answer(200, body);
}

net::Task<void> Call::answer_error(int status, int code, std::string_view text) {
  const bool asked = x_.message && message().shape == mcp::Shape::kRequest;
  const std::string body = mcp::error_body(asked ? message().id : "null", code, text);
  co_await answer(status, body);
}

}  // namespace reeve::join
