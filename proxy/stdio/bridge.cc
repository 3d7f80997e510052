// Requests go out on a connection each, so that none waits for another; what has no answer is sent
// before the next line is read, so that nothing overtakes it. Tested end to end by
// tests/e2e/stdio_bridge_test.mjs.
#include "proxy/stdio/bridge.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <list>
#include <memory>

#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/http/writer.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/reply.h"
#include "proxy/stdio/bridge_exchange.h"

namespace reeve::stdio {
namespace {

constexpr int kInternalError = -32603;
constexpr std::chrono::milliseconds kReconnect{1000}, kLook{20};
constexpr std::chrono::seconds kLastAnswers{10};

void complain(std::string_view text) { fmt::print(stderr, "reeve stdio: {}\n", text); }

// A line on standard output. Whoever reads it is the only one to talk to, so it may block.
void put_line(std::string_view message) {
  std::string line(message);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (n < 0 && errno != EINTR) return;
    if (n > 0) rest.remove_prefix(static_cast<size_t>(n));
  }
}

class Bridge {
 public:
  explicit Bridge(const BridgeConfig& config) : config_(config), input_(context_) {
    struct stat what{};
    is_file_ = ::fstat(STDIN_FILENO, &what) == 0 && S_ISREG(what.st_mode);
    if (!is_file_) input_.assign(::dup(STDIN_FILENO));
  }

  int run() {
    net::spawn(context_, read_lines(), [this](std::exception_ptr) {
      // The client has gone: nobody waits for what is still under way.
      for (const auto& each : under_way_) each->cancel();
      context_.stop();
    });
    context_.run();
    return 0;
  }

 private:
  using Descriptor = net::asio::posix::basic_stream_descriptor<net::Executor>;

  std::string head(std::string_view method, const Outgoing* message, size_t length) const {
    std::string out =
        fmt::format("{} /{} HTTP/1.1\r\nHost: {}\r\n", method, config_.upstream,
                    config_.sidecar.is_unix() ? "localhost" : to_string(config_.sidecar));
    const auto add = [&out](std::string_view name, std::string_view value) {
      if (!value.empty()) out += fmt::format("{}: {}\r\n", name, value);
    };
    add("Authorization", config_.token.empty() ? "" : "Bearer " + config_.token);
    add(kExpectedAgentField, config_.agent);
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

  // Standard input is a pipe, a terminal or, in a script, a file, which no event loop waits for.
  net::Task<size_t> read_input(std::string& buffer) {
    if (is_file_) {
      const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      co_return n > 0 ? static_cast<size_t>(n) : 0;
    }
    net::ErrorCode ec;
    co_return co_await input_.async_read_some(net::asio::buffer(buffer),
                                              net::asio::redirect_error(net::kAwait, ec));
  }

  net::Task<void> read_lines() {
    std::string held;
    std::string buffer(64 * 1024, '\0');
    for (;;) {
      const size_t n = co_await read_input(buffer);
      if (n == 0) break;
      held.append(buffer, 0, n);
      size_t end = held.find('\n');
      while (end != std::string::npos) {
        std::string line = held.substr(0, end);
        held.erase(0, end + 1);
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!line.empty()) co_await take(std::move(line));
        end = held.find('\n');
      }
      if (held.size() > config_.body_bytes) {
        complain(fmt::format("a line of more than {} bytes", config_.body_bytes));
        break;
      }
    }
    co_await finish();
    if (!session_.empty()) {
      BridgeExchange exchange(context_, config_.sidecar, config_.body_bytes);
      co_await exchange.begin("DELETE", head("DELETE", nullptr, 0), {});
    }
  }

  // Answers that are under way are worth a while, as after `printf … | reeve stdio`.
  net::Task<void> finish() {
    const Steady until = steady_now() + kLastAnswers;
    net::Timer pause(context_);
    while (asked_ > 0 && steady_now() < until) {
      net::ErrorCode ignored;
      pause.expires_after(kLook);
      co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    }
  }

