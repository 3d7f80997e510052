// The period that a report is of, the one before it that it is compared with, and the parts into
// which charts cut it. All by the calendar of one time zone.
#ifndef REEVE_PROXY_REPORT_PERIOD_H_
#define REEVE_PROXY_REPORT_PERIOD_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/calendar.h"

namespace reeve::report {

struct Range {
  policy::Window now, before;
  std::string name;  // as people call it: "2026-Q3"; empty: its two ends say it
  std::string zone;  // IANA
  policy::Calendar calendar;
};

// `2026`, `2026-Q3`, `2026-09`, `2026-W36`, `2026-09-14`, or one of day, week, month, quarter and
// year: the last that is over. Before it comes the one before it. Nothing for another text.
std::optional<Range> read_period(std::string_view text, const policy::Calendar& calendar,
                                 policy::Time now);

// From one moment to another; before it comes as long a time. Requires from < to.
Range range_between(policy::Time from, policy::Time to, const policy::Calendar& calendar);

// A day of this calendar (its beginning), or what read_bound() of ../audit/query.h takes.
std::optional<policy::Time> read_moment(std::string_view text, const policy::Calendar& calendar,
                                        policy::Time now);

// The beginnings of the hours, days, weeks, months or years that a chart shows, at most about 110:
// the first is the beginning of the period.
struct Parts {
  std::string_view unit;  // "hour", "day", …
  std::vector<policy::Time> begins;
};
Parts parts_of(const Range& range);

// `2026-09-14`, of a part that is an hour `2026-09-14 09:00`; in the range's zone.
std::string label_of(const Range& range, policy::Time time, bool with_time = false);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_PERIOD_H_
