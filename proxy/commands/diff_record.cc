// See diff_record.h. Tested by tests/proxy/diff_test.cc.
#include "proxy/commands/diff_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>

#include "policy/json.h"
#include "proxy/audit/decided.h"
#include "proxy/audit/files.h"

namespace reeve::commands {
namespace {

constexpr size_t kMostGroups = 10'000;
constexpr size_t kMostOpen = 1'000'000;  // calls whose outcome has not come yet

std::string names_of(const policy::Possible& possible) {
  std::string names;
  for (const auto& [may, name] :
       {std::pair{possible.allow, "allow"}, {possible.ask, "ask"}, {possible.deny, "deny"}}) {
    if (may) names += (names.empty() ? "" : "|") + std::string(name);
  }
  return names;
}

std::string why_of(const policy::Possible& possible) {
  if (!possible.state.empty()) return std::string(possible.state);
  if (!possible.rule) return "by default";
  return fmt::format("{} ({})", possible.rule->id, to_string(possible.rule->at));
}

class Comparer {
 public:
  Comparer(const policy::Replay& replay, OtherwiseReport& report)
      : replay_(replay), report_(report) {}

  void read(std::string_view text) {
    const auto line = audit::read_line(text);
    if (!line) {
      ++report_.unread;
      return;
    }
    const bool decides = line->kind == "decision";
    if (!decides && (line->kind != "outcome" || open_.empty())) return;
    const auto members = parser_.parse(text);
    if (!members || !members->is_object()) {
      ++report_.unread;
    } else if (decides) {
      read_decision(*line, *members);
    } else {
      read_outcome(*members);
    }
  }

 private:
  void read_decision(const audit::Line& line, const json::Value& members) {
    const audit::Decided* decided = reader_.read(line, members);
    if (!decided || !decided->by_rules) {
      ++report_.left_out;
      return;
    }
    ++report_.replayed;
    const policy::Verdict was = decided->recorded.verdict;
    const policy::Possible possible = replay_.decide(decided->recorded);
    if (possible.certainly(was)) return;
    const bool certain = !possible.maybe(was);
    ++(certain ? report_.certain : report_.uncertain);
    const size_t group = group_of(*decided, possible, certain);
    OtherwiseGroup& into = report_.groups[group];
    if (into.calls++ == 0) {
      into.first = line.time;
      into.call = decided->id;
    }
    into.last = line.time;
    if (open_.size() < kMostOpen) open_.insert_or_assign(std::string(decided->id), group);
  }

  size_t group_of(const audit::Decided& decided, const policy::Possible& possible, bool certain) {
    const policy::Call& call = decided.recorded.call;
    OtherwiseGroup group;
    group.agent = decided.recorded.agent;
    group.upstream = call.upstream.empty() ? "-" : std::string(call.upstream);
    group.action = call.action;
    group.target = call.target;
    group.was = policy::to_string(decided.recorded.verdict);
    group.becomes = names_of(possible);
    group.why = why_of(possible);
    group.certain = certain;
    if (report_.groups.size() >= kMostGroups) group.target = "(others)";
    std::string key;
    for (const std::string* part : {&group.agent, &group.upstream, &group.action, &group.target,
                                    &group.was, &group.becomes, &group.why}) {
      key += *part + '\0';
    }
    const auto [known, is_new] = groups_.try_emplace(std::move(key), report_.groups.size());
    if (is_new) report_.groups.push_back(std::move(group));
    return known->second;
  }

  void read_outcome(const json::Value& members) {
    const auto id = members.find("call");
    if (!id || !id->is_string()) return;
    const auto open = open_.find(std::string(id->text(scratch_)));
    if (open == open_.end()) return;
    const auto cost = members.find("cost");
    const auto amount = cost ? policy::parse_decimal(cost->raw()) : std::nullopt;
    OtherwiseGroup& group = report_.groups[open->second];
    group.spent = policy::checked_add(group.spent, amount.value_or(0)).value_or(group.spent);
    open_.erase(open);
  }

  const policy::Replay& replay_;
  OtherwiseReport& report_;
  json::Parser parser_;
  audit::DecidedReader reader_;
  std::unordered_map<std::string, size_t> groups_;
  std::unordered_map<std::string, size_t> open_;  // calls that go otherwise, to their group
  std::string scratch_;
};

}  // namespace

bool compare_with_record(const std::vector<std::string>& files, const policy::Replay& replay,
                         OtherwiseReport& report) {
  Comparer comparer(replay, report);
  for (const std::string& file : files) {
    audit::LineReader reader;
    if (!reader.open(file)) {
      fmt::print(stderr, "reeve diff: `{}` cannot be read: {}\n", file,
                 std::strerror(reader.error()));
      return false;
    }
    reader.stop_at_end();
    for (std::string_view text; reader.next(text, false);) comparer.read(text);
  }
  std::sort(report.groups.begin(), report.groups.end(),
            [](const OtherwiseGroup& a, const OtherwiseGroup& b) {
              return std::tuple(!a.certain, ~a.calls, std::string_view(a.first), a.call) <
                     std::tuple(!b.certain, ~b.calls, std::string_view(b.first), b.call);
            });
  return true;
}

}  // namespace reeve::commands
