// The tables of a report's page. Tested by tests/proxy/report_page_test.cc.
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "proxy/clock.h"
#include "proxy/report/charts.h"
#include "proxy/report/format.h"
#include "proxy/report/page.h"
#include "proxy/report/words.h"

namespace reeve::report {
namespace {

constexpr double kHigh = 0.1;  // rates from here on stand out

struct Column {
  std::string_view name;
  bool is_text = false;
};

// `caption` and `note` are the page's own words, or escaped.
void open_table(std::string& out, std::string_view caption, std::string_view note,
                std::initializer_list<Column> columns) {
  out += fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\"><table>\n"
      "<caption>{}{}</caption>\n<thead><tr>",
      caption, caption, note.empty() ? "" : fmt::format("<small>{}</small>", note));
  for (const Column& column : columns) {
    out += fmt::format("<th scope=\"col\"{}>{}</th>", column.is_text ? " class=\"text\"" : "",
                       column.name);
  }
  out += "</tr></thead>\n<tbody>\n";
}

void close_table(std::string& out, size_t left_out = 0) {
  out += "</tbody></table></div>\n";
  if (left_out > 0)
    out += fmt::format("<p class=\"soft\">{} more are left out here; --json has all.</p>\n",
                       count(left_out));
}

void open_section(std::string& out, std::string_view id, std::string_view name) {
  out += fmt::format("<section id=\"{}\" aria-labelledby=\"{}-h\">\n<h2 id=\"{}-h\">{}</h2>\n", id,
                     id, id, name);
}

void head(std::string& out, std::string_view name, std::string_view below = "") {
  out += fmt::format("<tr><th scope=\"row\">{}{}</th>", html(name.empty() ? "(none)" : name),
                     below.empty() ? "" : fmt::format("<small>{}</small>", html(below)));
}
void cell(std::string& out, std::string_view safe) { out += fmt::format("<td>{}</td>", safe); }
void words(std::string& out, std::string_view text) {
  out += fmt::format("<td class=\"text\">{}</td>", html(text, 400));
}
void rate(std::string& out, double part, uint64_t of) {
  if (of == 0) return cell(out, "–");
  out += fmt::format("<td{}>{}</td>", part >= kHigh ? " class=\"high\"" : "", percent(part));
}
void took(std::string& out, const Latency& latency, double part) {
  cell(out, latency.count() > 0 ? span(latency.quantile(part)) : "–");
}
std::string or_dash(uint64_t number) { return number == 0 ? "–" : count(number); }

// What agents and teams have in common.
void count_cells(std::string& out, const Counts& now, const Latency& latency,
                 const Approvals& approvals, std::string_view currency) {
  rate(out, error_rate(now), now.answered());
  rate(out, denial_rate(now), now.calls);
  took(out, latency, 0.5);
  took(out, latency, 0.95);
  cell(out, now.spent > 0 ? money(now.spent, currency) : "–");
  cell(out, approvals.asked == 0 && approvals.answered() == 0
                ? "–"
                : fmt::format("{} / {}", count(approvals.asked), count(approvals.approved)));
}

void append_details(std::string& out, const Agent& agent, std::string_view currency) {
  const auto tools = by_calls(agent.tools);
  constexpr size_t kMost = 25;
  const std::string name = html(agent.name);
  out += fmt::format("<details><summary>What {} used: {}</summary>\n", name,
                     several(tools.size(), "tool"));
  open_table(
      out, "Tools of " + name, "",
      {{"Tool", true}, {"Calls"}, {"Part"}, {"Part before"}, {"Failed"}, {"Denied"}, {"Spent"}});
  for (size_t i = 0; i < std::min(kMost, tools.size()); ++i) {
    const Tool& tool = *tools[i].second;
    head(out, tools[i].first);
    cell(out, count(tool.calls));
    cell(out, percent(part(tool.calls, agent.now.calls)));
    cell(out, agent.before.calls > 0 ? percent(part(tool.before, agent.before.calls)) : "–");
    cell(out, or_dash(tool.failed));
    cell(out, or_dash(tool.denied));
    cell(out, tool.spent > 0 ? money(tool.spent, currency) : "–");
    out += "</tr>\n";
  }
  close_table(out, tools.size() - std::min(kMost, tools.size()));
  out += "</details>\n";
}

}  // namespace

