#include "proxy/commands/audit_filter.h"

#include <fmt/format.h>

#include <utility>

#include "policy/diagnostic.h"
#include "proxy/audit/scan.h"
#include "proxy/clock.h"

namespace reeve::commands {
namespace {

// Option and member.
constexpr std::pair<std::string_view, std::string_view> kMembers[] = {
    {"--agent", "agent"},   {"--team", "team"},   {"--upstream", "upstream"},
    {"--target", "target"}, {"--tool", "target"}, {"--decision", "decision"},
    {"--reason", "reason"}, {"--rule", "rule"},   {"--call", "call"},
    {"--kind", "kind"},
};

const std::vector<std::string> kDecisions = {"allow", "deny", "malformed", "unknown-agent"};
const std::vector<std::string> kKinds = {"decision", "outcome",  "start",  "stop",  "policy",
                                         "agent",    "approval", "budget", "admin", "audit"};

bool is_one_of(const char* command, std::string_view option, const std::string& value,
               const std::vector<std::string>& known) {
  for (const std::string& one : known) {
    if (one == value) return true;
  }
  const std::string near = nearest(value, known);
  usage_error(command, near.empty() ? fmt::format("`{}` is no value of `{}`; write one of {}",
                                                  value, option, fmt::join(known, ", "))
                                    : fmt::format("`{}` is no value of `{}`; did you mean `{}`?",
                                                  value, option, near));
  return false;
}

}  // namespace

std::vector<Option> with_filters(std::initializer_list<Option> own) {
  std::vector<Option> options = {
      {"-c", "reeve.yaml",
       "the configuration that says where the record is (./reeve.yaml without)"},
      {"--agent", "A", "of this agent; each of these may be repeated: any of them", true},
      {"--team", "T", "of this team", true},
      {"--upstream", "U", "to this upstream", true},
      {"--target", "T", "tool, path, URI or host:port; `*` stands for any text", true},
      {"--tool", "T", "the same", true},
      {"--decision", "D", "allow, deny, malformed or unknown-agent", true},
      {"--reason", "R", "why: rule, default, budget, …", true},
      {"--rule", "ID", "decided by this rule", true},
      {"--call", "ID", "both lines of one call", true},
      {"--since", "TIME", "RFC 3339, a day, or how long ago: 15m, 2h, 7d"},
      {"--until", "TIME", "before it"},
      {"--text", "TEXT", "stands somewhere in the line"},
      {"--limit", "N", "the first N"},
      {"--json", "", "JSON, one object a line"},
  };
  options.insert(options.end(), own);
  return options;
}

std::optional<audit::Query> read_filters(const char* command, const Arguments& arguments) {
  audit::Query query;
  for (const auto& [option, member] : kMembers) {
    const std::vector<std::string> values = arguments.values(option);
    for (const std::string& value : values) {
      if (member == "decision" && !is_one_of(command, option, value, kDecisions)) return {};
      if (member == "kind" && !is_one_of(command, option, value, kKinds)) return {};
    }
    if (!values.empty()) query.wanted.push_back({std::string(member), values});
  }
  const policy::Time now = wall_now();
  for (const auto& [option, to] :
       {std::pair{"--since", &query.since}, std::pair{"--until", &query.until}}) {
    const auto value = arguments.find(option);
    if (!value) continue;
    const auto bound = audit::read_bound(*value, now);
    if (!bound) {
      usage_error(command, fmt::format("`{}` is no time such as 2026-11-22T09:30:00Z, 2026-11-22 "
                                       "or 2h",
                                       *value));
      return std::nullopt;
    }
    *to = *bound;
  }
  query.text = arguments.value("--text");
  return query;
}

std::optional<uint64_t> read_limit(const char* command, const Arguments& arguments) {
  const auto value = arguments.find("--limit");
  if (!value) return UINT64_MAX;
  uint64_t limit = 0;
  audit::Scan scan(*value);
  scan.number(limit);
  if (scan.ok() && scan.rest().empty() && limit > 0) return limit;
  usage_error(command, fmt::format("`{}` is no number of lines", *value));
  return std::nullopt;
}

}  // namespace reeve::commands
