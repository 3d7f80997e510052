// See spend_record.h. Tested by tests/proxy/spend_command_test.cc.
#include "proxy/commands/spend_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "policy/json.h"
#include "proxy/audit/files.h"
#include "proxy/audit/line.h"

namespace reeve::commands {
namespace {

using policy::Micros;

// A sum that does not fit stays at the most: never less than was spent.
void add(Micros& sum, Micros amount) { sum = policy::checked_add(sum, amount).value_or(INT64_MAX); }

bool is_wanted(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
}

class Adder {
 public:
  Adder(const SpendFilter& filter, SpendSums& sums) : filter_(filter), sums_(sums) {}

  void take(std::string_view text) {
    const auto line = audit::read_line(text);
    if (!line) {
      ++sums_.unread;
      return;
    }
    const bool decides = line->kind == "decision";
    if (line->kind == "start") charge_open();
    // A call that was decided before may end after: it counts where it ends.
    if (!decides && line->time < filter_.since) return;
    if (line->time >= filter_.since && sums_.since.empty()) sums_.since = line->time;
    if (!decides && line->kind != "outcome") return;
    // Of what costs nothing and is under way nothing is known yet.
    if (decides && text.find("\"reserved\":") == text.npos) return;
    const auto members = parser_.parse(text);
    if (!members || !members->is_object()) {
      ++sums_.unread;
    } else if (decides) {
      decided(*line, *members);
    } else {
      ended(*members);
    }
  }

  void finish() {
    for (const auto& [id, call] : open_) {
      if (call.time < filter_.since) continue;
      book(call, [&](Spent& spent) {
        add(spent.reserved, call.reserved);
        ++spent.calls;
      });
    }
  }

 private:
  struct Call {
    std::string agent, team, upstream, time;
    Micros reserved = 0;
  };

  std::string text(const json::Value& members, std::string_view name) {
    const auto value = members.find(name);
    if (!value || !value->is_string()) return {};
    return std::string(value->text(scratch_));
  }

  Micros amount(const json::Value& members, std::string_view name) {
    const auto value = members.find(name);
    return value ? policy::parse_decimal(value->raw()).value_or(0) : 0;
  }

  uint64_t number(const json::Value& members, std::string_view name) {
    const auto value = members.find(name);
    uint64_t found = 0;
    if (value) {
      const std::string_view digits = value->raw();
      std::from_chars(digits.data(), digits.data() + digits.size(), found);
    }
    return found;
  }

  Call read(const json::Value& members) {
    return {text(members, "agent"), text(members, "team"), text(members, "upstream"), {}, 0};
  }

  void decided(const audit::Line& line, const json::Value& members) {
    Call call = read(members);
    call.time = line.time;
    call.reserved = amount(members, "reserved");
    if (wants(call)) open_.insert_or_assign(text(members, "call"), std::move(call));
  }

  void ended(const json::Value& members) {
    open_.erase(text(members, "call"));
    const Call call = read(members);
    const bool went_out = members.find("upstream_ms").has_value();
    if (!went_out || !wants(call)) return;
    book(call, [&](Spent& spent) {
      add(spent.cost, amount(members, "cost"));
      ++spent.calls;
      spent.tokens_in += number(members, "tokens_in");
      spent.tokens_out += number(members, "tokens_out");
    });
  }

  // The sidecar died: what became of them is not known, and charged in full.
  void charge_open() {
    for (const auto& [id, call] : open_) {
      if (call.time < filter_.since) continue;
      book(call, [&](Spent& spent) {
        add(spent.cost, call.reserved);
        ++spent.calls;
      });
    }
    open_.clear();
  }

  bool wants(const Call& call) const {
    return !call.agent.empty() && is_wanted(filter_.agents, call.agent) &&
           is_wanted(filter_.teams, call.team) && is_wanted(filter_.upstreams, call.upstream);
  }

  template <class Book>
  void book(const Call& call, Book&& book) {
    book(sums_.all);
    book(sums_.agents[call.agent]);
    book(sums_.teams[call.team]);
    book(sums_.upstreams[call.upstream.empty() ? "(forward proxy)" : call.upstream]);
  }

  const SpendFilter& filter_;
  SpendSums& sums_;
  json::Parser parser_;
  std::string scratch_;
  std::unordered_map<std::string, Call> open_;  // by call
};

// Whether nothing of a file can be wanted: the one behind it begins before `since`.
bool is_before(const std::string& next, const std::string& since) {
  audit::LineReader reader;
  std::string_view text;
  if (since.empty() || !reader.open(next) || !reader.next(text, false)) return false;
  const auto line = audit::read_line(text);
  return line && line->time < since;
}

}  // namespace

Result<SpendSums> sum_record(const std::vector<std::string>& files, const SpendFilter& filter) {
  SpendSums sums;
  Adder adder(filter, sums);
  for (size_t i = 0; i < files.size(); ++i) {
    if (i + 1 < files.size() && is_before(files[i + 1], filter.since)) continue;
    audit::LineReader reader;
    if (!reader.open(files[i])) {
      return Error{fmt::format("the record `{}` cannot be read: {}", files[i],
                               std::strerror(reader.error()))};
    }
    reader.stop_at_end();
    for (std::string_view text; reader.next(text, false);) adder.take(text);
  }
  adder.finish();
  return sums;
}

}  // namespace reeve::commands