void append_budgets(std::string& out, const Collector& collected) {
  open_section(out, "budgets", "Budgets");
  const Tally& tally = collected.tally();
  if (!collected.policy()) {
    out += "<p>Made without a policy, so limits are not known. The record's own lines say:</p>\n";
    open_table(out, "Budgets that warned or were used up", "By the record's lines",
               {{"Budget", true}, {"Of", true}, {"Warned"}, {"Used up"}, {"Limit at last"}});
    for (const auto& [key, warned] : tally.warned) {
      head(out, key.first);
      words(out, key.second);
      cell(out, or_dash(warned.warned));
      cell(out, or_dash(warned.spent));
      cell(out, html(warned.limit + " " + warned.unit));
      out += "</tr>\n";
    }
    close_table(out);
    out += "</section>\n";
    return;
  }
  const auto budgets = budgets_of(collected);
  if (budgets.empty()) {
    out += "<p>The policy has no budget for these agents.</p>\n</section>\n";
    return;
  }
  constexpr size_t kMost = 60;
  open_table(out, "Spend against budgets",
             "The fullest first. Expected: at the end of a window that is not over, at its pace so "
             "far",
             {{"Budget", true},
              {"Of", true},
              {"Limit"},
              {"Used in the last window"},
              {"Expected"},
              {"Most in a window"},
              {"Used up"}});
  for (size_t i = 0; i < std::min(kMost, budgets.size()); ++i) {
    const BudgetState& state = budgets[i];
    const policy::Drawn& drawn = *state.drawn;
    head(out, drawn.spec->budget, drawn.at_most ? "at most: it has a condition" : "");
    words(out, drawn.spec->scope);
    cell(out, fmt::format("{} per {}", amount(drawn.spec->limit, state.unit),
                          policy::to_string(drawn.spec->period)));
    cell(out, fmt::format("{}{} ({})", meter_of(state.used), percent(state.used),
                          amount(drawn.used, state.unit)));
    cell(out, state.open && state.expected > 1.01 * state.used ? percent(state.expected) : "–");
    cell(out, drawn.calls > 0 ? fmt::format("{} from {}", percent(state.most),
                                            label_of(tally.range, drawn.fullest.start))
                              : "–");
    cell(out, or_dash(drawn.full_windows));
    out += "</tr>\n";
  }
  close_table(out, budgets.size() - std::min(kMost, budgets.size()));
  out += "</section>\n";
}

void append_people(std::string& out, const Collector& collected) {
  open_section(out, "people", "Approvals");
  const Tally& tally = collected.tally();
  const Approvals& all = tally.approvals;
  if (all.asked == 0 && all.answered() == 0) {
    out += "<p>No call needed a yes of people.</p>\n</section>\n";
    return;
  }
  out += fmt::format(
      "<p>People were asked {} times. Of {} that ended, {} were approved, {} denied, and {} got no "
      "answer in time.{}</p>\n",
      count(all.asked), several(all.answered(), "question"), count(all.approved), count(all.denied),
      count(all.expired),
      all.wait.count() > 0
          ? fmt::format(" Half of them waited no longer than {}, 95 of 100 no "
                        "longer than {}.",
                        span(all.wait.quantile(0.5)), span(all.wait.quantile(0.95)))
          : "");
  if (!tally.people.empty()) {
    open_table(out, "Who answered", "",
               {{"Person", true}, {"Answers"}, {"Yes"}, {"Half within"}, {"95 of 100 within"}});
    for (const auto& [name, person] : tally.people) {
      head(out, name);
      cell(out, count(person.yes + person.no));
      cell(out, percent(part(person.yes, person.yes + person.no)));
      took(out, person.wait, 0.5);
      took(out, person.wait, 0.95);
      out += "</tr>\n";
    }
    close_table(out);
  }
  out += "</section>\n";
}

void append_agents(std::string& out, const Collector& collected) {
  open_section(out, "agents", "Agents");
  const Tally& tally = collected.tally();
  const std::string currency = currency_of(collected);
  std::vector<const Agent*> agents;
  for (const Agent& agent : tally.agents) agents.push_back(&agent);
  std::sort(agents.begin(), agents.end(), comes_first);
  const size_t shown = std::min(kMostRows, agents.size());
  open_table(
      out, "Each agent, by its calls",
      "Asked / yes: questions to people, and approvals. Grants: rules that it used, of those "
      "that it has",
      {{"Agent", true},
       {"Calls"},
       {"Change"},
       {"Over time", true},
       {"Failed"},
       {"Denied"},
       {"p50"},
       {"p95"},
       {"Spent"},
       {"Asked / yes"},
       {"Shift"},
       {"Grants"}});
  for (size_t i = 0; i < shown; ++i) {
    const Agent& agent = *agents[i];
    head(out, agent.name,
         agent.owner.empty() ? agent.team : fmt::format("{} · {}", agent.team, agent.owner));
    cell(out, or_dash(agent.now.calls));
    cell(out, tally.before.calls == 0 ? "–"
                                      : change(static_cast<double>(agent.now.calls),
                                               static_cast<double>(agent.before.calls)));
    cell(out, spark_of(agent.parts, "calls over time"));
    count_cells(out, agent.now, agent.latency, agent.approvals, currency);
    const Shift shift = shift_of(agent.tools);
    out += fmt::format("<td{}>{}</td>", shift.is_news() ? " class=\"high\"" : "",
                       shift.comparable ? percent(shift.size) : "–");
    const auto id = collected.policy() ? collected.policy()->find_agent(agent.name) : std::nullopt;
    if (id) {
      const auto held = collected.usage()->held_by(*id);
      cell(out, fmt::format("{} of {}", held.used, held.grants));
    } else {
      cell(out, "–");
    }
    out += "</tr>\n";
  }
  close_table(out, agents.size() - shown);
  size_t detailed = 0;
  for (const Agent* agent : agents) {
    if (agent->now.calls == 0 || ++detailed > kMostDetailed) break;
    append_details(out, *agent, currency);
  }
  if (agents.size() > kMostDetailed) {
    out +=
        "<p class=\"soft\">Tools of the other agents: <code>reeve report --agent NAME</code>.</p>"
        "\n";
  }
  out += "</section>\n";
}

