// The bounds stand at the head: below so many calls a rate says nothing. Tested by
// tests/proxy/report_test.cc.
#include "proxy/report/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "proxy/audit/line.h"
#include "proxy/clock.h"
#include "proxy/report/format.h"

namespace reeve::report {
namespace {

constexpr uint64_t kEnoughCalls = 20;
constexpr double kManyDenied = 0.10, kMostlyDenied = 0.30;
constexpr double kManyErrors = 0.10, kMostlyErrors = 0.30;
constexpr double kNearlyOut = 0.80;
constexpr double kSlower = 2;                    // p95 against that of before
constexpr uint64_t kSlowEnough = 1'000'000;      // of p95, µs
constexpr uint64_t kEnoughAnswers = 5;           // of people
constexpr uint64_t kSlowAnswer = 3'600'000'000;  // median, µs
constexpr uint64_t kQuickAnswer = 10'000'000;    // median, µs: hardly read
constexpr double kManyUnanswered = 0.20;
constexpr std::chrono::days kSoon{30};

// What a shell takes as one word without quotes.
bool is_plain(std::string_view text) {
  return !text.empty() && text[0] != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._@-:/").find(c) != std::string_view::npos;
  });
}

class Finder {
 public:
  explicit Finder(const Collector& collected)
      : collected_(collected), tally_(collected.tally()), policy_(collected.policy()) {
    begin_ = format_time(tally_.range.now.start);
    end_ = format_time(tally_.range.now.end);
  }

  std::vector<Finding> run() {
    for (const Agent& agent : tally_.agents) look_at(agent);
    look_at_budgets();
    look_at_grants();
    look_at_people();
    look_at_record();
    return chosen();
  }

 private:
  Finding& add(bool urgent, std::string_view topic, std::string_view subject, double size,
               std::string headline, std::string detail, std::string command = "") {
    found_.push_back({urgent, topic, std::string(subject), std::move(headline), std::move(detail),
                      std::move(command), size});
    return found_.back();
  }

  std::string query(const Agent& agent, std::string_view more) const {
    if (!is_plain(agent.name)) return "";
    return fmt::format("reeve audit query --agent {}{} --since {} --until {}", agent.name, more,
                       begin_, end_);
  }

  void look_at(const Agent& agent) {
    const Counts& now = agent.now;
    const double denied = denial_rate(now), errors = error_rate(now);
    if (now.calls >= kEnoughCalls && denied >= kManyDenied) {
      add(denied >= kMostlyDenied, "denials", agent.name, denied,
          fmt::format("{}: {} of {} calls were denied", agent.name, percent(denied),
                      count(now.calls)),
          fmt::format("Mostly {}; before {}. Either it tries what it should not, or its role lacks "
                      "what its work needs.",
                      main_reason(now), percent(denial_rate(agent.before))),
          query(agent, " --decision deny"));
    }
    if (now.answered() >= kEnoughCalls && errors >= kManyErrors) {
      add(errors >= kMostlyErrors, "errors", agent.name, errors,
          fmt::format("{}: {} of {} answered calls failed", agent.name, percent(errors),
                      count(now.answered())),
          fmt::format("Before {}. {}", percent(error_rate(agent.before)), worst_tool(agent)),
          query(agent, " --kind outcome"));
    }
    const uint64_t p95 = agent.latency.quantile(0.95), was = agent.latency_before.quantile(0.95);
    if (agent.latency.count() >= kEnoughCalls && agent.latency_before.count() >= kEnoughCalls &&
        p95 >= kSlowEnough && static_cast<double>(p95) >= kSlower * static_cast<double>(was)) {
      add(false, "latency", agent.name, static_cast<double>(p95),
          fmt::format("{}: one call in twenty takes {} or longer, {} before", agent.name, span(p95),
                      span(was)),
          "Its calls take longer than they did: see the systems that it uses.");
    }
    look_at_mix(agent);
    look_at_state(agent);
  }

  static std::string main_reason(const Counts& counts) {
    const auto most = std::max_element(counts.why.begin(), counts.why.end());
    return std::string(to_string(static_cast<Denied>(most - counts.why.begin())));
  }

  static std::string worst_tool(const Agent& agent) {
    const auto worst = std::max_element(
        agent.tools.begin(), agent.tools.end(),
        [](const auto& a, const auto& b) { return a.second.failed < b.second.failed; });
    if (worst == agent.tools.end() || worst->second.failed == 0) return "";
    return fmt::format("Most of them, {}, on {}.", count(worst->second.failed), worst->first);
  }