  net::Task<void> take(std::string line) {
    auto message = read_outgoing(line);
    if (!message) {
      put_line(mcp::error_body("null", -32700, "Parse error: a line is one JSON-RPC message"));
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
    auto exchange = std::make_shared<BridgeExchange>(context_, config_.sidecar, config_.body_bytes);
    exchange->key = message->id_key;
    under_way_.push_back(exchange);
    if (waits) {
      co_await send(exchange, std::move(line), std::move(*message));
    } else {
      net::spawn(context_, send(exchange, std::move(line), std::move(*message)),
                 [](std::exception_ptr) {});
    }
  }

  net::Task<void> send(std::shared_ptr<BridgeExchange> exchange, std::string line,
                       Outgoing message) {
    const bool asked = !message.id.empty() && !message.method.empty();
    const std::string head_text = head("POST", &message, line.size());
    asked_ += asked ? 1 : 0;
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
      put_line(mcp::error_body(
          message.id, kInternalError,
          begun ? "the sidecar broke its answer off" : "the sidecar cannot be reached"));
    }
    if (!begun) complain(fmt::format("{} cannot be reached", to_string(config_.sidecar)));
    // What the server tells unasked comes on a stream of its own, once the session has begun.
    if (message.method == "notifications/initialized" && !session_.empty()) {
      net::spawn(context_, listen(), [](std::exception_ptr) {});
    }
  }

  // Whether it was the answer.
  bool pass_body(BridgeExchange& exchange, const std::string& body, const Outgoing& message) {
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
        complain(
            fmt::format("{} got {}: {}", message.method, exchange.status(), body.substr(0, 500)));
      }
      return true;
    }
    if (rpc) {
      put_line(body);
      return true;
    }
    put_line(mcp::error_body(message.id, kInternalError,
                             fmt::format("HTTP status {}: {}", exchange.status(), detail(root))));
    complain(fmt::format("HTTP status {}: {}", exchange.status(), detail(root)));
    return true;
  }

  // `detail` of application/problem+json (RFC 9457).
  static std::string detail(const std::optional<json::Value>& root) {
    if (!root || !root->is_object()) return "no reason given";
    const auto found = root->find("detail");
    std::string scratch;
    return found && found->is_string() ? std::string(found->text(scratch)) : "no reason given";
  }

  // Whether the answer to `key` was among them.
  net::Task<bool> pass_events(BridgeExchange& exchange, std::string key) {
    mcp::EventStreamParser parser(config_.body_bytes);
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
      put_line(event.data);
    };
    for (;;) {
      const std::string_view data = co_await exchange.next();
      if (data.empty() || !parser.feed(data, on_event)) break;
      if (answered && !key.empty()) break;  // servers may leave the stream open after it
    }
    co_return answered;
  }

  net::Task<void> listen() {
    if (std::exchange(listening_, true)) co_return;
    net::Timer pause(context_);
    for (;;) {
      auto exchange =
          std::make_shared<BridgeExchange>(context_, config_.sidecar, config_.body_bytes);
      under_way_.push_back(exchange);
      const std::string head_text = head("GET", nullptr, 0);
      const bool begun = co_await exchange->begin("GET", head_text, {});
      const bool events = begun && exchange->status() == 200 && exchange->events();
      if (events) co_await pass_events(*exchange, {});
      under_way_.remove(exchange);
      if (exchange->cancelled() || (begun && !events)) co_return;  // 405: there is none
      net::ErrorCode ignored;
      pause.expires_after(kReconnect);
      co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    }
  }

  const BridgeConfig& config_;
  net::asio::io_context context_{1};
  Descriptor input_;
  std::list<std::shared_ptr<BridgeExchange>> under_way_;
  std::string session_, version_, last_event_;
  size_t asked_ = 0;  // requests under way
  bool is_file_ = false;
  bool listening_ = false;
};

}  // namespace

int run_bridge(const BridgeConfig& config) {
  Bridge bridge(config);
  return bridge.run();
}

}  // namespace reeve::stdio
