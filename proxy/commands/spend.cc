// `reeve spend`: budgets, from the running sidecar or, without one, from what it left on disk; and
// what was spent by whom and where, from the record.
#include "proxy/commands/spend.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/compiled.h"
#include "policy/diagnostic.h"
#include "policy/json.h"
#include "policy/ledger.h"
#include "proxy/audit/files.h"
#include "proxy/audit/query.h"
#include "proxy/budget_view.h"
#include "proxy/clock.h"
#include "proxy/commands/admin_client.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/policy_source.h"
#include "proxy/commands/spend_print.h"
#include "proxy/commands/spend_record.h"
#include "proxy/commands/terminal.h"
#include "proxy/config/places.h"
#include "proxy/store/sqlite_store.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"--agent", "A", "of this agent: its calls, and the budgets that cover it", true},
    {"--team", "T", "of this team", true},
    {"--upstream", "U", "calls to this upstream", true},
    {"--budget", "B", "this budget", true},
    {"--since", "TIME", "calls from then on: RFC 3339, a day, or how long ago: 15m, 2h, 7d"},
    {"--total", "", "one decimal number: what all of these calls cost"},
    {"--json", "", "one object"},
    {"-c", "reeve.yaml", "where the sidecar is (reeve.yaml without it)"},
};
constexpr Synopsis kSynopsis = {
    "spend", "[--agent A] [--team T] [--upstream U] [--budget B] [--since TIME] [--total]",
    "Budgets, with what is left of them and until when, and what calls cost by agent, team and "
    "upstream.\nBudgets come from the running sidecar (REEVE_TOKEN, or the admin token of "
    "reeve.yaml); where none runs,\nfrom its state folder. Costs come from the record, as far as "
    "it goes back; calls under way count with\nwhat is reserved for them.",
    kOptions};

int fail(std::string_view why) {
  fmt::print(stderr, "reeve spend: {}\n", why);
  return 1;
}

// What the command line means, and where the sidecar keeps what it knows.
struct Question {
  StatePlaces places;
  SpendFilter calls;
  std::vector<std::string> budgets;
  // Null when it cannot be read; the running sidecar may have another.
  std::shared_ptr<const policy::PolicySet> policy;
};

// The budgets as /v1/budgets tells them, and where that is from.
struct Budgets {
  std::string json;
  std::string source;  // "sidecar" or "state"
  std::string said;    // to people
};

// Read only: what a sidecar that ended cleanly used, and of one that did not also what it had
// written ahead.
Result<Budgets, int> budgets_on_disk(const Question& question, const std::string& why) {
  if (question.policy == nullptr) return fail("the policy, which has the limits, cannot be read");
  const std::string file = question.places.state + "/ledger.db";
  const auto marks = store::SqliteStore::read(file);
  if (!marks) return fail(marks.error().message);
  policy::Ledger ledger(*marks);
  const policy::Time now = wall_now();
  (void)ledger.bind(question.policy->accounts(), now);
  return Budgets{
      to_json(ledger.snapshot(now)), "state",
      fmt::format("{}: budgets are those of `{}`, which may count a part of a slice more "
                  "than was spent",
                  why, file)};
}

Result<Budgets, int> find_budgets(const Question& question) {
  const auto& admin = question.places.admin;
  if (!admin) return budgets_on_disk(question, "reeve.yaml has no admin side to ask");
  const std::string token = operator_token(*admin);
  const auto answer = ask_admin(admin->address, token, "GET", "/v1/budgets", {});
  if (!answer && answer.error().away) return budgets_on_disk(question, "no sidecar is running");
  if (!answer) return fail(answer.error().message);
  if (answer->status >= 400) return fail(token.empty() ? kNoToken : detail_of(*answer));
  return Budgets{answer->body, "sidecar", "budgets are those of the running sidecar"};
}

