// Tested end to end by tests/e2e/join_test.mjs.
#include "proxy/join/open.h"

#include <fmt/format.h>

#include "proxy/join/translate.h"
#include "proxy/join/wake.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/worker.h"

namespace reeve::join {
namespace {

constexpr std::string_view kOpenId = R"("reeve-open")";
constexpr std::string_view kProbeId = R"("reeve-probe")";
constexpr std::string_view kInitialized =
    R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

bool answers(json::Parser& parser, std::string_view text, std::string_view key) {
  const auto root = parser.parse(text);
  if (!root || !root->is_object() || root->find("method")) return false;
  const auto id = root->find("id");
  return id && mcp::id_key(*id) == key;
}

net::Task<void> open_way(Asker asker, std::shared_ptr<Session> session, std::string upstream) {
  Part part(*asker.worker, asker.caller);
  std::vector<OwnField> fields;
  const bool begun = co_await part.begin(
      "POST", upstream, std::move(fields),
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"initialize","params":{}}})", kOpenId,
                  session->hello));
  std::optional<std::string> text;
  if (begun && part.status() == 200) {
    text = co_await read_answer(*asker.worker, part, std::string(kOpenId));
  }
  json::Parser parser;
  const auto result = text ? member(parser.parse(*text), "result") : std::nullopt;
  const auto version = member(result, "protocolVersion");
  if (!version || !version->is_string()) co_return session->failed(upstream);
  Greeting greeting;
  greeting.session = part.field("mcp-session-id");
  greeting.version = text_of(version);
  const auto capabilities = member(result, "capabilities");
  if (capabilities && capabilities->is_object()) greeting.capabilities = capabilities->raw();
  greeting.instructions = text_of(member(result, "instructions"));
  part.cancel();
  const bool visible = greeting.version.find_first_of("\r\n") == std::string::npos;
  if (!visible || greeting.version.size() > 64) co_return session->failed(upstream);
  session->opened(upstream, std::move(greeting));
  // A client that becomes ready from here on tells what is open itself.
  if (session->initialized || session->bridge) {
    co_await notify(asker, session, upstream, std::string(kInitialized));
  }
}

}  // namespace

net::Task<void> notify(Asker asker, std::shared_ptr<Session> session, std::string upstream,
                       std::string body) {
  Part part(*asker.worker, asker.caller);
  co_await part.begin("POST", upstream, session_fields(*session, upstream), std::move(body));
}

std::vector<OwnField> session_fields(const Session& session, std::string_view upstream) {
  const Session::Way way = session.way(upstream);
  std::vector<OwnField> fields;
  if (!way.greeting.session.empty()) fields.emplace_back("Mcp-Session-Id", way.greeting.session);
  if (!way.greeting.version.empty()) {
    fields.emplace_back("MCP-Protocol-Version", way.greeting.version);
  }
  return fields;
}

net::Task<std::optional<std::string>> read_answer(Worker& worker, Part& part, std::string id_key) {
  const size_t most = worker.services().config.limits.body_bytes;
  json::Parser parser;
  if (!part.is_events()) {
    auto text = co_await part.rest(most);
    if (text && !answers(parser, *text, id_key)) text.reset();
    co_return text;
  }
  mcp::EventStreamParser events(most);
  std::optional<std::string> found;
  const auto look = [&](const mcp::Event& event) {
    if (found || event.comment || !event.has_data) return;
    if (answers(parser, event.data, id_key)) found = std::string(event.data);
  };
  while (!found) {
    const std::string_view data = co_await part.next();
    if (data.empty() || !events.feed(data, look)) break;
  }
  co_return found;
}

net::Task<bool> ensure_open(Asker asker, std::shared_ptr<Session> session, std::string upstream,
                            Steady until, Connection* waits) {
  for (;;) {
    if (session->way(upstream).door == Session::Door::kOpen) co_return true;
    const auto wake = std::make_shared<Wake>(asker.worker->context());
    if (session->begin_opening(upstream, [wake] { wake->post(); })) {
      net::spawn(asker.worker->context(), open_way(asker, session, upstream),
                 [session, upstream, wake](const std::exception_ptr& failure) {
                   if (failure) session->failed(upstream);
                   wake->set();
                 });
    }
    co_await wake->wait(until, waits);
    if (session->way(upstream).door != Session::Door::kOpening) break;
    if (steady_now() >= until || (waits != nullptr && waits->agent_gone)) break;
  }
  co_return session->way(upstream).door == Session::Door::kOpen;
}

net::Task<Eras::Speaks> find_era(Asker asker, std::string upstream) {
  Eras& eras = asker.worker->services().join.eras;
  if (const auto known = eras.of(upstream); known != Eras::Speaks::kUnknown) co_return known;
  Part part(*asker.worker, asker.caller);
  std::vector<OwnField> fields{{"MCP-Protocol-Version", std::string(kModernVersion)},
                               {"Mcp-Method", "server/discover"}};
  const std::string body =
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"server/discover","params":{{"_meta":{{)"
                  R"("io.modelcontextprotocol/protocolVersion":"{}",)"
                  R"("io.modelcontextprotocol/clientInfo":{{"name":"reeve","version":"{}"}},)"
                  R"("io.modelcontextprotocol/clientCapabilities":{{}}}}}}}})",
                  kProbeId, kModernVersion, REEVE_VERSION);
  if (!co_await part.begin("POST", upstream, std::move(fields), body)) {
    co_return Eras::Speaks::kUnknown;
  }
  if (part.status() >= 500) co_return Eras::Speaks::kUnknown;
  const auto text = co_await read_answer(*asker.worker, part, std::string(kProbeId));
  json::Parser parser;
  const auto root = text ? parser.parse(*text) : std::nullopt;
  const auto versions = member(member(root, "result"), "supportedVersions");
  bool modern = false;
  if (versions && versions->is_array()) {
    for (const json::Value each : versions->items()) {
      modern = modern || (each.is_string() && each.equals(kModernVersion));
    }
  }
  if (modern) {
    eras.learn(upstream, Eras::Speaks::kModern);
    co_return Eras::Speaks::kModern;
  }
  // What reeve refuses this agent says nothing about the server.
  const auto code = member(member(root, "error"), "code");
  const bool refused = part.status() == 401 || part.status() == 402 || part.status() == 403 ||
                       part.status() == 429 || (code && code->raw() == "403");
  if (!refused) eras.learn(upstream, Eras::Speaks::kLegacyOnly);
  co_return Eras::Speaks::kLegacyOnly;
}

}  // namespace reeve::join
