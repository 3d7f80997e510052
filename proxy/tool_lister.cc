// One page after the other over the upstream's own pool, within one deadline; the agent's hanging
// up ends it as it ends a call. Tested end to end by tests/e2e/drift_test.mjs.
#include "proxy/tool_lister.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/http/writer.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/version.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr size_t kPagesMost = 1000;
constexpr std::string_view kModern = "2026-07-28";

// Fields of the agent's call that say nothing about another request.
bool is_about_call(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "accept",   "accept-encoding", "content-type", "expect",   "if-match", "if-none-match",
      "if-range", "last-event-id",   "mcp-method",   "mcp-name", "range"};
  constexpr std::string_view kParameters = "mcp-param-";
  if (http::iequals(name.substr(0, kParameters.size()), kParameters)) return true;
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view known) { return http::iequals(name, known); });
}

class Lister {
 public:
  Lister(Exchange& x, mcp::Sighting& sighting)
      : x_(x), sighting_(sighting), left_(x.worker.services().config.limits.body_bytes) {}

  net::Task<Result<bool>> run() {
    x_.worker.set_phase(x_.connection, Phase::kUpstream, x_.upstream->config().timeout);
    Gate::Place place = x_.upstream->gate().try_enter();
    if (!place) place = co_await x_.upstream->gate().enter(x_.connection);
    if (!place) co_return Error{"no connection to it is free"};
    std::string cursor;
    for (size_t page = 0; page < kPagesMost; ++page) {
      const auto listed = co_await list(page, cursor);
      if (!listed) co_return listed.error();
      const auto seen = read(*listed, page, cursor);
      if (!seen) co_return seen.error();
      if (cursor.empty()) co_return true;
    }
    co_return Error{fmt::format("its list of tools has more than {} pages", kPagesMost)};
  }

 private:
  std::string id(size_t page) const { return fmt::format("reeve-{}-{}", view(x_.id), page); }

  std::string message(size_t page, const std::string& cursor) const {
    std::string params;
    if (!cursor.empty()) {
      params = "\"cursor\":";
      json::append_string(params, cursor);
    }
    if (is_modern()) {
      params += params.empty() ? "" : ",";
      params += "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":";
      json::append_string(params, version());
      params += fmt::format(
          ",\"io.modelcontextprotocol/clientInfo\":{{\"name\":\"reeve\",\"version\":\"{}\"}},"
          "\"io.modelcontextprotocol/clientCapabilities\":{{}}}}",
          kVersion);
    }
    return fmt::format(R"({{"jsonrpc":"2.0","id":"{}","method":"tools/list","params":{{{}}}}})",
                       id(page), params);
  }

  bool is_modern() const { return x_.message->era == mcp::Era::kModern; }
  std::string_view version() const {
    return x_.head.fields.single("mcp-protocol-version").value_or(kModern);
  }

  // One page, recorded as a call; its message.
  net::Task<Result<std::string>> list(size_t page, std::string cursor) {
    const CallId call = x_.worker.ids().next(wall_now());
    const Steady started = steady_now();
    std::string line = members(call);
    std::string decision = line + ",\"decision\":\"allow\",\"reason\":\"pin\",\"for\":";
    json::append_string(decision, view(x_.id));
    decision += ",\"policy\":";
    json::append_string(decision, x_.snapshot->policy->sha256());
    if (!co_await x_.worker.turn().record("decision", decision, wall_now())) {
      co_return Error{"the record cannot be written"};
    }
    status_ = 0;
    auto answer = co_await ask(message(page, cursor), page);
    line += fmt::format(",\"decision\":\"allow\",\"status\":{}", status_);
    if (!answer) line += ",\"error\":\"protocol\"";
    line +=
        fmt::format(",\"ms\":{}",
                    std::chrono::round<std::chrono::milliseconds>(steady_now() - started).count());
    x_.worker.turn().record_soon("outcome", line, wall_now());
    co_return answer;
  }

