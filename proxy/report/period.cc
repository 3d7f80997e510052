// Tested by tests/proxy/report_period_test.cc.
#include "proxy/report/period.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proxy/audit/line.h"
#include "proxy/audit/query.h"
#include "proxy/audit/scan.h"

namespace reeve::report {
namespace {

namespace chrono = std::chrono;
using policy::Calendar;
using policy::Period;
using policy::Time;
using policy::Window;

constexpr size_t kMostParts = 110;
constexpr std::pair<std::string_view, Period> kUnits[] = {
    {"hour", Period::kHour},   {"day", Period::kDay},         {"week", Period::kWeek},
    {"month", Period::kMonth}, {"quarter", Period::kQuarter}, {"year", Period::kYear},
};

struct Day {
  uint64_t year = 0, month = 1, day = 1;

  // Nothing when the calendar has no such day, or it is one that reports are not made of.
  std::optional<chrono::year_month_day> date() const {
    const chrono::year_month_day ymd(chrono::year(static_cast<int>(year)),
                                     chrono::month(static_cast<unsigned>(month)),
                                     chrono::day(static_cast<unsigned>(day)));
    if (year < 1970 || year > 9000 || !ymd.ok()) return std::nullopt;
    return ymd;
  }
};

std::optional<chrono::year_month_day> read_day(std::string_view text) {
  Day day;
  audit::Scan scan(text);
  scan.digits(4, day.year).literal("-").digits(2, day.month).literal("-").digits(2, day.day);
  if (!scan.ok() || !scan.rest().empty()) return std::nullopt;
  return day.date();
}

// A period by its name, as a unit and a day in it.
struct Named {
  Period period = Period::kYear;
  chrono::year_month_day day;
};

std::optional<Named> read_name(std::string_view text) {
  if (const auto day = read_day(text)) return Named{Period::kDay, *day};
  Day day;
  uint64_t number = 0;
  audit::Scan scan(text);
  scan.digits(4, day.year);
  const auto first = day.date();
  if (!scan.ok() || !first) return std::nullopt;
  if (scan.rest().empty()) return Named{Period::kYear, *first};
  scan.literal("-");
  if (scan.at("Q")) {
    scan.literal("Q").digits(1, number);
    if (!scan.ok() || !scan.rest().empty() || number < 1 || number > 4) return std::nullopt;
    day.month = number * 3;
    return Named{Period::kQuarter, *day.date()};
  }
  if (scan.at("W")) {
    scan.literal("W").digits(2, number);
    if (!scan.ok() || !scan.rest().empty() || number < 1 || number > 53) return std::nullopt;
    // The fourth of January lies in the first week (ISO 8601), whose Thursday is of that year, as
    // is every week's.
    const chrono::sys_days fourth(*first + chrono::months(0));
    const chrono::sys_days january = fourth + chrono::days(3);
    const chrono::sys_days monday = january - (chrono::weekday(january) - chrono::Monday);
    const chrono::year_month_day thursday =
        monday + chrono::days(7 * (static_cast<int>(number) - 1) + 3);
    if (thursday.year() != first->year()) return std::nullopt;
    return Named{Period::kWeek, thursday};
  }
  scan.digits(2, day.month);
  const auto date = day.date();
  if (!scan.ok() || !scan.rest().empty() || !date) return std::nullopt;
  return Named{Period::kMonth, *date};
}

// How a calendar's period is called.
std::string name_of(Period period, chrono::year_month_day day) {
  const int year = static_cast<int>(day.year());
  const unsigned month = static_cast<unsigned>(day.month());
  switch (period) {
    case Period::kYear:
      return fmt::format("{:04}", year);
    case Period::kQuarter:
      return fmt::format("{:04}-Q{}", year, (month - 1) / 3 + 1);
    case Period::kMonth:
      return fmt::format("{:04}-{:02}", year, month);
    case Period::kWeek: {
      const chrono::sys_days date(day);
      const chrono::sys_days monday = date - (chrono::weekday(date) - chrono::Monday);
      const chrono::year_month_day thursday = monday + chrono::days(3);
      const chrono::sys_days first(thursday.year() / chrono::January / 1);
      return fmt::format("{:04}-W{:02}", static_cast<int>(thursday.year()),
                         (chrono::sys_days(thursday) - first).count() / 7 + 1);
    }
    default:
      return fmt::format("{:04}-{:02}-{:02}", year, month, static_cast<unsigned>(day.day()));
  }
}

Range whole(const Window& window, Period period, const Calendar& calendar) {
  return {window, calendar.window(period, window.start - Time::duration(1)),
          name_of(period, calendar.day(window.start)), "", calendar};
}

}  // namespace

std::optional<Range> read_period(std::string_view text, const Calendar& calendar, Time now) {
  for (const auto& [word, period] : kUnits) {
    if (word != text || period == Period::kHour) continue;
    const Window current = calendar.window(period, now);
    return whole(calendar.window(period, current.start - Time::duration(1)), period, calendar);
  }
  const auto named = read_name(text);
  if (!named) return std::nullopt;
  return whole(calendar.window(named->period, named->day), named->period, calendar);
}

Range range_between(Time from, Time to, const Calendar& calendar) {
  return {{from, to}, {from - (to - from), from}, "", "", calendar};
}

std::optional<Time> read_moment(std::string_view text, const Calendar& calendar, Time now) {
  if (const auto day = read_day(text)) return calendar.window(Period::kDay, *day).start;
  const auto bound = audit::read_bound(text, now);
  return bound ? audit::read_time(*bound) : std::nullopt;
}

Parts parts_of(const Range& range) {
  Parts parts;
  for (const auto& [unit, period] : kUnits) {
    parts = {unit, {}};
    for (Time at = range.now.start; at < range.now.end;) {
      if (parts.begins.size() > kMostParts && period != Period::kYear) break;
      parts.begins.push_back(at);
      at = range.calendar.window(period, at).end;
    }
    if (parts.begins.size() <= kMostParts) break;
  }
  return parts;
}

std::string label_of(const Range& range, Time time, bool with_time) {
  const std::string day = name_of(Period::kDay, range.calendar.day(time));
  if (!with_time) return day;
  const auto midnight = range.calendar.window(Period::kDay, time).start;
  const auto into = chrono::floor<chrono::minutes>(time - midnight).count();
  return fmt::format("{} {:02}:{:02}", day, into / 60, into % 60);
}

}  // namespace reeve::report
