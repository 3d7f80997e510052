// Tested by tests/proxy/report_test.cc.
#include "proxy/report/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/text.h"
#include "proxy/report/format.h"
#include "proxy/report/words.h"

namespace reeve::report {
namespace {

constexpr size_t kName = 28;       // bytes of a name in a table
constexpr size_t kMostLines = 40;  // of a table

std::string shown(std::string_view text, size_t most = 400) { return policy::visible(text, most); }

std::string took(const Latency& latency, double part) {
  return latency.count() > 0 ? span(latency.quantile(part)) : "-";
}

void row(std::string& out, std::string_view name, std::string_view calls, std::string_view failed,
         std::string_view denied, std::string_view p50, std::string_view p95,
         std::string_view spent, std::string_view asked) {
  out += fmt::format("{:<{}}  {:>10}  {:>8}  {:>8}  {:>8}  {:>8}  {:>14}  {:>9}\n", name, kName,
                     calls, failed, denied, p50, p95, spent, asked);
}

void row(std::string& out, std::string_view name, const Counts& now, const Latency& latency,
         const Approvals& approvals, std::string_view currency) {
  row(out, shown(name.empty() ? "(none)" : name, kName), count(now.calls),
      now.answered() > 0 ? percent(error_rate(now)) : "-",
      now.calls > 0 ? percent(denial_rate(now)) : "-", took(latency, 0.5), took(latency, 0.95),
      now.spent > 0 ? money(now.spent, currency) : "-",
      fmt::format("{}/{}", approvals.asked, approvals.approved));
}

void head(std::string& out, std::string_view name) {
  out += '\n';
  row(out, name, "CALLS", "FAILED", "DENIED", "P50", "P95", "SPENT", "ASKED/YES");
}

void left_out(std::string& out, size_t all, size_t shown) {
  if (all > shown) out += fmt::format("… and {} more; --json and --html have them\n", all - shown);
}

void append_budgets(std::string& out, const Collector& collected) {
  if (!collected.policy()) return;
  const auto budgets = budgets_of(collected);
  if (budgets.empty()) return;
  out += fmt::format("\n{:<{}}  {:<24}  {:>22}  {:>8}  {:>8}\n", "BUDGET", kName, "OF", "LIMIT",
                     "USED", "MOST");
  const size_t most = std::min<size_t>(20, budgets.size());
  for (size_t i = 0; i < most; ++i) {
    const BudgetState& state = budgets[i];
    const policy::AccountSpec& spec = *state.drawn->spec;
    out += fmt::format(
        "{:<{}}  {:<24}  {:>22}  {:>8}  {:>8}\n", shown(spec.budget, kName), kName,
        shown(spec.scope, 24),
        fmt::format("{} per {}", amount(spec.limit, state.unit), policy::to_string(spec.period)),
        percent(state.used), percent(state.most));
  }
  left_out(out, budgets.size(), most);
}

}  // namespace

std::string text_of(const Collector& collected, const std::vector<Finding>& findings, bool color) {
  const Tally& tally = collected.tally();
  const std::string currency = currency_of(collected);
  std::string out =
      fmt::format("{}\n{}\n\n", shown(title_of(collected)), shown(scope_of(collected), 2000));
  for (const std::string& sentence : sentences_of(collected)) out += shown(sentence, 1000) + "\n";
  out += '\n';
  for (const Figure& figure : figures_of(collected))
    out += fmt::format("  {:<18} {:>16}  {}\n", figure.name, figure.value, figure.note);

  out += findings.empty() ? "\nNothing stands out.\n" : "\nNeeds attention:\n";
  for (const Finding& finding : findings) {
    const bool red = color && finding.urgent;
    out += fmt::format("  {} {}{}{}\n      {}\n", finding.urgent ? "!" : "-", red ? "\x1b[31m" : "",
                       shown(finding.headline), red ? "\x1b[0m" : "", shown(finding.detail, 800));
    if (!finding.command.empty()) out += fmt::format("      {}\n", shown(finding.command, 1000));
  }

  if (tally.teams.size() > 1) {
    head(out, "TEAM");
    for (const Team& team : tally.teams)
      row(out, team.name, team.now, team.latency, team.approvals, currency);
  }
  head(out, "AGENT");
  std::vector<const Agent*> agents;
  for (const Agent& agent : tally.agents) agents.push_back(&agent);
  std::sort(agents.begin(), agents.end(), comes_first);
  const size_t most = std::min(kMostLines, agents.size());
  for (size_t i = 0; i < most; ++i)
    row(out, agents[i]->name, agents[i]->now, agents[i]->latency, agents[i]->approvals, currency);
  left_out(out, agents.size(), most);
  append_budgets(out, collected);
  return out;
}

}  // namespace reeve::report