void append_teams(std::string& out, const Collector& collected) {
  open_section(out, "teams", "Teams");
  const std::string currency = currency_of(collected);
  open_table(out, "Each team", "Asked / yes: questions to people, and approvals",
             {{"Team", true},
              {"Agents"},
              {"Calls"},
              {"Change"},
              {"Failed"},
              {"Denied"},
              {"p50"},
              {"p95"},
              {"Spent"},
              {"Asked / yes"}});
  for (const Team& team : collected.tally().teams) {
    head(out, team.name);
    cell(out, count(team.agents));
    cell(out, or_dash(team.now.calls));
    cell(out, collected.tally().before.calls == 0 ? "–"
                                                  : change(static_cast<double>(team.now.calls),
                                                           static_cast<double>(team.before.calls)));
    count_cells(out, team.now, team.latency, team.approvals, currency);
    out += "</tr>\n";
  }
  close_table(out);
  out += "</section>\n";
}

void append_tools(std::string& out, const Collector& collected) {
  open_section(out, "tools", "Tools and systems");
  const Tally& tally = collected.tally();
  const std::string currency = currency_of(collected);
  open_table(out, "Each system that was called", "Of calls that were let through",
             {{"System", true}, {"Answered"}, {"Failed"}, {"p50"}, {"p95"}, {"Spent"}});
  for (const auto& [name, system] : tally.systems) {
    head(out, name);
    cell(out, count(system.now.answered()));
    rate(out, error_rate(system.now), system.now.answered());
    took(out, system.latency, 0.5);
    took(out, system.latency, 0.95);
    cell(out, system.now.spent > 0 ? money(system.now.spent, currency) : "–");
    out += "</tr>\n";
  }
  close_table(out);
  if (!tally.errors.empty()) {
    open_table(out, "What went wrong", "The status of the answer, or why there was none",
               {{"Kind", true}, {"Calls"}});
    for (const auto& [what, calls] : tally.errors) {
      head(out, what);
      cell(out, count(calls));
      out += "</tr>\n";
    }
    close_table(out);
  }
  constexpr size_t kMost = 40;
  const auto tools = by_calls(tally.tools);
  open_table(
      out, "The tools that were called most", "Numbers in paths are shown as *",
      {{"Tool", true}, {"Calls"}, {"Part"}, {"Part before"}, {"Failed"}, {"Denied"}, {"Spent"}});
  for (size_t i = 0; i < std::min(kMost, tools.size()); ++i) {
    const Tool& tool = *tools[i].second;
    head(out, tools[i].first);
    cell(out, count(tool.calls));
    cell(out, percent(part(tool.calls, tally.now.calls)));
    cell(out, tally.before.calls > 0 ? percent(part(tool.before, tally.before.calls)) : "–");
    cell(out, or_dash(tool.failed));
    cell(out, or_dash(tool.denied));
    cell(out, tool.spent > 0 ? money(tool.spent, currency) : "–");
    out += "</tr>\n";
  }
  close_table(out, tools.size() - std::min(kMost, tools.size()));
  if (!tally.found.empty()) {
    open_table(out, "What guards found",
               "In arguments and answers; where it was, it was redacted "
               "or kept back as the policy says",
               {{"Guard and kind", true}, {"Times"}});
    for (const auto& [what, times] : tally.found) {
      head(out, what);
      cell(out, count(times));
      out += "</tr>\n";
    }
    close_table(out);
  }
  out += "</section>\n";
}

