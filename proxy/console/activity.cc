// What agents did lately, read off the record without a JSON parser: a million lines take a second.
// Tested by tests/proxy/console_test.cc and tests/e2e/console_test.mjs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include "policy/money.h"
#include "policy/query.h"
#include "policy/text.h"
#include "proxy/audit/backward.h"
#include "proxy/audit/line.h"
#include "proxy/audit/query.h"
#include "proxy/clock.h"
#include "proxy/console/record_search.h"

namespace reeve::console {
namespace {

constexpr size_t kSteps = 60;
constexpr size_t kMostNames = 5000;  // of agents, and of rules; a record knows only proven agents
constexpr std::chrono::seconds kLongest{2};
constexpr std::chrono::hours kUsual{1}, kMost{24 * 31};

// The digits of a number member; `name` is `,"cost":`.
std::string_view raw_number(std::string_view members, std::string_view name) {
  const size_t at = members.find(name);
  if (at == std::string_view::npos) return {};
  members.remove_prefix(at + name.size());
  return members.substr(0, members.find_first_not_of("0123456789."));
}

struct Row {
  std::array<uint64_t, kSteps> allowed{}, refused{};
  std::array<policy::Micros, kSteps> spent{};
  std::string last;
};
struct Use {
  uint64_t count = 0;
  std::string last;
};

class Activity {
 public:
  Activity(policy::Time from, policy::Time until) : from_(from), until_(until) {}

  // False: it is from before.
  bool add(std::string_view text) {
    const auto line = audit::read_line(text);
    if (!line) return true;
    const bool decided = line->kind == "decision";
    if (!decided && line->kind != "outcome") return true;
    const auto time = audit::read_time(line->time);
    if (!time || *time >= until_) return true;
    if (*time < from_) return false;
    const size_t step = std::min<size_t>(
        static_cast<size_t>((*time - from_) * static_cast<int64_t>(kSteps) / (until_ - from_)),
        kSteps - 1);
    const std::string_view agent = audit::raw_member(line->members, ",\"agent\":\"");
    Row* const row = agent.empty() ? nullptr : entry(agents_, agent);
    if (!decided) {
      const auto cost = policy::parse_decimal(raw_number(line->members, ",\"cost\":"));
      if (row && cost) row->spent[step] = policy::checked_add(row->spent[step], *cost).value_or(0);
      return true;
    }
    const bool allowed = audit::raw_member(line->members, ",\"decision\":\"") == "allow";
    if (row) {
      ++(allowed ? row->allowed : row->refused)[step];
      if (row->last.empty()) row->last = line->time;
    }
    const std::string_view rule = audit::raw_member(line->members, ",\"rule\":\"");
    if (Use* const use = rule.empty() ? nullptr : entry(rules_, rule)) {
      ++use->count;
      if (use->last.empty()) use->last = line->time;
    } else if (audit::raw_member(line->members, ",\"reason\":\"") == "default") {
      ++by_default_;
    }
    return true;
  }

  std::string json(policy::Time from, bool complete) const {
    std::string out;
    const auto to = std::back_inserter(out);
    fmt::format_to(to, R"({{"from":"{}","until":"{}","complete":{},"agents":[)", format_time(from),
                   format_time(until_), complete);
    const char* comma = "";
    for (const auto& [agent, row] : agents_) {
      std::string spent;
      for (const policy::Micros amount : row.spent) {
        spent += (spent.empty() ? "" : ",") + policy::format_decimal(amount);
      }
      // Names are as JSON has them.
      fmt::format_to(
          to, R"({}{{"agent":"{}","allowed":[{}],"refused":[{}],"spent":[{}],"last":"{}"}})", comma,
          agent, fmt::join(row.allowed, ","), fmt::join(row.refused, ","), spent, row.last);
      comma = ",";
    }
    out += "],\"rules\":[";
    comma = "";
    for (const auto& [rule, use] : rules_) {
      fmt::format_to(to, R"({}{{"rule":"{}","count":{},"last":"{}"}})", comma, rule, use.count,
                     use.last);
      comma = ",";
    }
    fmt::format_to(to, "],\"by_default\":{}}}", by_default_);
    return out;
  }

 private:
  template <class T>
  using Names = std::map<std::string, T, std::less<>>;

  template <class T>
  static T* entry(Names<T>& names, std::string_view name) {
    const auto found = names.find(name);
    if (found != names.end()) return &found->second;
    if (names.size() >= kMostNames) return nullptr;
    return &names.emplace(std::string(name), T{}).first->second;
  }

  const policy::Time from_, until_;
  Names<Row> agents_;
  Names<Use> rules_;
  uint64_t by_default_ = 0;
};

}  // namespace

AdminReply read_activity(const std::string& audit_path, std::string_view query, policy::Time now) {
  policy::Time from = now - kUsual;
  policy::QueryReader parameter(query);
  while (parameter.next()) {
    if (!parameter.name_is("since")) return {400, "known is since, such as 24h"};
    const auto bound = audit::read_bound(parameter.value(), now);
    const auto time = bound ? audit::read_time(*bound) : std::nullopt;
    if (!time || *time >= now || *time < now - kMost) {
      return {400, fmt::format("`since` is no time of the last 31 days: `{}`",
                               policy::shown(parameter.value()))};
    }
    from = *time;
  }
  std::string since;
  append_time(since, from);
  const Steady deadline = steady_now() + kLongest;
  Activity activity(from, now);
  policy::Time reached = now;
  bool over = false;
  const bool whole = audit::read_backward(
      audit_path,
      {.wants =
           [&](const audit::Index::Block& block) {
             return std::string_view(block.last.data(), kTimeBytes) >= since;
           },
       .block =
           [&](std::string_view text) {
             over = !audit::each_line_backward(
                 text, [&](std::string_view line) { return activity.add(line); });
             const auto first = audit::read_line(text.substr(0, text.find('\n')));
             if (const auto time = first ? audit::read_time(first->time) : std::nullopt) {
               reached = std::min(reached, *time);
             }
             return !over && steady_now() < deadline;
           },
       .before = 0});
  const bool complete = whole || over;
  return {200, activity.json(complete ? from : reached, complete)};
}

}  // namespace reeve::console
