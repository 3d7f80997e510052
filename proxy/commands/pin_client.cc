// See pin_client.h. One connection for each request, so that nothing of one answer can be taken for
// another's. Tested end to end by tests/e2e/pin_test.mjs, against the official servers.
#include "proxy/commands/pin_client.h"

#include <fmt/format.h>

#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <optional>

#include "policy/text.h"
#include "proxy/dial.h"
#include "proxy/http/parser.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/net/connect.h"
#include "proxy/stdio/server.h"
#include "proxy/tls/client.h"
#include "proxy/tls/credentials.h"
#include "proxy/version.h"

namespace reeve::commands {

namespace {

constexpr std::string_view kModern = "2026-07-28";
constexpr std::string_view kLegacy = "2025-11-25";
constexpr size_t kPagesMost = 1000;

using Resolver = net::asio::ip::basic_resolver<net::asio::ip::tcp, net::Executor>;

struct Reply {
  int status = 0;
  std::string message;  // the JSON-RPC answer, or whatever the body was
  std::string session;
};

class Client {
 public:
  Client(const UpstreamConfig& upstream, const tls::Credentials* credentials,
         stdio::Server& servers, size_t body_bytes)
      : upstream_(upstream), servers_(servers), body_bytes_(body_bytes) {
    if (credentials && !upstream.has_face()) tls_.emplace(*credentials, upstream.server_name);
  }

  // Nothing when there was no answer in time.
  std::optional<Result<ServerTools>> run(std::chrono::milliseconds timeout) {
    net::spawn(context_, ask());
    context_.run_for(timeout);
    return std::move(answer_);
  }

 private:
  net::Task<void> ask() {
    tools_.lock.upstream = upstream_.name;
    auto done = co_await discover();
    if (done && !*done) done = co_await initialize();
    if (done) done = co_await list();
    if (!session_.empty()) co_await end_session();
    tools_.protocol = version_;
    if (done) {
      answer_.emplace(std::move(tools_));
    } else {
      answer_.emplace(done.error());
    }
  }

  // Whether the server speaks the modern era.
  net::Task<Result<bool>> discover() {
    version_ = kModern;
    is_modern_ = true;
    const Result<Reply> reply = co_await call("server/discover", {});
    if (!reply) co_return reply.error();
    const auto result = result_of(*reply, "server/discover");
    if (result) {
      note_server(*result);
      co_return true;
    }
    is_modern_ = false;
    co_return false;
  }

  net::Task<Result<bool>> initialize() {
    version_.clear();  // not said before it is agreed on
    const std::string params = fmt::format(
        "\"protocolVersion\":\"{}\",\"capabilities\":{{}},\"clientInfo\":{{\"name\":"
        "\"reeve\",\"version\":\"{}\"}}",
        kLegacy, kVersion);
    const Result<Reply> reply = co_await call("initialize", params);
    if (!reply) co_return reply.error();
    const auto result = result_of(*reply, "initialize");
    if (!result) co_return result.error();
    note_server(*result);
    const auto version = result->find("protocolVersion");
    std::string scratch;
    if (!version || !version->is_string() || version->text(scratch).size() > 32 ||
        policy::hidden_character(version->text(scratch))) {
      co_return Error{"the answer to initialize says no protocol version"};
    }
    version_ = version->text(scratch);
    session_ = reply->session;
    const Result<Reply> noted =
        co_await post("POST", R"({"jsonrpc":"2.0","method":"notifications/initialized"})", {});
    if (!noted) co_return noted.error();
    co_return true;
  }

  net::Task<Result<bool>> list() {
    mcp::PinReader reader;
    std::string cursor;
    for (size_t page = 0; page < kPagesMost; ++page) {
      std::string params;
      if (!cursor.empty()) {
        params = "\"cursor\":";
        json::append_string(params, cursor);
      }
      const Result<Reply> reply = co_await call("tools/list", params);
      if (!reply) co_return reply.error();
      const auto result = result_of(*reply, "tools/list");
      if (!result) co_return result.error();
      const auto added = reader.add_page(*result, cursor);
      if (!added) co_return added.error();
      if (cursor.empty()) {
        tools_.hidden = reader.hidden();
        tools_.lock.tools = reader.take();
        if (!tools_.lock.instructions.empty()) note_hidden_instructions();
        co_return true;
      }
    }
    co_return Error{fmt::format("the server's list of tools has more than {} pages", kPagesMost)};
  }

  net::Task<void> end_session() {
    // Servers may refuse to end one; nothing depends on it.
    const Result<Reply> ignored = co_await post("DELETE", {}, {});
    static_cast<void>(ignored);
  }