void append_refusals(std::string& out, const Collector& collected) {
  open_section(out, "refusals", "Refusals");
  const Tally& tally = collected.tally();
  if (tally.now.denied == 0) {
    out += "<p>No call was denied.</p>\n</section>\n";
    return;
  }
  open_table(out, "Why calls were denied", "", {{"Reason", true}, {"Calls"}, {"Of all denied"}});
  for (size_t i = 0; i < kDeniedKinds; ++i) {
    const uint64_t calls = tally.now.why[i];
    if (calls == 0) continue;
    head(out, to_string(static_cast<Denied>(i)));
    cell(out, count(calls));
    cell(out, meter_of(part(calls, tally.now.denied), 2) + percent(part(calls, tally.now.denied)));
    out += "</tr>\n";
  }
  close_table(out);
  constexpr size_t kMost = 30;
  open_table(out, "Rules, budgets and limits that denied most", "",
             {{"What", true},
              {"Reason", true},
              {"Calls"},
              {"Agents"},
              {"Most by", true},
              {"Because", true}});
  for (size_t i = 0; i < std::min(kMost, tally.refusals.size()); ++i) {
    const Refusal& refusal = tally.refusals[i];
    head(out, refusal.rule.empty() ? "(no rule)" : refusal.rule, refusal.at);
    words(out, to_string(refusal.why));
    cell(out, count(refusal.calls));
    cell(out, count(refusal.agents.size()));
    const auto most =
        std::max_element(refusal.agents.begin(), refusal.agents.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    words(out, most == refusal.agents.end()
                   ? ""
                   : fmt::format("{} ({})", tally.agents[most->first].name, count(most->second)));
    words(out, refusal.because);
    out += "</tr>\n";
  }
  close_table(out, tally.refusals.size() - std::min(kMost, tally.refusals.size()));
  out += "</section>\n";
}

void append_grants(std::string& out, const Collector& collected) {
  open_section(out, "grants", "Grants that nobody used");
  if (!collected.usage()) {
    out += "<p>Made without a policy, so grants are not known.</p>\n</section>\n";
    return;
  }
  if (!collected.filter().empty()) {
    out +=
        "<p>A grant may be used by others than those that this report is of: only a report of "
        "all agents tells those that nobody used.</p>\n</section>\n";
    return;
  }
  out +=
      "<p>A quiet period is no proof that a grant is not needed. <code>reeve suggest</code> "
      "writes the tightest policy that still allows what was seen.</p>\n";
  open_table(out, "Rules of which some or all was used by no call", "",
             {{"Rule", true}, {"Unused", true}, {"Calls by the rest"}, {"Last"}});
  size_t rows = 0;
  for (const auto& [rule, use] : collected.usage()->grants()) {
    const auto patterns = collected.usage()->unused_patterns(*rule);
    if (use->calls > 0 && patterns.empty()) continue;
    if (++rows > kMostRows) continue;
    head(out, rule->id, to_string(rule->at));
    words(out, use->calls == 0 ? "the whole rule" : fmt::format("{}", fmt::join(patterns, ", ")));
    cell(out, use->calls == 0 ? "–" : "some");
    cell(out, use->calls == 0 ? "–" : label_of(collected.tally().range, use->last));
    out += "</tr>\n";
  }
  close_table(out, rows - std::min(rows, kMostRows));
  out += "</section>\n";
}

void append_record(std::string& out, const Collector& collected) {
  open_section(out, "record", "The record");
  const Tally& tally = collected.tally();
  const Source& source = tally.source;
  if (source.lines == 0) {
    out += "<p>It has no line of this time.</p>\n</section>\n";
    return;
  }
  out += fmt::format(
      "<p>Made of {}, from number {} ({}) to number {} ({}), whose hash is <code>{}</code>. That "
      "the record is whole and was not changed is not checked here: <code>reeve audit "
      "verify</code> does.</p>\n",
      several(source.lines, "line"), source.first_seq, html(source.first_time), source.last_seq,
      html(source.last_time), html(source.last_hash));
  out += fmt::format(
      "<p>Besides calls, agents made {} that their protocols need (not counted "
      "above); {} came from nobody that could prove to be an agent.</p>\n",
      several(tally.protocol, "request"), several(tally.unproven, "call"));
  open_table(out, "Policies that decided",
             collected.policy()
                 ? fmt::format("Budgets and grants above are by {}", collected.policy()->sha256())
                 : std::string(),
             {{"Policy (SHA-256)", true}, {"First call"}, {"Last call"}, {"Calls"}});
  for (const PolicyVersion& version : tally.policies) {
    head(out, version.sha256);
    cell(out, label_of(tally.range, version.first, true));
    cell(out, label_of(tally.range, version.last, true));
    cell(out, count(version.calls));
    out += "</tr>\n";
  }
  close_table(out);
  if (!tally.kinds.empty()) {
    open_table(out, "Other lines of the record", "", {{"Kind", true}, {"Lines"}});
    for (const auto& [kind, lines] : tally.kinds) {
      head(out, kind);
      cell(out, count(lines));
      out += "</tr>\n";
    }
    close_table(out);
  }
  out += "</section>\n";
}

}  // namespace reeve::report
