// `reeve report`: what agents did in a period, as text, JSON or a page for people.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>

#include "proxy/clock.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/policy_source.h"
#include "proxy/report/collect.h"
#include "proxy/report/findings.h"
#include "proxy/report/page.h"
#include "proxy/report/text.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"-c", "reeve.yaml", "says where record and policy are (./reeve.yaml without --audit)"},
    {"-p", "POLICY", "for budgets and grants; a file or a folder"},
    {"--audit", "FILE", "the record; the current file brings those rotated away from it"},
    {"--period", "P",
     "2026, 2026-Q3, 2026-09, 2026-W36 or 2026-09-14; or the last whole year, quarter, …"},
    {"--from", "TIME", "RFC 3339, a day, or how long ago: 2h, 7d"},
    {"--to", "TIME", "before it; now without"},
    {"--zone", "ZONE", "whose calendar, as Europe/Berlin; that of the policy's budgets without"},
    {"--agent", "A", "only of this agent; may be repeated", true},
    {"--team", "T", "only of this team; may be repeated", true},
    {"--json", "", "one JSON object, with all that was counted"},
    {"--html", "FILE", "writes a page that stands for itself; `-` is standard output"},
};
constexpr Synopsis kSynopsis = {
    "report", "[--period P | --from TIME --to TIME] [--agent A] … [-c reeve.yaml] [--html FILE]",
    "What agents did in a period, by the record: calls, results, denials, time, spend against "
    "budgets, approvals,\nwhat changed since the period before, and what needs attention. Of the "
    "last 30 days, if nothing "
    "else is said. The "
    "first time an index is made beside\neach file of the record.",
    kOptions, false};

// The zone that all budgets of the policy turn over in; UTC when they differ, or there is none.
std::string zone_of(const policy::PolicySet* set) {
  std::set<std::string> zones;
  if (set) {
    for (const policy::AccountSpec& account : set->accounts()) zones.insert(account.zone);
  }
  return zones.size() == 1 ? *zones.begin() : "UTC";
}

std::optional<report::Range> read_range(const Arguments& arguments, const policy::PolicySet* set) {
  const auto fail = [](const std::string& message) {
    usage_error("report", message);
    return std::nullopt;
  };
  const std::string zone = arguments.find("--zone").value_or(zone_of(set));
  const auto calendar = policy::Calendar::of_zone(zone);
  if (!calendar) return fail(fmt::format("there is no time zone `{}`", zone));
  const policy::Time now = wall_now();
  std::optional<report::Range> range;
  if (const auto period = arguments.find("--period")) {
    if (arguments.has("--from") || arguments.has("--to")) {
      return fail("`--period` excludes `--from` and `--to`");
    }
    range = report::read_period(*period, *calendar, now);
    if (!range) {
      return fail(
          fmt::format("`{}` is no period such as 2026-Q3, 2026-09, 2026-W36 or month", *period));
    }
  } else {
    // Whole days, so that the same days are compared all day long.
    policy::Time from = calendar->window(policy::Period::kDay, now - std::chrono::days(29)).start;
    policy::Time to = now;
    for (const auto& [option, time] : {std::pair{"--from", &from}, {"--to", &to}}) {
      const auto value = arguments.find(option);
      if (!value) continue;
      const auto moment = report::read_moment(*value, *calendar, now);
      if (!moment) {
        return fail(
            fmt::format("`{}` is no time such as 2026-09-14, 2026-09-14T09:30:00Z or 7d", *value));
      }
      *time = *moment;
    }
    if (from >= to) return fail("`--from` must be before `--to`");
    range = report::range_between(from, to, *calendar);
  }
  range->zone = zone;
  return range;
}

// False, with a message, when it cannot be written whole.
bool write_page(const std::string& path, const std::string& page) {
  if (path == "-") {
    return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() &&
           std::fflush(stdout) == 0;
  }
  std::FILE* const file = std::fopen(path.c_str(), "we");
  bool written = file && std::fwrite(page.data(), 1, page.size(), file) == page.size();
  int error = errno;
  if (file && std::fclose(file) != 0) {
    error = errno;
    written = false;
  }
  if (!written) {
    fmt::print(stderr, "reeve report: `{}` cannot be written: {}\n", path, std::strerror(error));
  }
  return written;
}

}  // namespace

int report(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (arguments->has("--json") && arguments->has("--html")) {
    return usage_error("report", "`--json` and `--html` exclude each other");
  }
  Diagnostics diagnostics;
  const bool alone = arguments->has("--audit") && !arguments->has("-c");
  const auto wiring =
      load_wiring(alone ? "" : arguments->find("-c").value_or("reeve.yaml"), diagnostics);
  if (!wiring) {
    print_errors(diagnostics);
    fmt::print(stderr,
               "reeve report: name the record with --audit, or its configuration with -c\n");
    return 2;
  }
  const std::string path = arguments->has("-p") ? arguments->value("-p")
                           : wiring->config     ? wiring->config->policy
                                                : "";
  const auto set = path.empty() ? nullptr : load_policy(path, *wiring, diagnostics);
  if (!path.empty() && !set) {
    print_errors(diagnostics);
    return 2;
  }
  auto range = read_range(*arguments, set.get());
  if (!range) return 2;
  const auto source = find_record("report", arguments->has("--audit") ? arguments->value("--audit")
                                                                      : wiring->config->audit.path);
  if (!source) return 2;

  report::Collector collector(
      std::move(*range), {arguments->values("--agent"), arguments->values("--team")}, set.get());
  std::string failed;
  if (!report::read_record(source->files, collector, failed)) {
    fmt::print(stderr, "reeve report: `{}` cannot be read\n", failed);
    return 2;
  }
  if (!collector.filter().empty() && collector.tally().agents.empty()) {
    fmt::print(stderr, "reeve report: neither policy nor record has such an agent\n");
    return 2;
  }
  const auto findings = report::findings_of(collector);
  if (const auto file = arguments->find("--html")) {
    return write_page(*file, report::page_of(collector, findings)) ? 0 : 2;
  }
  const bool terminal = ::isatty(1) == 1;
  if (arguments->has("--json")) {
    const std::string json = report::json_of(collector, findings);
    // What a terminal would act on is escaped, which JSON reads as the same.
    fmt::print("{}\n", terminal ? for_terminal(json, SIZE_MAX) : json);
  } else {
    fmt::print(
        "{}", report::text_of(collector, findings, terminal && std::getenv("NO_COLOR") == nullptr));
  }
  return 0;
}

}  // namespace reeve::commands