  // A request; its answer has this call's id.
  net::Task<Result<Reply>> call(std::string method, std::string params) {
    if (is_modern_) {
      params += fmt::format(
          "{}\"_meta\":{{\"io.modelcontextprotocol/protocolVersion\":\"{}\","
          "\"io.modelcontextprotocol/clientInfo\":{{\"name\":\"reeve\",\"version\":\"{}\"}},"
          "\"io.modelcontextprotocol/clientCapabilities\":{{}}}}",
          params.empty() ? "" : ",", kModern, kVersion);
    }
    const std::string body =
        fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"{}\",\"params\":{{{}}}}}", ++id_,
                    method, params);
    co_return co_await post("POST", body, is_modern_ ? method : std::string());
  }

  net::Task<Result<Reply>> post(std::string http_method, std::string body, std::string method) {
    auto connected = co_await connect();
    if (!connected) co_return connected.error();
    net::Stream stream(std::move(*connected));
    std::vector<http::Field> extra = {{"Accept", "application/json, text/event-stream"},
                                      {"Accept-Encoding", "identity"}};
    if (!body.empty()) extra.push_back({"Content-Type", "application/json"});
    if (!version_.empty()) extra.push_back({"MCP-Protocol-Version", version_});
    if (!method.empty()) extra.push_back({"Mcp-Method", method});
    if (!session_.empty()) extra.push_back({"Mcp-Session-Id", session_});
    http::RequestTarget target;
    target.method = http_method;
    target.path = upstream_.base_path.empty() ? std::string_view("/") : upstream_.base_path;
    target.authority = upstream_.authority;
    std::string out;
    http::write_request_head(out, target, {}, upstream_.fields,
                             body.empty() ? http::Framing::kNone : http::Framing::kLength,
                             body.size(), {}, extra);
    out += body;
    if (!co_await stream.write(out)) co_return Error{"the server hung up"};
    co_return co_await read(stream, std::move(http_method));
  }

  net::Task<Result<net::Stream>> connect() {
    if (upstream_.has_face()) co_return connect_to_face();
    std::vector<net::Endpoint> places;
    if (!upstream_.unix_path.empty()) {
      places.emplace_back(net::asio::local::stream_protocol::endpoint(upstream_.unix_path));
    } else {
      net::ErrorCode ec;
      Resolver resolver(context_.get_executor());
      const auto found =
          co_await resolver.async_resolve(upstream_.host, std::to_string(upstream_.port),
                                          net::asio::redirect_error(net::kAwait, ec));
      if (ec) {
        co_return Error{fmt::format("`{}` cannot be resolved: {}", upstream_.host, ec.message())};
      }
      for (const auto& entry : found) places.emplace_back(entry.endpoint());
    }
    std::string why;
    for (const net::Endpoint& place : places) {
      auto stream =
          co_await net::connect(place, context_.get_executor(), tls_ ? &*tls_ : nullptr, pending_);
      if (stream) co_return std::move(*stream);
      why = std::move(stream.error().message);
    }
    co_return Error{fmt::format("{}: {}", upstream_.authority, why)};
  }

  Result<net::Stream> connect_to_face() {
    const auto descriptor = servers_.open(upstream_.name);
    if (!descriptor) return descriptor.error();
    net::Socket socket(context_.get_executor());
    net::ErrorCode ec;
    socket.assign({AF_UNIX, 0}, *descriptor, ec);
    if (ec) return Error{ec.message()};
    return net::Stream(std::move(socket));
  }

  net::Task<Result<Reply>> read(net::Stream& stream, std::string http_method) {
    const http::HeadLimits limits;
    http::ResponseParser parser(limits);
    parser.reset(http_method);
    std::string in;
    char piece[16 * 1024];
    net::ErrorCode ec;
    for (;;) {
      const size_t n = co_await stream.read_some(piece, sizeof piece, ec);
      if (n == 0) co_return Error{"the server hung up before it answered"};
      in.append(piece, n);
      const http::Progress progress = parser.parse(in);
      if (progress == http::Progress::kFault) co_return Error{parser.fault().detail};
      if (progress == http::Progress::kDone) break;
    }
    const http::ResponseHead& head = parser.head();
    Reply reply;
    reply.status = head.status;
    reply.session = head.fields.single("mcp-session-id").value_or("");
    const std::string_view type = head.fields.single("content-type").value_or("");
    is_stream_ = http::iequals(type.substr(0, 17), "text/event-stream");
    if (head.fields.count("content-encoding") > 0) {
      co_return Error{"the server answers with a content coding that was not asked for"};
    }
    http::BodyDecoder body;
    body.start(head.framing, head.content_length);
    std::string rest = in.substr(parser.head_bytes());
    mcp::EventStreamParser events(body_bytes_);
    size_t received = 0;
    for (bool done = false; !done;) {
      size_t used = 0;
      for (;;) {
        const http::BodyDecoder::Step step = body.step(std::string_view(rest).substr(used));
        used += step.consumed;
        received += step.data.size();
        if (received > body_bytes_) co_return Error{"the answer is larger than limits.body_bytes"};
        done = take(step.data, events, reply) || step.done;
        if (step.fault) co_return Error{step.fault.detail};
        if (done || step.consumed == 0) break;
      }
      if (done) break;
      rest.erase(0, used);
      const size_t n = co_await stream.read_some(piece, sizeof piece, ec);
      if (n == 0 && body.complete_at_close() && ec == net::asio::error::eof) break;
      if (n == 0) co_return Error{"the server hung up in the middle of its answer"};
      rest.append(piece, n);
    }
    co_return reply;
  }