  void look_at_mix(const Agent& agent) {
    const Shift shift = shift_of(agent.tools);
    if (!shift.is_news()) return;
    const auto grew =
        std::max_element(agent.tools.begin(), agent.tools.end(), [&](const auto& a, const auto& b) {
          return growth(agent, a.second) < growth(agent, b.second);
        });
    add(false, "mix", agent.name, shift.size,
        fmt::format("{}: {} of its calls go elsewhere than before", agent.name,
                    percent(shift.size)),
        fmt::format("Most of all {}: {} of its calls now, {} before. Has its task changed, or has "
                    "it drifted from it?",
                    grew->first, percent(part(grew->second.calls, agent.now.calls)),
                    percent(part(grew->second.before, agent.before.calls))),
        query(agent, ""));
  }
  static double growth(const Agent& agent, const Tool& tool) {
    return part(tool.calls, agent.now.calls) - part(tool.before, agent.before.calls);
  }

  void look_at_state(const Agent& agent) {
    const uint64_t refused = agent.now.why[static_cast<size_t>(Denied::kState)];
    if (refused > 0) {
      add(true, "state", agent.name, static_cast<double>(refused),
          fmt::format("{}: called {} times while stopped, suspended, retired or expired",
                      agent.name, count(refused)),
          "Nothing got through, but something still runs under its name.",
          query(agent, " --decision deny"));
    }
    if (!policy_) return;
    const auto id = policy_->find_agent(agent.name);
    if (!id) {
      add(false, "catalogue", agent.name, static_cast<double>(agent.now.calls),
          fmt::format("{}: made calls, and is not in this policy", agent.name),
          "It was taken out of the catalogue meanwhile, or this is another fleet's policy.");
      return;
    }
    const policy::AgentInfo& info = policy_->agents()[*id];
    const auto expires = audit::read_time(info.expires + "T00:00:00.000000Z");
    if (info.status == "active" && expires && *expires >= tally_.range.now.end &&
        *expires < tally_.range.now.end + kSoon) {
      add(false, "expires", agent.name, -static_cast<double>(expires->time_since_epoch().count()),
          fmt::format("{}: expires on {}", agent.name, info.expires),
          fmt::format("{} has to renew it, or let it end.", info.owner));
    }
    if (info.status == "active" && agent.now.calls == 0) {
      add(false, "idle", agent.name, static_cast<double>(agent.before.calls),
          fmt::format("{}: made no call", agent.name),
          agent.before.calls > 0
              ? fmt::format("{} in the period before. Retire it if its work is done: what is not "
                            "there cannot be misused.",
                            several(agent.before.calls, "call"))
              : "Nor in the period before. Retire it: what is not there cannot be misused.");
    }
  }

  void look_at_budgets() {
    for (const BudgetState& state : budgets_of(collected_)) {
      const policy::AccountSpec& spec = *state.drawn->spec;
      const std::string what = fmt::format("{} ({})", spec.budget, spec.scope);
      const std::string limit =
          fmt::format("{} per {}", amount(spec.limit, state.unit), policy::to_string(spec.period));
      // A call that needs more than is left is refused before all is used.
      const auto told = tally_.warned.find({spec.budget, spec.scope});
      const uint64_t out = std::max<uint64_t>(state.drawn->full_windows,
                                              told == tally_.warned.end() ? 0 : told->second.spent);
      if (out > 0) {
        add(true, "budget", spec.budget, 2 + state.most,
            fmt::format("{}: used up{}", what, out == 1 ? "" : fmt::format(" {} times", out)),
            fmt::format("Its limit is {}. Calls beyond it were refused: raise it, or find out what "
                        "drew so much.",
                        limit));
      } else if (state.used >= kNearlyOut && state.open) {
        add(true, "budget", spec.budget, 1 + state.used,
            fmt::format("{}: {} of {} are used", what, percent(state.used), limit),
            fmt::format("Its window ends on {}.", label_of(tally_.range, state.drawn->window.end)));
      } else if (state.open && state.expected > 1) {
        add(false, "budget", spec.budget, state.expected,
            fmt::format("{}: {} of {} are used, and at this pace it will not last", what,
                        percent(state.used), limit),
            fmt::format("It would come to {} of the limit by {}.", percent(state.expected),
                        label_of(tally_.range, state.drawn->window.end)));
      } else if (state.most >= kNearlyOut) {
        add(false, "budget", spec.budget, state.most,
            fmt::format("{}: came to {} of {}", what, percent(state.most), limit),
            fmt::format("In the window from {} on.",
                        label_of(tally_.range, state.drawn->fullest.start)));
      }
    }
    if (policy_) return;
    for (const auto& [key, warned] : tally_.warned) {
      if (warned.spent == 0) continue;
      add(true, "budget", key.first, static_cast<double>(warned.spent),
          fmt::format("{} ({}): used up{}", key.first, key.second,
                      warned.spent == 1 ? "" : fmt::format(" {} times", warned.spent)),
          fmt::format("Its limit was {} {} at last.", warned.limit, warned.unit));
    }
  }

