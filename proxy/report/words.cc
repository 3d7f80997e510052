// Tested by tests/proxy/report_test.cc.
#include "proxy/report/words.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/report/format.h"

namespace reeve::report {
namespace {

// Days whole, moments to the minute.
std::string between(const Range& range, const policy::Window& window) {
  const auto is_day = [&](policy::Time time) {
    return range.calendar.window(policy::Period::kDay, time).start == time;
  };
  if (is_day(window.start) && is_day(window.end)) {
    const std::string first = label_of(range, window.start);
    const std::string last = label_of(range, window.end - policy::Time::duration(1));
    return first == last ? first : fmt::format("{} to {}", first, last);
  }
  return fmt::format("{} to {}", label_of(range, window.start, true),
                     label_of(range, window.end, true));
}

std::string names_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

uint64_t active(const Tally& tally) {
  return static_cast<uint64_t>(std::count_if(tally.agents.begin(), tally.agents.end(),
                                             [](const Agent& agent) { return agent.now.calls; }));
}

std::string note(double now, double before, bool comparable) {
  const std::string text = comparable ? change(now, before) : "";
  return text.empty() || text == "new" ? text : text + " against before";
}

}  // namespace

std::string title_of(const Collector& collected) {
  const Range& range = collected.tally().range;
  return range.name.empty() ? between(range, range.now) : range.name;
}

std::string scope_of(const Collector& collected) {
  const Tally& tally = collected.tally();
  const Range& range = tally.range;
  std::string out = fmt::format("{} ({}), compared with {}.", between(range, range.now), range.zone,
                                between(range, range.before));
  const Filter& filter = collected.filter();
  if (!filter.agents.empty()) out += fmt::format(" Only of {}.", names_of(filter.agents));
  if (!filter.teams.empty()) out += fmt::format(" Only of team {}.", names_of(filter.teams));
  if (!collected.policy()) {
    out += " Made without a policy: budgets, and grants that nobody used, are not told.";
  }
  return out;
}

std::vector<std::string> sentences_of(const Collector& collected) {
  const Tally& tally = collected.tally();
  const Counts& now = tally.now;
  if (now.calls == 0) {
    return {"No agent made a call in this period.",
            tally.source.lines == 0 ? "The record has no line of this time."
                                    : "The record has lines of it, or of the time before."};
  }
  std::vector<std::string> out;
  out.push_back(fmt::format("{} made {}: {} of those answered succeeded, {} of all were denied.",
                            several(active(tally), "agent"), several(now.calls, "call"),
                            percent(part(now.succeeded, now.answered())),
                            percent(denial_rate(now))));
  std::string more;
  if (now.spent > 0)
    more = fmt::format("They spent {}. ", money(now.spent, currency_of(collected)));
  if (tally.approvals.asked > 0) {
    more += fmt::format("People were asked {} times and said yes to {} of what they answered. ",
                        count(tally.approvals.asked),
                        percent(part(tally.approvals.approved, tally.approvals.answered())));
  }
  if (tally.before.calls == 0) {
    more += "There is nothing in the period before to compare with.";
  } else {
    more += fmt::format("In the period before there were {}.", several(tally.before.calls, "call"));
  }
  out.push_back(more);
  return out;
}

std::vector<Figure> figures_of(const Collector& collected) {
  const Tally& tally = collected.tally();
  const Counts& now = tally.now;
  const Counts& before = tally.before;
  const bool comparable = before.calls > 0;
  const auto was = [&](std::string text) { return comparable ? text + " before" : std::string(); };
  std::vector<Figure> figures;
  figures.push_back({"Agents at work", count(active(tally)),
                     collected.policy()
                         ? fmt::format("of {} in the catalogue", count(tally.agents.size()))
                         : ""});
  figures.push_back(
      {"Calls", count(now.calls),
       note(static_cast<double>(now.calls), static_cast<double>(before.calls), comparable)});
  figures.push_back({"Succeeded", percent(part(now.succeeded, now.answered())),
                     was(percent(part(before.succeeded, before.answered())))});
  figures.push_back({"Failed", percent(error_rate(now)), was(percent(error_rate(before)))});
  figures.push_back({"Denied", percent(denial_rate(now)), was(percent(denial_rate(before)))});
  if (tally.latency.count() > 0) {
    const bool known = tally.latency_before.count() > 0;
    for (const auto& [name, part] : {std::pair{"Took, p50", 0.5}, {"Took, p95", 0.95}}) {
      figures.push_back({name, span(tally.latency.quantile(part)),
                         known ? span(tally.latency_before.quantile(part)) + " before" : ""});
    }
  }
  figures.push_back(
      {"Spent", money(now.spent, currency_of(collected)),
       note(static_cast<double>(now.spent), static_cast<double>(before.spent), comparable)});
  if (now.tokens > 0 || before.tokens > 0) {
    figures.push_back(
        {"Tokens", count(now.tokens),
         note(static_cast<double>(now.tokens), static_cast<double>(before.tokens), comparable)});
  }
  const Approvals& approvals = tally.approvals;
  figures.push_back({"Asked of people", count(approvals.asked),
                     fmt::format("{} of calls", percent(part(approvals.asked, now.calls)))});
  if (approvals.answered() > 0) {
    figures.push_back({"Approved", percent(part(approvals.approved, approvals.answered())),
                       approvals.wait.count() > 0
                           ? fmt::format("half within {}", span(approvals.wait.quantile(0.5)))
                           : ""});
  }
  return figures;
}

std::string currency_of(const Collector& collected) {
  return collected.policy() ? std::string(collected.policy()->currency()) : std::string();
}

}  // namespace reeve::report
