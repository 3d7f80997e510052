// `reeve explain`: one call, as the sidecar would decide it, and why. For people as text, for
// programs as one JSON object.
#include "policy/explain.h"

#include <fmt/format.h>

#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
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
  if (call.body && call.kind != Kind::kHttp) return fail("--body goes with --http");
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

std::string unit_of(const policy::AccountSpec& account) {
  return account.unit == policy::Unit::kMoney   ? account.currency
         : account.unit == policy::Unit::kCalls ? "calls"
                                                : "tokens";
}

void print_reason(const Explanation& explanation, const std::string& agent) {
  switch (explanation.outcome) {
    case Explanation::Outcome::kUnknownAgent:
      fmt::print(
          "unknown-agent: no agent `{}` in the policy{}\n", agent,
          explanation.fault.empty() ? "" : fmt::format("; did you mean `{}`?", explanation.fault));
      return;
    case Explanation::Outcome::kMalformed:
      fmt::print("malformed: {}\n", explanation.fault);
      return;
    case Explanation::Outcome::kDecided:
      break;
  }
  const policy::Decision& decision = explanation.decision;
  fmt::print("{}", to_string(decision.verdict));
  if (decision.rule) {
    fmt::print(" by `{}` at {}\n", decision.rule->id, to_string(decision.rule->at));
    if (!decision.rule->because.empty()) fmt::print("  because: {}\n", decision.rule->because);
  } else if (decision.reason == policy::Reason::kDefault) {
    fmt::print(" by default: no rule matches\n");
  } else {
    fmt::print(": the agent is {}\n", to_string(decision.reason));
  }
}

void print_text(const policy::PolicySet& policy, const Explanation& explanation,
                const std::string& agent) {
  print_reason(explanation, agent);
  if (!explanation.hint.empty()) fmt::print("  {}\n", explanation.hint);
  if (explanation.outcome != Explanation::Outcome::kDecided) return;
  if (!explanation.near.empty()) fmt::print("near:\n");
  for (const policy::NearRule& near : explanation.near) {
    fmt::print("  {} `{}` at {}: {}\n", to_string(near.rule->effect), near.rule->id,
               to_string(near.rule->at), near.why);
  }
  if (explanation.more > 0) fmt::print("  and {} more on this upstream\n", explanation.more);
  if (explanation.decision.denied()) return;
  if (!explanation.spend) {
    fmt::print("cost: cannot be told, so the call would be refused\n");
    return;
  }
  const policy::Spend& spend = *explanation.spend;
  if (spend.price) {
    fmt::print("cost: {} {} by the price at {}\n", policy::format_decimal(spend.cost),
               policy.currency(), to_string(spend.price->at));
  }
  if (spend.count > 0) fmt::print("budgets:\n");
  for (uint32_t i = 0; i < spend.count; ++i) {
    const policy::AccountSpec& account = policy.accounts()[spend.draws[i].account];
    fmt::print("  `{}` ({}): {} of {} {} per {}, at {}\n", account.budget, account.scope,
               policy::format_decimal(spend.draws[i].amount), policy::format_decimal(account.limit),
               unit_of(account), to_string(account.period), to_string(account.at));
  }
}

// Builds one JSON object, member by member.
class ObjectWriter {
 public:
  ObjectWriter& text(std::string_view name, std::string_view value) {
    key(name);
    json::append_string(out_, value);
    return *this;
  }
  ObjectWriter& raw(std::string_view name, std::string_view value) {
    key(name);
    out_ += value;
    return *this;
  }
  std::string take() { return (out_.empty() ? "{" : std::move(out_)) + "}"; }

 private:
  void key(std::string_view name) {
    out_ += out_.empty() ? '{' : ',';
    json::append_string(out_, name);
    out_ += ':';
  }
  std::string out_;
};

std::string rule_json(const policy::RuleInfo& rule, std::string_view why) {
  ObjectWriter object;
  object.text("id", rule.id).text("effect", to_string(rule.effect)).text("role", rule.role);
  object.text("at", to_string(rule.at));
  if (!rule.because.empty()) object.text("because", rule.because);
  if (!why.empty()) object.text("why", why);
  return object.take();
}

void print_json(const policy::PolicySet& policy, const Explanation& explanation) {
  ObjectWriter object;
  object.text("decision", outcome_of(explanation));
  if (explanation.outcome == Explanation::Outcome::kDecided) {
    const policy::Decision& decision = explanation.decision;
    object.text("reason", to_string(decision.reason));
    if (decision.rule) {
      object.text("rule", decision.rule->id).text("at", to_string(decision.rule->at));
      if (!decision.rule->because.empty()) object.text("because", decision.rule->because);
    }
    std::string near;
    for (const policy::NearRule& rule : explanation.near) {
      near += (near.empty() ? "" : ",") + rule_json(*rule.rule, rule.why);
    }
    object.raw("near", "[" + near + "]");
  } else {
    object.text("reason", outcome_of(explanation));
    if (!explanation.fault.empty()) object.text("detail", explanation.fault);
  }
  if (!explanation.hint.empty()) object.text("hint", explanation.hint);
  if (explanation.spend) {
    object.text("cost", policy::format_decimal(explanation.spend->cost));
    object.text("currency", policy.currency());
    std::string budgets;
    for (uint32_t i = 0; i < explanation.spend->count; ++i) {
      const policy::Draw& draw = explanation.spend->draws[i];
      const policy::AccountSpec& account = policy.accounts()[draw.account];
      ObjectWriter budget;
      budget.text("budget", account.budget).text("scope", account.scope);
      budget.text("draws", policy::format_decimal(draw.amount));
      budget.text("limit", policy::format_decimal(account.limit)).text("unit", unit_of(account));
      budget.text("period", to_string(account.period)).text("at", to_string(account.at));
      budgets += (budgets.empty() ? "" : ",") + budget.take();
    }
    object.raw("budgets", "[" + budgets + "]");
  }
  fmt::print("{}\n", object.take());
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
    print_json(*policy, explanation);
  } else {
    print_text(*policy, explanation, agent);
    if (!wiring->config) {
      fmt::print(stderr,
                 "note: without -c reeve.yaml it is not checked that the upstream exists\n");
    }
  }
  return exit_code_of(explanation);
}

}  // namespace reeve::commands
