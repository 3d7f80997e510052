// Budget windows by the calendar: in which minute … year of a time zone a moment lies.
//
// Windows of one period and zone partition time: each moment lies in exactly one, and one ends
// where the next begins, through daylight-saving changes, leap days and skipped days. A day of a
// change has 23 or 25 hours, a repeated local hour is two hours. Weeks begin on Monday (ISO 8601).
#ifndef REEVE_POLICY_CALENDAR_H_
#define REEVE_POLICY_CALENDAR_H_

#include <chrono>
#include <optional>
#include <string_view>

#include "policy/budget.h"
#include "policy/call.h"

namespace date {
class time_zone;
}

namespace reeve::policy {

// Null when this machine's time zone database has no such zone. Reads its files here, so that the
// result can be asked without.
const date::time_zone* find_zone(std::string_view name);

// [start, end). Of Period::kTotal: from 1970 to Time::max().
struct Window {
  Time start{};
  Time end{};
  bool contains(Time time) const { return start <= time && time < end; }
  friend bool operator==(const Window&, const Window&) = default;
};

// The calendar of one IANA time zone. Cheap to copy; usable from all threads.
class Calendar {
 public:
  // UTC, which needs no time zone database.
  Calendar() = default;

  // Nothing when this machine's time zone database has no such zone. Reads the database (files) on
  // first use, so that window() does not.
  static std::optional<Calendar> of_zone(std::string_view zone);

  // Moments before year 1 or after year 9998 count as those.
  Window window(Period period, Time time) const;

  // The same of a local day. Requires a day of the calendar between those years, and kDay or
  // longer, but not kTotal.
  Window window(Period period, std::chrono::year_month_day day) const;
  // The local day in which a moment lies.
  std::chrono::year_month_day day(Time time) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: UTC
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_CALENDAR_H_
