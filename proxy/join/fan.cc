// What is asked of all upstreams, and the one answer to it.
// Tested end to end by tests/e2e/join_test.mjs.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/join/call.h"
#include "proxy/join/edits.h"
#include "proxy/join/gather.h"
#include "proxy/log.h"
#include "proxy/mcp/reply.h"
#include "proxy/worker.h"

namespace reeve::join {
namespace {

constexpr int kInvalidParams = -32602, kInternalError = -32603, kUnsupportedVersion = -32022;
constexpr std::string_view kLatestLegacy = "2025-11-25";
constexpr std::string_view kLegacy[] = {"2024-11-05", "2025-03-26", "2025-06-18", kLatestLegacy};
constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kUncached =
    R"(,"resultType":"complete","ttlMs":0,"cacheScope":"private")";
constexpr std::string_view kServerInfo = R"({"name":"reeve","version":")" REEVE_VERSION R"("})";

// Whether nobody has an answer because nobody knows the method.
bool all_unknown(std::span<const Said> said) {
  json::Parser parser;
  return std::all_of(said.begin(), said.end(), [&](const Said& each) {
    const auto root = each.message.empty() ? std::nullopt : parser.parse(each.message);
    const auto code = member(member(root, "error"), "code");
    return each.message.empty() || (code && code->raw() == "-32601");
  });
}

bool has_result(const Said& said) {
  json::Parser parser;
  return !said.message.empty() && member(parser.parse(said.message), "result");
}

bool can_log(const std::string& capabilities) {
  json::Parser parser;
  return member(parser.parse(capabilities), "logging").has_value();
}

}  // namespace

Translator Call::translator(std::string_view upstream) const {
  return Translator(shared().seal, holder(), upstream);
}

std::shared_ptr<Round> Call::round_of(const std::vector<std::string>& upstreams) const {
  auto round = std::make_shared<Round>(asker_, session_, agent_);
  round->until = steady_now() + kPatience;
  if (x_.message) round->method = message().method;
  round->version = x_.head.fields.single("mcp-protocol-version").value_or("");
  for (const std::string& each : upstreams) {
    Asked asked;
    asked.upstream = each;
    asked.key = key_;
    if (x_.message) asked.body = translator(each).request(x_.connection.work->body, message(), {});
    if (modern()) {
      Translator bridged = translator(each);
      bridged.bridge();
      asked.bridged_key = std::to_string(shared().next_id.fetch_add(1, std::memory_order_relaxed));
      asked.bridged_body =
          bridged.request(x_.connection.work->body, message(), {}, asked.bridged_key);
    }
    round->asked.push_back(std::move(asked));
  }
  return round;
}

net::Task<std::vector<Said>> Call::gather(std::shared_ptr<Round> round) {
  start(round);
  while (round->left > 0 && steady_now() < round->until && !x_.connection.agent_gone) {
    co_await round->wake->wait(round->until, &x_.connection);
  }
  std::vector<Said> said;
  for (Asked& each : round->asked) {
    const bool late = !each.done || each.late;
    if (late && !x_.connection.agent_gone) {
      const Upstream* upstream = x_.worker.find_upstream(each.upstream);
      x_.worker.metrics().upstream_error(upstream->label(), UpstreamError::kTimeout);
    }
    if (!each.reached && !x_.connection.agent_gone) {
      log(LogLevel::kWarning,
          fmt::format("/mcp: upstream `{}` is left out of the answer to {}: it {}", each.upstream,
                      round->method.empty() ? x_.head.method : round->method,
                      late ? "takes too long" : "cannot be reached"));
    }
    said.push_back({each.upstream, each.done ? std::move(each.message) : std::string()});
  }
  give_up(*round);
  co_return said;
}

std::vector<std::string> Call::open_ones() const {
  std::vector<std::string> open;
  for (const std::string& each : usable_) {
    if (session_ && session_->way(each).door == Session::Door::kOpen) open.push_back(each);
  }
  return open;
}

net::Task<void> Call::run_all() {
  if (x_.message == nullptr) {
    co_await (x_.head.method == "DELETE" ? end_session() : join_streams());
    co_return;
  }
  if (message().shape == mcp::Shape::kNotification) co_return co_await tell_all();
  const std::string version = text_of(member(member(message().params, "_meta"), kVersionKey));
  if (modern() && version != kModernVersion) {
    std::string data = fmt::format(R"({{"supported":["{}"],"requested":)", kModernVersion);
    json::append_string(data, version);
    const std::string body = mcp::error_body(message().id, kUnsupportedVersion,
                                             "Unsupported protocol version", data + "}");
    co_return co_await answer(400, body);
  }
  mcp::List which{};
  const std::string_view method = message().method;
  if (mcp::list_of_method(method, which)) {
    co_await list(which);
  } else if (method == "initialize") {
    co_await initialize();
  } else if (method == "server/discover") {
    co_await discover();
  } else if (method == "subscriptions/listen") {
    co_await join_streams();
  } else if (method == "logging/setLevel") {
    co_await set_level();
  } else {
    co_await answer_result({});  // ping: of this hop
  }
}

std::vector<Introduction> Call::introductions(std::span<const Said> said) const {
  std::vector<Introduction> all;
  json::Parser parser;
  const auto bridge = modern() ? shared().sessions.bridge(agent_) : session_;
  for (const Said& each : said) {
    if (!each.message.empty()) {
      const auto result = member(parser.parse(each.message), "result");
      const auto capabilities = member(result, "capabilities");
      if (!capabilities || !capabilities->is_object()) continue;
      all.push_back({each.upstream, std::string(capabilities->raw()),
                     text_of(member(result, "instructions"))});
    } else if (const auto way = bridge->way(each.upstream); way.door == Session::Door::kOpen) {
      all.push_back({each.upstream, way.greeting.capabilities, way.greeting.instructions});
    }
  }
  return all;
}

net::Task<void> Call::initialize() {
  const auto asked = member(message().params, "protocolVersion");
  if (!asked || !asked->is_string()) {
    co_return co_await answer_error(200, kInvalidParams, "protocolVersion is missing");
  }
  std::string version = text_of(asked);
  std::string hello(message().params->raw());
  if (std::find(std::begin(kLegacy), std::end(kLegacy), version) == std::end(kLegacy)) {
    version = kLatestLegacy;
    json::Parser parser;
    const auto params = parser.parse(hello);
    Edits edits;
    edits.replace_text(*params->find("protocolVersion"), version);
    hello = edits.apply(hello);
  }
  session_ = shared().sessions.begin(agent_, version, hello);
  if (!session_) co_return co_await answer_error(503, kInternalError, "no session can be begun");
  auto round = round_of(usable_);
  round->what = Ask::kOpen;
  const std::vector<Said> said = co_await gather(round);
  const bool any = std::any_of(usable_.begin(), usable_.end(), [this](const std::string& each) {
    return session_->way(each).door != Session::Door::kShut;
  });
  if (!any || x_.connection.agent_gone) {
    shared().sessions.end(session_->id);
    co_return co_await answer_error(502, kInternalError, "none of the servers can be reached");
  }
  const std::vector<Introduction> parts = introductions(said);
  std::string members =
      fmt::format(R"("protocolVersion":"{}","capabilities":{},"serverInfo":{})", version,
                  merge_capabilities(parts, mcp::Era::kLegacy), kServerInfo);
  if (const std::string text = merge_instructions(parts); !text.empty()) {
    members += R"(,"instructions":)";
    json::append_string(members, text);
  }
  const http::Field extra[] = {{"Mcp-Session-Id", session_->id}};
  const std::string body =
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{{}}}}})", message().id, members);
  co_await answer(200, body, extra);
}

