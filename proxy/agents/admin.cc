// Tested end to end by tests/e2e/stop_test.mjs and agents_test.mjs.
#include "proxy/agents/admin.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/diagnostic.h"
#include "policy/json.h"
#include "policy/text.h"
#include "proxy/admin_said.h"
#include "proxy/clock.h"

namespace reeve {
namespace {

using policy::StopScope;
using Resumed = policy::Stops::Resumed;

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// A name of the policy may hold what a path may not.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (!low) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

// What of the path follows its root, taken apart and unescaped; nothing where it is malformed.
std::optional<std::vector<std::string>> words_of(std::string_view path, std::string_view root) {
  std::vector<std::string> words;
  path.remove_prefix(root.size());
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    auto word = unescaped(path.substr(0, end));
    if (!word) return std::nullopt;
    words.push_back(std::move(*word));
    path.remove_prefix(end);
  }
  return words;
}

AdminReply no_such_path() {
  return {
      404,
      "known are /v1/agents, /v1/agents/ID, /v1/agents/ID/stop|resume|retire|review, /v1/stops, "
      "/v1/stops/all/stop and /v1/stops/agent|role|team|upstream/NAME/stop|resume"};
}

// Those that a stop of this kind can name.
std::vector<std::string> names_of(StopScope scope, const policy::PolicySet& policy,
                                  const Config& config) {
  std::vector<std::string> names;
  if (scope == StopScope::kUpstream) {
    for (const UpstreamConfig& upstream : config.upstreams) names.push_back(upstream.name);
    return names;
  }
  for (const policy::AgentInfo& agent : policy.agents()) {
    if (scope == StopScope::kAgent) names.push_back(agent.name);
    if (scope == StopScope::kTeam) names.push_back(agent.team);
    if (scope == StopScope::kRole) {
      const auto roles = policy::stop_subject(policy, std::string_view(agent.name)).roles;
      names.insert(names.end(), roles.begin(), roles.end());
    }
  }
  return names;
}

std::optional<AdminReply> refuse_unknown(StopScope scope, const std::string& name,
                                         const policy::PolicySet& policy, const Config& config) {
  if (scope == StopScope::kAll) return std::nullopt;
  const auto names = names_of(scope, policy, config);
  if (std::find(names.begin(), names.end(), name) != names.end()) return std::nullopt;
  const std::string near = nearest(name, names);
  return AdminReply{
      404, fmt::format(
               "no {}{} is `{}`{}", policy::to_string(scope),
               scope == StopScope::kUpstream || scope == StopScope::kAgent ? "" : " of an agent",
               policy::shown(name), near.empty() ? "" : fmt::format("; did you mean `{}`?", near))};
}

// In an emergency nobody is asked for more than a token: without a name it is the token's.
Result<std::string> who(const AdminCall& call, const Said& said) {
  if (call.person.empty() && said.as.empty()) return std::string("admin token");
  return person_of(call, said);
}

void append(std::string& out, std::string_view name, std::string_view text) {
  out += fmt::format(",\"{}\":", name);
  json::append_string(out, text);
}

std::string cut_json(const Cut& cut, bool names) {
  std::string out =
      fmt::format("{{\"calls\":{},\"streams\":{},\"tunnels\":{},\"held\":{}", cut.counts.calls,
                  cut.counts.streams, cut.counts.tunnels, cut.counts.held);
  if (names) {
    out += ",\"named\":[";
    for (const CutCall& call : cut.calls) {
      if (&call != cut.calls.data()) out += ',';
      out += fmt::format("{{\"kind\":\"{}\"", call.kind);
      append(out, "call", call.id);
      append(out, "agent", call.agent);
      append(out, "upstream", call.upstream);
      append(out, "action", call.action);
      append(out, "target", call.target);
      out += '}';
    }
    out += ']';
  }
  return out + "}";
}

std::string head_json(StopScope scope, const std::string& name, std::string_view state,
                      const std::string& by) {
  std::string out = "{\"scope\":";
  json::append_string(out, policy::to_string(scope));
  if (!name.empty()) append(out, "name", name);
  append(out, "state", state);
  append(out, "by", by);
  return out;
}

struct Order {
  StopScope scope;
  std::string name;
  Said said;
  std::string by;
  bool retires = false;
};

net::Task<AdminReply> stop(AgentsDesk desk, Stopper::Policy policy, Order order) {
  if (auto refusal = refuse_unknown(order.scope, order.name, *policy, desk.config)) {
    co_return std::move(*refusal);
  }
  const policy::Stop* now = desk.stopper.stops()->find(order.scope, order.name);
  if (now && now->retired) co_return AdminReply{409, "it is retired, for good"};
  policy::Stop stop{order.scope, order.name,    order.by, order.said.why,
                    wall_now(),  order.retires, {}};
  const std::string_view state = order.retires ? "retired" : "stopped";
  const bool dry = order.said.dry_run;
  std::string out =
      head_json(order.scope, order.name,
                dry ? fmt::format("would be {}", state) : std::string(state), order.by);
  if (dry) {
    const Cut cut = co_await desk.stopper.rehearse(std::move(stop));
    co_return AdminReply{200, out + ",\"cut\":" + cut_json(cut, true) + "}"};
  }
  const Stopper::Stopped done = co_await desk.stopper.stop(std::move(stop), std::move(policy));
  if (!done.trouble.empty()) {
    co_return AdminReply{503, fmt::format("{}, and in force; but {}", state, done.trouble)};
  }
  co_return AdminReply{200, out + ",\"cut\":" + cut_json(done.cut, false) +
                                fmt::format(",\"approvals\":{}}}", done.approvals)};
}

net::Task<AdminReply> resume(AgentsDesk desk, Stopper::Policy policy, Order order) {
  const std::string by = order.by;
  const auto resumed =
      co_await desk.stopper.resume(order.scope, order.name, by, order.said.why, policy);
  if (!resumed) {
    co_return AdminReply{503, fmt::format("it is still stopped: {}", resumed.error().message)};
  }
  switch (*resumed) {
    case Resumed::kResumed:
      break;
    case Resumed::kNotStopped:
      co_return AdminReply{
          409, fmt::format("no stop of {} `{}` is in force", policy::to_string(order.scope),
                           policy::shown(order.name))};
    case Resumed::kRetired:
      co_return AdminReply{409, "it is retired, for good; its successor is another agent"};
    case Resumed::kAll:
      co_return AdminReply{409, "a stop of all is resumed agent by agent, by name"};
    case Resumed::kOtherwise: {
      const auto subject = policy::stop_subject(*policy, std::string_view(order.name));
      const auto* stop = desk.stopper.stops()->covering(subject, {});
      co_return AdminReply{409,
                           fmt::format("it is stopped with its {0}: resume {0} `{1}`",
                                       policy::to_string(stop->scope), policy::shown(stop->name))};
    }
  }
  std::string out = head_json(order.scope, order.name, "resumed", by);
  // What else still holds it should not be a surprise.
  if (order.scope == StopScope::kAgent) {
    const auto subject = policy::stop_subject(*policy, std::string_view(order.name));
    if (const auto* still = desk.stopper.stops()->covering(subject, {})) {
      append(out, "still_stopped_by",
             fmt::format("{} {}", policy::to_string(still->scope), still->name));
    }
  }
  co_return AdminReply{200, out + "}"};
}

AdminReply review(AgentsDesk desk, const Stopper::Policy& policy, const Order& order) {
  if (auto refusal = refuse_unknown(order.scope, order.name, *policy, desk.config)) {
    return std::move(*refusal);
  }
  if (const auto kept = desk.roster.reviewed(order.name, order.by, wall_now()); !kept) {
    return {503, kept.error().message};
  }
  if (!desk.stopper.note(order.name, "reviewed", order.by, order.said.why)) {
    return {503, "it is kept, but the record cannot be written"};
  }
  return {200, head_json(order.scope, order.name, "reviewed", order.by) + "}"};
}

RosterView view_of(AgentsDesk desk, const policy::PolicySet& policy) {
  const policy::Time now = wall_now();
  desk.roster.look(policy, now, false);
  return {policy, *desk.stopper.stops(), desk.roster, desk.treasury.snapshot(now), now};
}

}  // namespace

