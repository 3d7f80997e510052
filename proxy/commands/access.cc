// `reeve access`: who may do what, as a table or as JSON lines, one object a row.
#include "policy/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/json.h"
#include "policy/text.h"
#include "proxy/clock.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/policy_source.h"

namespace reeve::commands {

namespace {

constexpr Option kOptions[] = {
    {"-p", "POLICY", "the policy, a file or a folder"},
    {"-c", "reeve.yaml", "the wiring; also says where the policy is, without -p"},
    {"--agent", "A", "this agent only"},
    {"--upstream", "U", "rules about this upstream only"},
    {"--tool", "T", "who may call this tool, and by which rule"},
    {"--json", "", "one JSON array"},
};
constexpr Synopsis kSynopsis = {
    "access", "-p POLICY [--agent A] [--upstream U] [--tool T] [--json]",
    "Who may do what: the rules of each agent, denials first, as they decide.", kOptions, false};

void print_json(const std::vector<policy::AccessRow>& rows) {
  std::string out = "[";
  for (const policy::AccessRow& row : rows) {
    if (out.size() > 1) out += ",\n ";
    out += "{\"agent\":";
    json::append_string(out, row.agent);
    out += ",\"upstream\":";
    json::append_string(out, row.upstream);
    out += ",\"effect\":";
    json::append_string(out, row.effect);
    out += ",\"what\":";
    json::append_string(out, row.what);
    if (row.rule) {
      out += ",\"rule\":";
      json::append_string(out, row.rule->id);
      out += ",\"role\":";
      json::append_string(out, row.rule->role);
      out += ",\"at\":";
      json::append_string(out, to_string(row.rule->at));
    }
    out += '}';
  }
  fmt::print("{}]\n", out);
}

void print_table(const std::vector<policy::AccessRow>& rows) {
  using Line = std::array<std::string, 6>;
  std::vector<Line> lines = {{"AGENT", "UPSTREAM", "EFFECT", "WHAT", "RULE", "AT"}};
  for (const policy::AccessRow& row : rows) {
    lines.push_back({row.agent, row.upstream, row.effect, policy::shown(row.what),
                     row.rule ? row.rule->id : "by default",
                     row.rule ? to_string(row.rule->at) : ""});
  }
  std::array<size_t, 6> widths{};
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const Line& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      text += i + 1 == line.size() ? line[i] : fmt::format("{:<{}}  ", line[i], widths[i]);
    }
    while (text.ends_with(' ')) text.pop_back();
    fmt::print("{}\n", text);
  }
}

}  // namespace

int access(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (!arguments->has("-p") && !arguments->has("-c")) return usage_error("access", "no -p POLICY");
  Diagnostics diagnostics;
  const auto wiring = load_wiring(arguments->value("-c"), diagnostics);
  const auto policy =
      wiring ? load_policy(arguments->has("-p") ? arguments->value("-p") : wiring->config->policy,
                           *wiring, diagnostics)
             : nullptr;
  if (!policy) {
    print_diagnostics(diagnostics);
    return 1;
  }
  policy::AccessFilter filter{arguments->value("--agent"), arguments->value("--upstream"),
                              arguments->value("--tool"), wall_now()};
  if (!filter.agent.empty() && !policy->find_agent(filter.agent)) {
    std::vector<std::string> names;
    for (const policy::AgentInfo& agent : policy->agents()) names.push_back(agent.name);
    const std::string suggestion = nearest(filter.agent, names);
    return usage_error(
        "access", suggestion.empty()
                      ? fmt::format("no agent `{}`", filter.agent)
                      : fmt::format("no agent `{}`; did you mean `{}`?", filter.agent, suggestion));
  }
  const std::vector<policy::AccessRow> rows = policy::list_access(*policy, filter);
  if (arguments->has("--json")) {
    print_json(rows);
  } else {
    print_table(rows);
    if (!wiring->config) {
      fmt::print(stderr, "note: without -c reeve.yaml it is not checked that upstreams exist\n");
    }
  }
  return 0;
}

}  // namespace reeve::commands
