// See explain_print.h. Tested by tests/proxy/commands_test.cc.
#include "proxy/commands/explain_print.h"

#include <fmt/format.h>

#include <chrono>

#include "policy/json.h"
#include "policy/text.h"

namespace reeve::commands {

namespace {

using policy::Explanation;

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
  } else if (decision.reason == policy::Reason::kPrice) {
    fmt::print(": {}\n", decision.detail);
  } else {
    fmt::print(": the agent is {}\n", to_string(decision.reason));
  }
}

// `15m`, in the largest unit that says it exactly.
std::string duration(std::chrono::seconds seconds) {
  for (const auto& [unit, name] : {std::pair{86400, 'd'}, {3600, 'h'}, {60, 'm'}}) {
    if (seconds.count() % unit == 0) return fmt::format("{}{}", seconds.count() / unit, name);
  }
  return fmt::format("{}s", seconds.count());
}

const policy::ApproverGroup& group_of(const policy::PolicySet& policy,
                                      const policy::AskTerms& ask) {
  return policy.approver_groups()[ask.group];
}

std::string terms(const policy::PolicySet& policy, const policy::AskTerms& ask) {
  const policy::ApproverGroup& group = group_of(policy, ask);
  return fmt::format("{} of `{}`{} within {}", group.need, group.name,
                     group.not_owner ? ", not the owner," : "", duration(ask.within));
}

std::string_view word_of(policy::GuardInfo::Then then) {
  switch (then) {
    case policy::GuardInfo::Then::kRedact:
      return "redact";
    case policy::GuardInfo::Then::kDeny:
      return "deny";
    case policy::GuardInfo::Then::kAsk:
      return "ask";
  }
  return "deny";
}

std::string_view word_of(policy::GuardInfo::On on) {
  switch (on) {
    case policy::GuardInfo::On::kArguments:
      return "arguments";
    case policy::GuardInfo::On::kResult:
      return "result";
    case policy::GuardInfo::On::kBoth:
      return "both";
  }
  return "both";
}

void print_spend(const policy::PolicySet& policy, const policy::Spend& spend) {
  if (spend.price && spend.by_tokens) {
    fmt::print("cost: by tokens, {}by the price at {}\n",
               spend.cost > 0 ? fmt::format("at most {} {}, ", policy::format_decimal(spend.cost),
                                            policy.currency())
                              : std::string(),
               to_string(spend.price->at));
  } else if (spend.price) {
    fmt::print("cost: {} {} by the price at {}\n", policy::format_decimal(spend.cost),
               policy.currency(), to_string(spend.price->at));
  }
  if (spend.count > 0) fmt::print("budgets:\n");
  for (uint32_t i = 0; i < spend.count; ++i) {
    const policy::AccountSpec& account = policy.accounts()[spend.draws[i].account];
    fmt::print("  `{}` ({}): {} of {} {} per {}{}, at {}\n", account.budget, account.scope,
               policy::format_decimal(spend.draws[i].amount), policy::format_decimal(account.limit),
               unit_of(account), to_string(account.period),
               account.ask ? ", then ask " + terms(policy, *account.ask) : std::string(),
               to_string(account.at));
  }
}