  std::string members(const CallId& call) const {
    std::string out = ",\"call\":";
    json::append_string(out, view(call));
    const policy::AgentInfo& agent = *x_.agent_info();
    const std::pair<std::string_view, std::string_view> each[] = {
        {"agent", agent.name},
        {"owner", agent.owner},
        {"team", agent.team},
        {"roles", agent.roles_joined},
        {"session", x_.head.fields.single("mcp-session-id").value_or("").substr(0, 1024)},
        {"listener", x_.connection.listener.name},
        {"upstream", x_.upstream->config().name},
        {"protocol", "mcp"},
        {"action", "tools/list"}};
    for (const auto& [name, text] : each) {
      if (text.empty()) continue;
      out += fmt::format(",\"{}\":", name);
      json::append_string(out, text);
    }
    return out;
  }

  net::Task<Result<std::string>> ask(std::string body, size_t page) {
    Upstream::Tries tries;
    if (const auto session = x_.head.fields.single("mcp-session-id")) {
      tries.prefer = x_.worker.services().sessions.place(x_.upstream->config().name, *session);
    }
    for (;;) {
      std::unique_ptr<UpstreamConnection> to = x_.upstream->try_kept(tries, steady_now());
      if (!to) {
        auto reached = co_await x_.upstream->connect(x_.connection, tries);
        if (given_up()) co_return late();
        if (!reached) co_return Error{"it cannot be reached"};
        to = std::move(*reached);
      }
      const Steady started = steady_now();
      if (given_up()) co_return late();
      x_.connection.upstream = &to->stream;
      silent_ = false;
      auto answer = co_await exchange(*to, body, page);
      x_.connection.upstream = nullptr;
      if (given_up()) co_return late();
      if (status_ != 0) x_.upstream->answered(*to, status_, started);
      // A kept connection may have been closed meanwhile; to list twice does no harm.
      if (!answer && silent_ && to->reused && !tries.fresh) {
        tries.fresh = true;
        continue;
      }
      if (!answer && status_ == 0) {
        x_.upstream->failed(*to, Trouble::kClosed, answer.error().message, steady_now());
      }
      if (answer && whole_ && to->stream.is_open()) x_.upstream->keep(std::move(to), steady_now());
      co_return answer;
    }
  }

  bool given_up() const {
    const Connection& c = x_.connection;
    return c.agent_gone || c.timed_out || c.stopped;
  }
  Error late() const { return Error{"it did not answer in time"}; }

  void write(const UpstreamConnection& to, const std::string& body, std::string& out) {
    const UpstreamConfig& config = x_.upstream->config();
    http::RequestHead head;
    for (const http::Field& field : x_.head.fields.list) {
      if (!is_about_call(field.name)) head.fields.list.push_back(field);
    }
    std::vector<http::Field> extra = {{"Accept", "application/json, text/event-stream"},
                                      {"Content-Type", "application/json"}};
    if (is_modern()) extra.push_back({"Mcp-Method", "tools/list"});
    if (is_modern()) extra.push_back({"MCP-Protocol-Version", version()});
    if (!config.command.words.empty()) extra.push_back({stdio::kAgentField, x_.agent_info()->name});
    const http::RequestTarget target{
        "POST", config.base_path.empty() ? std::string_view("/") : config.base_path, x_.head.query,
        x_.head.has_query, x_.upstream->authority(to)};
    http::write_request_head(out, target, head, config.fields, http::Framing::kLength, body.size(),
                             {}, extra);
    out += body;
  }

