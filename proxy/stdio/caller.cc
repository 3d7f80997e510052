// Requests go out on a connection each, so that none waits for another; what has no answer is sent
// before the next message is taken, so that nothing overtakes it. Tested end to end by
// tests/e2e/stdio_bridge_test.mjs.
#include "proxy/stdio/caller.h"

#include <fmt/format.h>

#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/message.h"
#include "proxy/mcp/reply.h"

namespace reeve::stdio {
namespace {

constexpr int kInternalError = -32603;
constexpr std::chrono::milliseconds kReconnect{1000}, kLook{20};

// `detail` of application/problem+json (RFC 9457).
std::string detail(const std::optional<json::Value>& root) {
  if (!root || !root->is_object()) return "no reason given";
  const auto found = root->find("detail");
  std::string scratch;
  return found && found->is_string() ? std::string(found->text(scratch)) : "no reason given";
}

}  // namespace

std::string Caller::head(std::string_view method, const Outgoing* message, size_t length,
                         const std::string& fields) const {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n{}", method, means_.target,
                                fields.empty() ? means_.fields : fields);
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("{}: {}\r\n", name, value);
  };
  add("Accept", method == "GET" ? "text/event-stream" : "application/json, text/event-stream");
  if (message != nullptr && message->modern()) {
    add("MCP-Protocol-Version", message->version);
    add("Mcp-Method", message->method);
    add("Mcp-Name", mirror(message->name));
  } else {
    add("MCP-Protocol-Version", version_);
    add("Mcp-Session-Id", session_);
    if (method == "GET") add("Last-Event-ID", last_event_);
  }
  if (method == "POST") {
    add("Content-Type", "application/json");
    out += fmt::format("Content-Length: {}\r\n", length);
  }
  return out + "\r\n";
}

std::shared_ptr<HttpExchange> Caller::begin_exchange() {
  auto exchange = std::make_shared<HttpExchange>(means_.connect, means_.body_bytes);
  under_way_.push_back(exchange);
  return exchange;
}

void Caller::cancel_all() {
  cancelled_ = true;
  for (const auto& each : under_way_) each->cancel();
}

net::Task<void> Caller::finish(std::chrono::milliseconds patience) {
  const auto self = shared_from_this();
  const Steady until = steady_now() + patience;
  net::Timer pause(means_.context);
  while (asked_ > 0 && steady_now() < until) {
    net::ErrorCode ignored;
    pause.expires_after(kLook);
    co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ignored));
  }
  cancel_all();
  if (session_.empty()) co_return;
  HttpExchange exchange(means_.connect, means_.body_bytes);
  co_await exchange.begin("DELETE", head("DELETE", nullptr, 0, {}), {});
}

net::Task<void> Caller::take(std::string line, std::string fields) {
  auto message = read_outgoing(line);
  if (!message) {
    means_.put(mcp::error_body("null", -32700, "Parse error: a line is one JSON-RPC message"));
    co_return;
  }
  // In the modern era a request is cancelled by leaving its answer (transports, stdio and HTTP).
  if (!message->cancels.empty() && session_.empty()) {
    for (const auto& each : under_way_) {
      if (each->key == message->cancels) each->cancel();
    }
    co_return;
  }
  const bool waits =
      message->id.empty() || message->method.empty() || message->method == "initialize";
  const auto exchange = begin_exchange();
  exchange->key = message->id_key;
  if (!message->id.empty() && !message->method.empty()) ++asked_;  // send() counts it off
  if (waits) {
    co_await send(shared_from_this(), exchange, std::move(line), std::move(*message),
                  std::move(fields));
  } else {
    net::spawn(
        means_.context,
        send(shared_from_this(), exchange, std::move(line), std::move(*message), std::move(fields)),
        [](std::exception_ptr) {});
  }
}

