// Tested by tests/proxy/console_test.cc and tests/e2e/console_test.mjs.
#include "proxy/console/record_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/json.h"
#include "policy/query.h"
#include "policy/text.h"
#include "proxy/audit/backward.h"
#include "proxy/audit/query.h"
#include "proxy/audit/scan.h"
#include "proxy/clock.h"

namespace reeve::console {
namespace {

constexpr uint64_t kUsualLimit = 100, kMostLines = 500;
constexpr size_t kMostBytes = 4 * 1024 * 1024;
constexpr size_t kLongestValue = 1024;
constexpr std::chrono::seconds kLongest{3};

// Parameters that are the members of lines.
constexpr std::pair<std::string_view, std::string_view> kMembers[] = {
    {"agent", "agent"}, {"team", "team"},     {"upstream", "upstream"}, {"target", "target"},
    {"tool", "target"}, {"action", "action"}, {"decision", "decision"}, {"reason", "reason"},
    {"rule", "rule"},   {"call", "call"},     {"kind", "kind"},         {"approval", "approval"},
};

struct Search {
  audit::Query query;
  uint64_t limit = kUsualLimit;
  uint64_t before = 0;  // 0: none
};

bool read_number(std::string_view text, uint64_t& value) {
  audit::Scan scan(text);
  scan.number(value);
  return scan.ok() && scan.rest().empty() && value > 0;
}

bool add_wanted(audit::Query& query, const policy::QueryReader& parameter) {
  for (const auto& [name, member] : kMembers) {
    if (!parameter.name_is(name)) continue;
    const auto same = std::find_if(query.wanted.begin(), query.wanted.end(),
                                   [named = member](const auto& w) { return w.name == named; });
    std::string value(parameter.value());
    if (same != query.wanted.end()) {
      same->values.push_back(std::move(value));
    } else {
      query.wanted.push_back({std::string(member), {std::move(value)}});
    }
    return true;
  }
  return false;
}

// An error is a sentence for who asked.
Result<Search> read_search(std::string_view text, policy::Time now) {
  Search search;
  policy::QueryReader parameter(text);
  while (parameter.next()) {
    const std::string_view value = parameter.value();
    if (value.size() > kLongestValue) return Error{"a parameter is longer than 1024 bytes"};
    if (value.empty() || add_wanted(search.query, parameter)) continue;
    if (parameter.name_is("since") || parameter.name_is("until")) {
      const auto bound = audit::read_bound(value, now);
      if (!bound) {
        return Error{fmt::format("`{}` is no time such as 2026-11-22T09:30:00Z, 2026-11-22 or 2h",
                                 policy::shown(value))};
      }
      (parameter.name_is("since") ? search.query.since : search.query.until) = *bound;
    } else if (parameter.name_is("text")) {
      // As it stands in a line: escaped, without its quotes.
      std::string escaped;
      json::append_string(escaped, value);
      search.query.text = escaped.substr(1, escaped.size() - 2);
    } else if (parameter.name_is("limit")) {
      if (!read_number(value, search.limit)) return Error{"`limit` is no number of lines"};
      search.limit = std::min(search.limit, kMostLines);
    } else if (parameter.name_is("before")) {
      if (!read_number(value, search.before)) return Error{"`before` is no seq"};
    } else {
      return Error{
          "known are agent, team, upstream, target, tool, action, decision, reason, rule, call, "
          "kind, approval, since, until, text, limit and before"};
    }
  }
  if (parameter.malformed()) return Error{"the query is malformed"};
  return search;
}

// The first line of a block of whole lines, which outlives it.
std::optional<audit::Line> first_line(std::string_view text) {
  return audit::read_line(text.substr(0, text.find('\n')));
}

}  // namespace

AdminReply search_record(const std::string& audit_path, std::string_view query, policy::Time now) {
  auto search = read_search(query, now);
  if (!search) return {400, search.error().message};
  const Steady deadline = steady_now() + kLongest;
  audit::Searcher searcher(search->query);
  std::string lines;
  uint64_t found = 0, reached = search->before;
  const auto keep = [&](const audit::Match& match) {
    if (search->before != 0 && match.line.seq >= search->before) return true;
    if (found++ > 0) lines += ',';
    lines += match.text;
    reached = match.line.seq;
    return found < search->limit && lines.size() < kMostBytes;
  };
  const bool complete = audit::read_backward(
      audit_path,
      {.wants = [&](const audit::Index::Block& block) { return searcher.may_match(block); },
       .block =
           [&](std::string_view text) {
             const auto first = first_line(text);
             if (search->before != 0 && first && first->seq >= search->before) return true;
             if (!searcher.search_block_backward(text, keep)) return false;
             if (first) reached = first->seq;
             return steady_now() < deadline;
           },
       .before = search->before});
  std::string out = fmt::format("{{\"lines\":[{}],\"complete\":{}", lines, complete);
  if (!complete && reached > 1) out += fmt::format(",\"next\":{}", reached);
  return {200, out + "}"};
}

}  // namespace reeve::console