  net::Task<Result<std::string>> exchange(UpstreamConnection& to, const std::string& body,
                                          size_t page) {
    std::string out;
    write(to, body, out);
    to.parser.reset("POST");
    silent_ = true;
    if (!to.stream.is_open() || !co_await to.stream.write(out)) co_return Error{"it hung up"};
    for (;;) {
      if (to.begin != to.end) {
        silent_ = false;
        const http::Progress progress = to.parser.parse(to.unread());
        if (progress == http::Progress::kDone) break;
        if (progress == http::Progress::kFault || to.full()) {
          co_return Error{"its answer is malformed"};
        }
      }
      net::ErrorCode ec;
      if (co_await to.fill(ec) == 0) co_return Error{"it hung up before it answered"};
    }
    to.remember_head();
    const http::ResponseHead& head = to.parser.head();
    status_ = head.status;
    const std::string_view type = head.fields.single("content-type").value_or("");
    const bool events = http::iequals(type.substr(0, 17), "text/event-stream");
    if (head.status != 200) {
      co_return Error{fmt::format("it refuses tools/list with HTTP status {}", head.status)};
    }
    if (head.fields.count("content-encoding") > 0) {
      co_return Error{"it answers with a content coding that was not asked for"};
    }
    http::BodyDecoder decoder;
    decoder.start(head.framing, head.content_length);
    to.consume(to.parser.head_bytes());
    co_return co_await read_body(to, decoder, events, page);
  }

  net::Task<Result<std::string>> read_body(UpstreamConnection& to, http::BodyDecoder& decoder,
                                           bool events, size_t page) {
    std::string answer;
    mcp::EventStreamParser parser(left_);
    whole_ = false;
    for (;;) {
      const http::BodyDecoder::Step step = decoder.step(to.unread());
      to.consume(step.consumed);
      if (step.fault) co_return Error{"its answer is malformed"};
      if (step.data.size() > left_) co_return Error{"its list of tools is too large"};
      left_ -= step.data.size();
      if (!events) {
        answer += step.data;
      } else if (!parser.feed(step.data,
                              [&](const mcp::Event& event) { take_event(event, page, answer); })) {
        co_return Error{"its list of tools is too large"};
      }
      whole_ = step.done;
      if (step.done || (events && !answer.empty())) co_return answer;
      if (step.consumed > 0) continue;
      net::ErrorCode ec;
      if (co_await to.fill(ec) > 0) continue;
      if (ec == net::asio::error::eof && decoder.complete_at_close()) co_return answer;
      co_return Error{"it hung up in the middle of its answer"};
    }
  }

  // The answer to this page, and that the tools have changed, is all that counts here.
  void take_event(const mcp::Event& event, size_t page, std::string& answer) {
    if (event.comment || !event.has_data || !answer.empty()) return;
    const auto root = parser_.parse(event.data);
    if (!root || !root->is_object()) return;
    const auto found = root->find("id");
    if (root->find("method")) {
      note_change(*root);
    } else if (found && found->is_string() && found->equals(id(page))) {
      answer = event.data;
    }
  }

  void note_change(const json::Value& message) {
    const auto method = message.find("method");
    if (method->is_string() && method->equals("notifications/tools/list_changed")) {
      x_.worker.services().pins.tools_changed(x_.upstream->config().name);
    }
  }

  Result<bool> read(const std::string& text, size_t page, std::string& cursor) {
    const auto root = parser_.parse(text);
    if (!root || !root->is_object())
      return Error{"its answer to tools/list is no JSON-RPC message"};
    const auto found = root->find("id");
    const auto result = root->find("result");
    if (!found || !found->is_string() || !found->equals(id(page))) {
      return Error{"its answer to tools/list is not to the question"};
    }
    if (!result || !result->is_object() || root->find("error")) {
      return Error{"it answers tools/list with an error"};
    }
    return sighting_.see_page(*result, cursor);
  }

  Exchange& x_;
  mcp::Sighting& sighting_;
  size_t left_;  // bytes of all answers
  int status_ = 0;
  bool silent_ = false;  // not one byte of an answer came
  bool whole_ = false;   // the answer has ended, not only what was wanted of it
  json::Parser parser_;
};

}  // namespace

net::Task<Result<bool>> list_tools(Exchange& x, mcp::Sighting& sighting) {
  Lister lister(x, sighting);
  auto done = co_await lister.run();
  x.worker.set_phase(x.connection, Phase::kStream, {});  // what follows has no part in its time
  co_return done;
}

}  // namespace reeve