  void look_at_grants() {
    if (!collected_.usage() || !collected_.filter().empty() || tally_.now.calls == 0) return;
    size_t unused = 0, all = 0;
    std::string some;
    for (const auto& [rule, use] : collected_.usage()->grants()) {
      ++all;
      if (use->calls > 0) continue;
      if (++unused <= 3) some += (some.empty() ? "" : ", ") + rule->id;
    }
    if (unused == 0) return;
    add(false, "grants", "", static_cast<double>(unused),
        fmt::format("{} of {} were used by no call", unused, several(all, "grant")),
        fmt::format("{}{}. Access that nobody needs is access that an attacker gets for nothing.",
                    some, unused > 3 ? ", …" : ""),
        "reeve suggest");
  }

  void look_at_people() {
    const Approvals& all = tally_.approvals;
    if (all.wait.count() >= kEnoughAnswers && all.wait.quantile(0.5) >= kSlowAnswer) {
      add(false, "approvals", "", static_cast<double>(all.wait.quantile(0.5)),
          fmt::format("Half of the questions waited {} or longer for their answer",
                      span(all.wait.quantile(0.5))),
          "Agents stand still meanwhile: more approvers, or a rule for what is always allowed.");
    }
    if (all.answered() >= kEnoughAnswers && part(all.expired, all.answered()) >= kManyUnanswered) {
      add(true, "approvals", "", part(all.expired, all.answered()),
          fmt::format("{} of {} questions got no answer in time",
                      percent(part(all.expired, all.answered())), count(all.answered())),
          "No answer is a no. See who is asked, and whether it reaches them.");
    }
    for (const auto& [name, person] : tally_.people) {
      const uint64_t said = person.yes + person.no;
      if (said < 2 * kEnoughAnswers || person.wait.count() == 0 ||
          person.wait.quantile(0.5) >= kQuickAnswer || part(person.yes, said) < 0.95) {
        continue;
      }
      add(false, "approvals", name, static_cast<double>(said),
          fmt::format("{}: said yes to {} of {} questions, half of them within {}", name,
                      count(person.yes), count(said), span(person.wait.quantile(0.5))),
          "That is hardly time to read them. An approval nobody reads protects nothing.");
    }
  }

  void look_at_record() {
    if (tally_.lost > 0) {
      add(true, "record", "", 3, "Lines of the record are missing that had been sealed",
          "A start of the sidecar found it: see which, and restore them from a copy.",
          "reeve audit verify");
    }
    if (tally_.unrecorded > 0) {
      add(true, "record", "", 2,
          fmt::format("{} lines could not be recorded", count(tally_.unrecorded)),
          "Their calls were refused, as they must be. See to the disk, and its room.",
          fmt::format("reeve audit query --kind audit --since {} --until {}", begin_, end_));
    }
    if (tally_.drifted > 0) {
      add(false, "drift", "", static_cast<double>(tally_.drifted),
          fmt::format("Servers changed what they offer {} times", count(tally_.drifted)),
          "A changed tool is one that nobody has looked at yet.", "reeve pin UPSTREAM --check");
    }
    if (tally_.unproven >= 100) {
      add(false, "unproven", "", static_cast<double>(tally_.unproven),
          fmt::format("{} calls came from nobody that could prove to be an agent",
                      count(tally_.unproven)),
          "A forgotten token, or somebody who tries doors.",
          fmt::format("reeve audit query --decision unknown-agent --since {} --until {}", begin_,
                      end_));
    }
    if (tally_.now.overlooked > 0) {
      add(false, "report-mode", "", static_cast<double>(tally_.now.overlooked),
          fmt::format("{} calls were let through that the policy does not allow",
                      count(tally_.now.overlooked)),
          "It, or some of its rules, are in report mode: they record and refuse nothing.");
    }
  }