net::Task<void> Call::discover() {
  auto round = round_of(usable_);
  round->what = Ask::kDiscover;
  const std::vector<Said> said = co_await gather(round);
  const std::vector<Introduction> parts = introductions(said);
  if (parts.empty()) {
    const std::string error = first_error(said, message().id);
    if (!error.empty()) co_return co_await answer(200, error);
    co_return co_await answer_error(502, kInternalError, "none of the servers can be reached");
  }
  std::string members = fmt::format(R"("supportedVersions":["{}"],"capabilities":{})",
                                    kModernVersion, merge_capabilities(parts, mcp::Era::kModern));
  if (const std::string text = merge_instructions(parts); !text.empty()) {
    members += R"(,"instructions":)";
    json::append_string(members, text);
  }
  members += fmt::format(R"({},"_meta":{{"io.modelcontextprotocol/serverInfo":{}}})", kUncached,
                         kServerInfo);
  co_await answer_result(members);
}

net::Task<void> Call::list(mcp::List which) {
  const std::string owner = fmt::format("{}\n{}", holder(), message().method);
  std::vector<std::string> upstreams = usable_;
  const auto cursor = member(message().params, "cursor");
  std::optional<Cursors> cursors;
  if (cursor) {
    const auto opened = shared().seal.open(Purpose::kCursor, owner, text_of(cursor));
    if (opened) cursors = read_cursors(*opened);
    if (!cursors) co_return co_await answer_error(200, kInvalidParams, "Invalid cursor");
    std::erase_if(*cursors, [this](const auto& each) { return !may_use(each.first); });
    upstreams.clear();
    for (const auto& [upstream, its] : *cursors) upstreams.push_back(upstream);
  }
  auto round = round_of(upstreams);
  for (size_t i = 0; cursors && i < cursors->size(); ++i) {
    for (std::string* body : {&round->asked[i].body, &round->asked[i].bridged_body}) {
      json::Parser parser;
      const auto own = member(member(parser.parse(*body), "params"), "cursor");
      Edits edits;
      if (own) edits.replace_text(*own, (*cursors)[i].second);
      *body = edits.apply(*body);
    }
  }
  const std::vector<Said> said = co_await gather(round);
  const bool any = std::any_of(said.begin(), said.end(), has_result);
  if (!any && !said.empty()) {
    const std::string error = first_error(said, message().id);
    if (error.empty()) {
      co_return co_await answer_error(502, kInternalError, "none of the servers can be reached");
    }
    if (!all_unknown(said)) co_return co_await answer(200, error);
  }
  Cursors next;
  std::string members = merge_lists(which, said, next);
  if (!next.empty()) {
    members += R"(,"nextCursor":)";
    json::append_string(members, shared().seal.close(Purpose::kCursor, owner, write_cursors(next)));
  }
  if (modern()) members += kUncached;
  co_await answer_result(members);
}

net::Task<void> Call::set_level() {
  std::vector<std::string> upstreams = open_ones();
  std::erase_if(upstreams, [this](const std::string& each) {
    return !can_log(session_->way(each).greeting.capabilities);
  });
  const std::vector<Said> said = co_await gather(round_of(upstreams));
  const bool any = std::any_of(said.begin(), said.end(), has_result);
  const std::string error = any ? std::string() : first_error(said, message().id);
  if (!error.empty()) co_return co_await answer(200, error);
  co_await answer_result({});
}

// Without an answer: whoever is not open yet is told when it is.
net::Task<void> Call::tell_all() {
  const bool cancels = message().method == "notifications/cancelled";
  auto round = round_of(cancels ? std::vector<std::string>() : open_ones());
  round->what = Ask::kTell;
  co_await gather(round);
  co_await answer(202, {});
}

net::Task<void> Call::end_session() {
  std::vector<std::string> upstreams = open_ones();
  std::erase_if(upstreams, [this](const std::string& each) {
    return session_->way(each).greeting.session.empty();
  });
  shared().sessions.end(session_->id);
  auto round = round_of(upstreams);
  round->what = Ask::kEnd;
  co_await gather(round);
  co_await answer(200, {});
}

}  // namespace reeve::join