std::string list_agents(AgentsDesk desk, const policy::PolicySet& policy) {
  return agents_json(view_of(desk, policy));
}

namespace {

AdminReply show(AgentsDesk desk, const policy::PolicySet& policy, bool stops,
                const std::vector<std::string>& words) {
  if (stops)
    return words.empty() ? AdminReply{200, stops_json(*desk.stopper.stops())} : no_such_path();
  if (words.empty()) return {200, list_agents(desk, policy)};
  if (words.size() > 1) return {405, "this is done with POST"};
  auto one = agent_json(view_of(desk, policy), words.front());
  if (one) return {200, std::move(*one)};
  return *refuse_unknown(StopScope::kAgent, words.front(), policy, desk.config);
}

}  // namespace

net::Task<AdminReply> serve_agents(AgentsDesk desk, Stopper::Policy policy, AdminCall call) {
  const bool stops = call.path.starts_with("/v1/stops");
  const auto words = words_of(call.path, stops ? "/v1/stops" : "/v1/agents");
  if (!words) co_return AdminReply{400, "the path has a bad escape"};
  if (call.method == "GET" || call.method == "HEAD") {
    co_return show(desk, *policy, stops, *words);
  }
  // /v1/agents/ID/VERB, /v1/stops/all/stop, /v1/stops/SCOPE/NAME/VERB
  std::optional<StopScope> scope = StopScope::kAgent;
  if (stops) scope = words->empty() ? std::nullopt : policy::stop_scope(words->front());
  const size_t named = stops ? 1 : 0;
  const bool all = scope == StopScope::kAll;
  if (!scope || words->size() != named + (all ? 1 : 2)) co_return no_such_path();
  const std::string& verb = words->back();
  const bool retires = verb == "retire" && !stops;
  const bool reviews = verb == "review" && !stops;
  if (verb != "stop" && verb != "resume" && !retires && !reviews) co_return no_such_path();
  if (call.method != "POST") co_return AdminReply{405, "this is done with POST"};
  if (call.role != AdminRole::kOperator) {
    co_return AdminReply{403, "only an operator stops, resumes, retires and reviews"};
  }
  auto said = read_said(call.body, verb == "stop" || retires);
  if (!said) co_return AdminReply{400, said.error().message};
  const auto by = who(call, *said);
  if (!by) co_return AdminReply{403, by.error().message};
  Order order{*scope, all ? std::string() : (*words)[named], std::move(*said), *by, retires};
  if (reviews) co_return review(desk, policy, order);
  if (verb != "resume") co_return co_await stop(desk, std::move(policy), std::move(order));
  co_return co_await resume(desk, std::move(policy), std::move(order));
}

}  // namespace reeve