  // The largest of each topic, and how many more there are.
  std::vector<Finding> chosen() {
    std::sort(found_.begin(), found_.end(), [](const Finding& a, const Finding& b) {
      return std::tuple(!a.urgent, -a.size, std::string_view(a.headline)) <
             std::tuple(!b.urgent, -b.size, std::string_view(b.headline));
    });
    std::map<std::string_view, size_t> of_topic;
    std::vector<Finding> chosen;
    for (Finding& finding : found_) {
      if (++of_topic[finding.topic] <= kMostOfTopic) chosen.push_back(std::move(finding));
    }
    // Topics in the order of their first.
    std::map<std::pair<bool, std::string_view>, size_t> order;
    for (const Finding& finding : chosen)
      order.try_emplace({finding.urgent, finding.topic}, order.size());
    std::sort(chosen.begin(), chosen.end(), [&](const Finding& a, const Finding& b) {
      return std::tuple(order[{a.urgent, a.topic}], -a.size, std::string_view(a.headline)) <
             std::tuple(order[{b.urgent, b.topic}], -b.size, std::string_view(b.headline));
    });
    for (const auto& [topic, all] : of_topic) {
      if (all <= kMostOfTopic) continue;
      chosen.push_back({false, topic, "",
                        fmt::format("{}: {} more like these", topic, all - kMostOfTopic),
                        "The tables below have all of them.", "", 0});
    }
    return chosen;
  }

  const Collector& collected_;
  const Tally& tally_;
  const policy::PolicySet* policy_;
  std::string begin_, end_;
  std::vector<Finding> found_;
};

std::string_view unit_of(const policy::AccountSpec& spec) {
  if (spec.unit == policy::Unit::kMoney) return spec.currency;
  return spec.unit == policy::Unit::kCalls ? "calls" : "tokens";
}

}  // namespace

std::vector<Finding> findings_of(const Collector& collected) { return Finder(collected).run(); }

std::vector<BudgetState> budgets_of(const Collector& collected) {
  std::vector<BudgetState> budgets;
  if (!collected.drawn()) return budgets;
  const Tally& tally = collected.tally();
  const auto accounts = collected.drawn()->accounts();
  // What is known ends with the record, or with the period.
  const auto last = audit::read_time(tally.source.last_time);
  const policy::Time end = std::min(tally.range.now.end, last.value_or(tally.range.now.end));
  for (uint32_t i = 0; i < accounts.size(); ++i) {
    const policy::Drawn& drawn = accounts[i];
    const bool wanted =
        collected.filter().empty() ||
        std::any_of(tally.agents.begin(), tally.agents.end(), [&](const Agent& agent) {
          const auto id = collected.policy()->find_agent(agent.name);
          return id && collected.filter().wants(agent.name, agent.team) &&
                 collected.drawn()->covers(i, *id);
        });
    if (!wanted) continue;
    BudgetState state{&drawn, unit_of(*drawn.spec)};
    const auto limit = static_cast<double>(std::max<policy::Micros>(1, drawn.spec->limit));
    state.used = static_cast<double>(drawn.used) / limit;
    state.most = static_cast<double>(drawn.most) / limit;
    state.open = drawn.spec->period == policy::Period::kTotal || drawn.window.end > end;
    const auto gone = static_cast<double>((end - drawn.window.start).count());
    const auto whole = static_cast<double>((drawn.window.end - drawn.window.start).count());
    // A pace needs a tenth of the window to show.
    const bool shows = state.open && drawn.spec->period >= policy::Period::kWeek &&
                       drawn.spec->period != policy::Period::kTotal && gone >= whole / 10;
    state.expected = shows ? state.used * whole / gone : state.used;
    budgets.push_back(state);
  }
  std::sort(budgets.begin(), budgets.end(), [](const auto& a, const auto& b) {
    return std::pair(-std::max(a.used, a.most), a.drawn) <
           std::pair(-std::max(b.used, b.most), b.drawn);
  });
  return budgets;
}

}  // namespace reeve::report