// The accounts that the agents draw on, as budget and scope.
std::set<std::pair<std::string, std::string>> accounts_of(const policy::PolicySet& policy,
                                                          const std::vector<std::string>& agents) {
  std::set<std::pair<std::string, std::string>> accounts;
  for (const std::string& name : agents) {
    const auto agent = policy.find_agent(name);
    if (!agent) continue;
    for (const policy::BudgetUse& use : policy.compiled().agent_states[*agent].budgets) {
      const policy::AccountSpec& spec = policy.accounts()[use.account];
      accounts.emplace(spec.budget, spec.scope);
    }
  }
  return accounts;
}

// The agents that are meant: those named, or those of the teams named.
std::vector<std::string> agents_of(const Question& question) {
  if (question.calls.teams.empty() || question.policy == nullptr) return question.calls.agents;
  std::vector<std::string> agents;
  const auto named = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  for (const policy::AgentInfo& agent : question.policy->agents()) {
    if (!named(question.calls.teams, agent.team)) continue;
    if (question.calls.agents.empty() || named(question.calls.agents, agent.name)) {
      agents.push_back(agent.name);
    }
  }
  return agents;
}

// Leaves out what is not asked about.
void select(const Question& question, std::vector<BudgetRow>& rows) {
  const bool some = !question.calls.agents.empty() || !question.calls.teams.empty();
  if (some && question.policy != nullptr) {
    const auto accounts = accounts_of(*question.policy, agents_of(question));
    std::erase_if(
        rows, [&](const BudgetRow& row) { return !accounts.contains({row.budget, row.scope}); });
  }
  if (question.budgets.empty()) return;
  std::erase_if(rows, [&](const BudgetRow& row) {
    return std::find(question.budgets.begin(), question.budgets.end(), row.budget) ==
           question.budgets.end();
  });
}

Result<SpendSums> sums_of(const Question& question) {
  const auto files = audit::record_files(question.places.audit);
  return sum_record(files, question.calls);
}

// A name that neither the policy nor the record has is a mistake, not nothing spent.
bool known(const Question& question, const SpendSums& sums) {
  if (question.policy == nullptr) return true;
  for (const std::string& name : question.calls.agents) {
    if (question.policy->find_agent(name) || sums.agents.contains(name)) continue;
    std::vector<std::string> names;
    for (const policy::AgentInfo& agent : question.policy->agents()) names.push_back(agent.name);
    const std::string near = nearest(name, names);
    fail(near.empty() ? fmt::format("there is no agent `{}`", name)
                      : fmt::format("there is no agent `{}`; did you mean `{}`?", name, near));
    return false;
  }
  return true;
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += fmt::format("{}\"{}\":", out.ends_with('{') ? "" : ",", name);
  json::append_string(out, text);
}

void append_spent(std::string& out, const Spent& spent) {
  append_member(out, "cost", policy::format_decimal(spent.cost));
  append_member(out, "reserved", policy::format_decimal(spent.reserved));
  append_member(out, "total", policy::format_decimal(spent.total()));
  out += fmt::format(",\"calls\":{},\"tokens_in\":{},\"tokens_out\":{}", spent.calls,
                     spent.tokens_in, spent.tokens_out);
}

void append_list(std::string& out, std::string_view name, std::string_view key,
                 const SpendSums::By& by) {
  out += fmt::format(",\"{}\":[", name);
  for (const auto& [of, spent] : by) {
    out += out.ends_with('[') ? "{" : ",{";
    append_member(out, key, of);
    append_spent(out, spent);
    out += '}';
  }
  out += ']';
}