net::Task<void> Caller::send(std::shared_ptr<Caller> self, std::shared_ptr<HttpExchange> exchange,
                             std::string line, Outgoing message, std::string fields) {
  const bool asked = !message.id.empty() && !message.method.empty();
  const std::string head_text = head("POST", &message, line.size(), fields);
  const bool begun = co_await exchange->begin("POST", head_text, line);
  bool answered = false;
  if (begun && exchange->events()) {
    answered = co_await pass_events(*exchange, message.id_key);
  } else if (begun) {
    answered = pass_body(*exchange, co_await exchange->rest(), message);
  }
  under_way_.remove(exchange);
  asked_ -= asked ? 1 : 0;
  if (exchange->cancelled()) co_return;
  if (asked && !answered) {
    means_.put(mcp::error_body(
        message.id, kInternalError,
        begun ? "the sidecar broke its answer off" : "the sidecar cannot be reached"));
  }
  if (!begun) means_.complain(fmt::format("{} cannot be reached", means_.place));
  // What the server tells unasked comes on a stream of its own, once the session has begun.
  if (message.method == "notifications/initialized" && !session_.empty()) {
    net::spawn(means_.context, listen(self), [](std::exception_ptr) {});
  }
}

// Whether it was the answer.
bool Caller::pass_body(HttpExchange& exchange, const std::string& body, const Outgoing& message) {
  if (message.method == "initialize" && exchange.status() == 200) {
    session_ = exchange.session();
    version_ = agreed_version(body);
  }
  json::Parser parser;
  const auto root = parser.parse(body);
  const bool rpc = root && root->is_object() && root->find("jsonrpc");
  const bool asked = !message.id.empty() && !message.method.empty();
  if (!asked) {
    if (exchange.status() >= 300) {
      means_.complain(
          fmt::format("{} got {}: {}", message.method, exchange.status(), body.substr(0, 500)));
    }
    return true;
  }
  if (rpc) {
    means_.put(body);
    return true;
  }
  means_.put(mcp::error_body(message.id, kInternalError,
                             fmt::format("HTTP status {}: {}", exchange.status(), detail(root))));
  means_.complain(fmt::format("HTTP status {}: {}", exchange.status(), detail(root)));
  return true;
}

// Whether the answer to `key` was among them.
net::Task<bool> Caller::pass_events(HttpExchange& exchange, std::string key) {
  mcp::EventStreamParser parser(means_.body_bytes);
  bool answered = false;
  const auto on_event = [&](const mcp::Event& event) {
    if (event.comment || !event.has_data || event.data.empty()) {
      if (event.has_id) last_event_ = event.id;
      return;
    }
    json::Parser reader;
    const auto root = reader.parse(event.data);
    if (!root || !root->is_object()) return;
    const auto id = root->find("id");
    const bool answer = id && !root->find("method") && mcp::id_key(*id) == key;
    if (answer && session_.empty() && !exchange.session().empty()) {
      session_ = exchange.session();
      version_ = agreed_version(event.data);
    }
    answered = answered || answer;
    means_.put(event.data);
  };
  for (;;) {
    const std::string_view data = co_await exchange.next();
    if (data.empty() || !parser.feed(data, on_event)) break;
    if (answered && !key.empty()) break;  // servers may leave the stream open after it
  }
  co_return answered;
}

net::Task<void> Caller::listen(std::shared_ptr<Caller> self) {
  if (std::exchange(listening_, true)) co_return;
  net::Timer pause(means_.context);
  for (;;) {
    const auto exchange = begin_exchange();
    const std::string head_text = head("GET", nullptr, 0, {});
    const bool begun = co_await exchange->begin("GET", head_text, {});
    const bool events = begun && exchange->status() == 200 && exchange->events();
    if (events) co_await pass_events(*exchange, {});
    under_way_.remove(exchange);
    if (exchange->cancelled() || (begun && !events)) co_return;  // 405: there is none
    net::ErrorCode ignored;
    pause.expires_after(kReconnect);
    co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    if (cancelled_) co_return;
  }
}

}  // namespace reeve::stdio
