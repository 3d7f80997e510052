// `reeve explain`: one call, as the sidecar would decide it, and why.
#include "policy/explain.h"

#include <fmt/format.h>

#include "proxy/clock.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/explain_print.h"
#include "proxy/commands/policy_source.h"

namespace reeve::commands {

namespace {

using policy::Explanation;
using policy::Kind;

constexpr Option kOptions[] = {
    {"-p", "POLICY", "the policy, a file or a folder"},
    {"-c", "reeve.yaml", "the wiring; also says where the policy is, without -p"},
    {"--agent", "A", "who calls"},
    {"--upstream", "U", "which upstream"},
    {"--tool", "T", "an MCP tool"},
    {"--args", "JSON", "the tool's arguments"},
    {"--http", "'GET /x'", "an HTTP request: method, path behind the upstream, query"},
    {"--header", "'N: V'", "a header of it; may be given several times", true},
    {"--body", "B", "its body"},
    {"--resource", "URI", "an MCP resource"},
    {"--prompt", "P", "an MCP prompt"},
    {"--method", "M", "another MCP method"},
    {"--connect", "HOST:PORT", "a tunnel"},
    {"--model", "M", "a model"},
    {"--at", "TIME", "when, in RFC 3339; now without it"},
    {"--json", "", "one JSON object"},
};
constexpr Synopsis kSynopsis = {
    "explain", "-p POLICY --agent A --upstream U (--tool T [--args JSON] | --http 'GET /x' | …)",
    "The decision on one call, the rule with file and line, every other rule that came near and "
    "why "
    "it\ndid not decide, and the budgets it would draw on. Exits with 0 allow, 3 ask, 4 deny, "
    "5 malformed\nor unknown agent, 2 usage.",
    kOptions, false};

// The call, or a usage error that is printed.
std::optional<policy::CallSpec> read_call(const Arguments& arguments) {
  const auto fail = [](std::string_view message) {
    usage_error("explain", message);
    return std::nullopt;
  };
  policy::CallSpec call;
  call.upstream = arguments.value("--upstream");
  int targets = 0;
  for (const auto& [option, kind] : {std::pair{"--tool", Kind::kTool},
                                     {"--resource", Kind::kResource},
                                     {"--prompt", Kind::kPrompt},
                                     {"--http", Kind::kHttp},
                                     {"--connect", Kind::kConnect},
                                     {"--model", Kind::kModel},
                                     {"--method", Kind::kMethod}}) {
    const auto value = arguments.find(option);
    if (!value) continue;
    ++targets;
    if (kind != Kind::kHttp) {
      call.set_target(kind, *value);
    } else if (!call.set_http(*value)) {
      return fail(fmt::format("`{}` is no `METHOD /path`", *value));
    }
  }
  if (targets != 1) {
    return fail(
        "give exactly one of --tool, --http, --resource, --prompt, --method, --connect, "
        "--model");
  }
  if (call.upstream.empty() && call.kind != Kind::kConnect) return fail("no --upstream");
  call.args = arguments.find("--args");
  call.body = arguments.find("--body");
  if (call.args && call.kind != Kind::kTool) return fail("--args goes with --tool");
  if (call.body && call.kind != Kind::kHttp && call.kind != Kind::kModel) {
    return fail("--body goes with --http or --model");
  }
  for (const std::string& header : arguments.values("--header")) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      return fail(fmt::format("`{}` is no `Name: value`", header));
    }
    const size_t value = std::min(header.find_first_not_of(" \t", colon + 1), header.size());
    call.headers.emplace_back(header.substr(0, colon), header.substr(value));
  }
  if (const auto at = arguments.find("--at")) {
    call.at = policy::parse_time(*at);
    if (!call.at) return fail(fmt::format("`{}` is no time such as 2026-11-22T09:30:00Z", *at));
  }
  return call;
}

int exit_code_of(const Explanation& explanation) {
  if (explanation.outcome != Explanation::Outcome::kDecided) return 5;
  switch (explanation.decision.verdict) {
    case policy::Verdict::kAllow:
      return 0;
    case policy::Verdict::kAsk:
      return 3;
    case policy::Verdict::kDeny:
      return 4;
    case policy::Verdict::kMalformed:
      return 5;
  }
  return 5;
}

}  // namespace

int explain(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (!arguments->has("-p") && !arguments->has("-c")) return usage_error("explain", "no -p POLICY");
  if (!arguments->has("--agent")) return usage_error("explain", "no --agent");
  auto call = read_call(*arguments);
  if (!call) return 2;
  Diagnostics diagnostics;
  const auto wiring = load_wiring(arguments->value("-c"), diagnostics);
  const auto policy =
      wiring ? load_policy(arguments->has("-p") ? arguments->value("-p") : wiring->config->policy,
                           *wiring, diagnostics)
             : nullptr;
  if (!policy) {
    print_diagnostics(diagnostics);
    return 2;
  }
  call->path_parameters = wiring->path_parameters(call->upstream);
  const std::string agent = arguments->value("--agent");
  const Explanation explanation = policy::explain(*policy, agent, *call, wall_now());
  if (arguments->has("--json")) {
    print_explanation_json(*policy, explanation);
  } else {
    print_explanation(*policy, explanation, agent);
    if (!wiring->config) {
      fmt::print(stderr,
                 "note: without -c reeve.yaml it is not checked that the upstream exists\n");
    }
  }
  return exit_code_of(explanation);
}

}  // namespace reeve::commands