void append_budgets(std::string& out, std::span<const BudgetRow> rows) {
  out += ",\"budgets\":[";
  for (const BudgetRow& row : rows) {
    out += out.ends_with('[') ? "{" : ",{";
    append_member(out, "budget", row.budget);
    append_member(out, "scope", row.scope);
    append_member(out, "unit", row.unit);
    append_member(out, "period", row.period);
    append_member(out, "limit", policy::format_decimal(row.limit));
    append_member(out, "used", policy::format_decimal(row.used));
    append_member(out, "reserved", policy::format_decimal(row.reserved));
    if (row.approved > 0) {
      append_member(out, "approved_over_limit", policy::format_decimal(row.approved));
    }
    const policy::Micros left = row.limit - row.taken();
    append_member(out, "left", policy::format_decimal(std::max<policy::Micros>(left, 0)));
    if (row.resets) append_member(out, "resets", format_time(*row.resets));
    out += '}';
  }
  out += ']';
}

std::string whole_json(const Budgets& budgets, std::span<const BudgetRow> rows,
                       const SpendSums& sums, std::string_view currency) {
  std::string out = "{";
  append_member(out, "source", budgets.source);
  append_budgets(out, rows);
  out += ",\"spent\":{";
  if (!sums.since.empty()) append_member(out, "since", sums.since);
  append_member(out, "currency", currency);
  append_spent(out, sums.all);
  append_list(out, "agents", "agent", sums.agents);
  append_list(out, "teams", "team", sums.teams);
  append_list(out, "upstreams", "upstream", sums.upstreams);
  return out + "}}";
}

// Nothing, and `exit_code`, when the command line or what it names is wrong.
std::optional<Question> read_question(const Arguments& arguments, int& exit_code) {
  exit_code = 2;
  if (arguments.has("--total") && arguments.has("--json")) {
    usage_error("spend", "`--total` and `--json` exclude each other");
    return std::nullopt;
  }
  if (arguments.has("--total") && arguments.has("--budget")) {
    usage_error("spend", "`--total` is of calls; what a budget has used is in `--json`");
    return std::nullopt;
  }
  Question question;
  question.calls = {
      {}, arguments.values("--agent"), arguments.values("--team"), arguments.values("--upstream")};
  question.budgets = arguments.values("--budget");
  if (const auto since = arguments.find("--since")) {
    const auto bound = audit::read_bound(*since, wall_now());
    if (!bound) {
      usage_error(
          "spend",
          fmt::format("`{}` is no time such as 2026-11-22T09:30:00Z, 2026-11-22 or 2h", *since));
      return std::nullopt;
    }
    question.calls.since = *bound;
  }
  Diagnostics diagnostics;
  auto places = load_state_places(arguments.find("-c").value_or("reeve.yaml"), diagnostics);
  if (!places) {
    print_errors(diagnostics);
    return std::nullopt;
  }
  question.places = std::move(*places);
  Diagnostics of_policy;  // `reeve check` shows them
  question.policy = load_policy(question.places.policy, {}, of_policy);
  return question;
}

}  // namespace

int spend(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  const auto question = read_question(*arguments, exit_code);
  if (!question) return exit_code;
  const auto sums = sums_of(*question);
  if (!sums) return fail(sums.error().message);
  if (!known(*question, *sums)) return 1;
  if (arguments->has("--total")) {
    fmt::print("{}\n", policy::format_decimal(sums->all.total()));
    return 0;
  }
  const auto budgets = find_budgets(*question);
  if (!budgets) return budgets.error();
  auto rows = read_budgets(budgets->json);
  if (!rows) return fail("the sidecar's answer cannot be read");
  select(*question, *rows);
  const std::string currency(question->policy ? question->policy->currency() : "");
  if (arguments->has("--json")) {
    print_json(whole_json(*budgets, *rows, *sums, currency));
    return 0;
  }
  fmt::print("{}\n\n{}", budgets->said,
             budget_table(*rows, wall_now(), {.bars = on_terminal(), .colour = may_colour()}));
  fmt::print("{}", spent_tables(*sums, currency));
  if (!sums->since.empty()) {
    fmt::print("\ncosts are those of the record since {}Z\n", sums->since.substr(0, 19));
  }
  if (sums->unread > 0) fmt::print("{} lines of the record cannot be read\n", sums->unread);
  return 0;
}

}  // namespace reeve::commands