  // Whether the answer is there, so that a stream need not end.
  bool take(std::string_view data, mcp::EventStreamParser& events, Reply& reply) {
    if (!is_stream_) {
      reply.message.append(data);
      return false;
    }
    bool found = false;
    const bool good = events.feed(data, [&](const mcp::Event& event) {
      if (found || !event.has_data) return;
      json::Parser parser;
      const auto message = parser.parse(event.data);
      const auto id = message && message->is_object() ? message->find("id") : std::nullopt;
      if (!id || id->raw() != std::to_string(id_) || message->find("method")) return;
      reply.message = event.data;
      found = true;
    });
    return found || !good;
  }

  // The result of a call, or what the server says instead. Views live until the next one.
  Result<json::Value> result_of(const Reply& reply, std::string_view method) {
    text_ = reply.message;
    const auto message = parser_.parse(text_);
    if (!message || !message->is_object()) {
      return Error{fmt::format("the answer to {} is no JSON-RPC message (HTTP status {})", method,
                               reply.status)};
    }
    const auto result = message->find("result");
    const auto id = message->find("id");
    if (reply.status == 200 && result && result->is_object() && id &&
        id->raw() == std::to_string(id_)) {
      return *result;
    }
    const auto error = message->find("error");
    const auto said = error && error->is_object() ? error->find("message") : std::nullopt;
    std::string scratch;
    return Error{fmt::format("the server refuses {} (HTTP status {}){}", method, reply.status,
                             said && said->is_string()
                                 ? fmt::format(": `{}`", policy::shown(said->text(scratch)))
                                 : "")};
  }

  void note_server(const json::Value& result) {
    std::optional<json::Value> info = result.find("serverInfo");
    if (!info) {
      if (const auto meta = result.find("_meta"); meta && meta->is_object()) {
        info = meta->find("io.modelcontextprotocol/serverInfo");
      }
    }
    std::string scratch;
    if (info && info->is_object()) {
      for (const std::string_view key : {"name", "version"}) {
        const auto part = info->find(key);
        if (!part || !part->is_string()) continue;
        if (!tools_.lock.server.empty()) tools_.lock.server += " ";
        tools_.lock.server += part->text(scratch);
      }
    }
    const auto instructions = result.find("instructions");
    if (instructions && instructions->is_string()) {
      json::append_canonical(tools_.lock.instructions, *instructions);
    }
  }

  void note_hidden_instructions() {
    json::Parser parser;
    std::vector<mcp::HiddenText> found;
    mcp::find_hidden(*parser.parse(tools_.lock.instructions), "instructions", found);
    for (mcp::HiddenText& text : found) tools_.hidden.push_back({{}, std::move(text)});
  }

  const UpstreamConfig& upstream_;
  stdio::Server& servers_;
  const size_t body_bytes_;
  std::optional<tls::Client> tls_;
  net::Pending pending_;
  ServerTools tools_;
  std::string version_;
  std::string session_;
  bool is_modern_ = false;
  bool is_stream_ = false;
  uint64_t id_ = 0;
  std::string text_;
  json::Parser parser_;
  std::optional<Result<ServerTools>> answer_;
  net::asio::io_context context_{1};  // last: what it still runs goes before the rest
};

}  // namespace

Result<ServerTools> ask_for_tools(const Config& config, const UpstreamConfig& upstream,
                                  std::chrono::milliseconds timeout) {
  std::optional<tls::Credentials> credentials;
  if (upstream.tls) {
    credentials.emplace(*upstream.tls);
    Diagnostics diagnostics;
    if (!credentials->load(diagnostics)) return Error{to_string(diagnostics.all().front())};
  }
  Lookups lookups;
  const DialRules dial(config);
  const tls::Credentials* loaded = credentials ? &*credentials : nullptr;
  const auto of = [&](std::string_view name) { return name == upstream.name ? loaded : nullptr; };
  stdio::Server servers(config, {&lookups, &dial, of});
  servers.start();
  auto answer = Client(upstream, loaded, servers, config.limits.body_bytes).run(timeout);
  if (answer) return std::move(*answer);
  return Error{
      fmt::format("{} did not answer within {} s", upstream.authority, timeout.count() / 1000)};
}

}  // namespace reeve::commands