// What must happen besides, in the order in which it does.
void print_obligations(const policy::PolicySet& policy, const Explanation& explanation) {
  if (!explanation.limits.empty()) fmt::print("limits:\n");
  for (const policy::RateLimit* limit : explanation.limits) {
    fmt::print("  {}, at {}\n", limit->text, to_string(limit->at));
  }
  if (explanation.spend) print_spend(policy, *explanation.spend);
  if (!explanation.guards.empty()) fmt::print("guards:\n");
  for (const policy::GuardInfo* guard : explanation.guards) {
    fmt::print("  `{}` on {}: {}, at {}\n", guard->name, word_of(guard->on), word_of(guard->then),
               to_string(guard->at));
  }
  if (!explanation.asks.empty()) fmt::print("asks:\n");
  for (const policy::RuleInfo* rule : explanation.asks) {
    fmt::print("  {}, by `{}` at {}\n", terms(policy, rule->ask), rule->id, to_string(rule->at));
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

std::string ask_json(const policy::PolicySet& policy, const policy::AskTerms& ask,
                     const policy::RuleInfo* rule) {
  const policy::ApproverGroup& group = group_of(policy, ask);
  ObjectWriter object;
  object.text("approvers", group.name).raw("need", fmt::format("{}", group.need));
  object.raw("not_owner", group.not_owner ? "true" : "false");
  object.text("within", duration(ask.within));
  if (rule) object.text("rule", rule->id).text("at", to_string(rule->at));
  return object.take();
}

// `[a,b]` of what `write` makes of each entry.
template <class Entries, class Write>
std::string list_json(const Entries& entries, Write&& write) {
  std::string out;
  for (const auto* entry : entries) out += (out.empty() ? "" : ",") + write(*entry);
  return "[" + out + "]";
}

void add_obligations(ObjectWriter& object, const policy::PolicySet& policy,
                     const Explanation& explanation) {
  if (!explanation.limits.empty()) {
    object.raw(
        "limits", list_json(explanation.limits, [](const policy::RateLimit& limit) {
          return ObjectWriter().text("limit", limit.text).text("at", to_string(limit.at)).take();
        }));
  }
  if (!explanation.guards.empty()) {
    object.raw("guards", list_json(explanation.guards, [](const policy::GuardInfo& guard) {
                 return ObjectWriter()
                     .text("guard", guard.name)
                     .text("on", word_of(guard.on))
                     .text("then", word_of(guard.then))
                     .text("at", to_string(guard.at))
                     .take();
               }));
  }
  if (!explanation.asks.empty()) {
    object.raw("asks", list_json(explanation.asks, [&](const policy::RuleInfo& rule) {
                 return ask_json(policy, rule.ask, &rule);
               }));
  }
}

void add_spend(ObjectWriter& object, const policy::PolicySet& policy, const policy::Spend& spend) {
  object.text("cost", policy::format_decimal(spend.cost)).text("currency", policy.currency());
  if (spend.by_tokens) object.raw("by_tokens", "true");
  if (spend.price) object.text("price", to_string(spend.price->at));
  std::string budgets;
  for (uint32_t i = 0; i < spend.count; ++i) {
    const policy::Draw& draw = spend.draws[i];
    const policy::AccountSpec& account = policy.accounts()[draw.account];
    ObjectWriter budget;
    budget.text("budget", account.budget).text("scope", account.scope);
    budget.text("draws", policy::format_decimal(draw.amount));
    budget.text("limit", policy::format_decimal(account.limit)).text("unit", unit_of(account));
    budget.text("period", to_string(account.period)).text("at", to_string(account.at));
    if (account.ask) budget.raw("then_ask", ask_json(policy, *account.ask, nullptr));
    budgets += (budgets.empty() ? "" : ",") + budget.take();
  }
  object.raw("budgets", "[" + budgets + "]");
}

}  // namespace

void print_explanation(const policy::PolicySet& policy, const Explanation& explanation,
                       const std::string& agent) {
  print_reason(explanation, agent);
  if (!explanation.dispatched.empty()) {
    fmt::print("  as the tool `{}` that it calls\n", policy::shown(explanation.dispatched));
  }
  if (!explanation.hint.empty()) fmt::print("  {}\n", explanation.hint);
  if (explanation.outcome != Explanation::Outcome::kDecided) return;
  if (policy.report() && !explanation.decision.allowed()) {
    fmt::print("  mode: report; it is let through, and recorded as this\n");
  }
  if (const policy::RuleInfo* reported = explanation.reported) {
    fmt::print("  reported: {} by `{}` at {}, were it enforced\n", to_string(reported->effect),
               reported->id, to_string(reported->at));
  }
  if (!explanation.near.empty()) fmt::print("near:\n");
  for (const policy::NearRule& near : explanation.near) {
    fmt::print("  {} `{}` at {}: {}\n", to_string(near.rule->effect), near.rule->id,
               to_string(near.rule->at), near.why);
  }
  if (explanation.more > 0) fmt::print("  and {} more on this upstream\n", explanation.more);
  print_obligations(policy, explanation);
}

void print_explanation_json(const policy::PolicySet& policy, const Explanation& explanation) {
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
    if (*decision.detail) object.text("detail", decision.detail);
    if (policy.report()) object.text("mode", "report");
    if (!explanation.dispatched.empty()) object.text("dispatched", explanation.dispatched);
    if (explanation.reported) object.raw("reported", rule_json(*explanation.reported, {}));
    add_obligations(object, policy, explanation);
  } else {
    object.text("reason", outcome_of(explanation));
    if (!explanation.fault.empty()) object.text("detail", explanation.fault);
  }
  if (!explanation.hint.empty()) object.text("hint", explanation.hint);
  if (explanation.spend) add_spend(object, policy, *explanation.spend);
  fmt::print("{}\n", object.take());
}

}  // namespace reeve::commands
