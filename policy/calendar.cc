// Windows in a time zone, over Howard Hinnant's date library.
//
// Days and longer are computed as local dates whose midnights are then placed on the time line: a
// midnight that occurs twice is its first, one that does not occur is the moment of the jump.
// Minutes and hours are computed from the offset in force, cut where the offset changes.
//
// Tested by tests/policy/calendar_test.cc.
#include "policy/calendar.h"

#include <date/tz.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace reeve::policy {

namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What the date library can compute with, short of its own limits.
constexpr Time kEarliest = date::sys_days{date::year{1} / 1 / 2};
constexpr Time kLatest = date::sys_days{date::year{9998} / 12 / 31};

struct DayRange {
  date::local_days first;
  date::local_days end;
};

DayRange day_range(Period period, date::local_days day) {
  const date::year_month_day ymd{day};
  const date::year_month month = ymd.year() / ymd.month();
  switch (period) {
    case Period::kWeek: {
      const date::local_days monday = day - (date::weekday{day} - date::Monday);
      return {monday, monday + date::days{7}};
    }
    case Period::kMonth:
      return {date::local_days{month / 1}, date::local_days{(month + date::months{1}) / 1}};
    case Period::kQuarter: {
      const unsigned first = (static_cast<unsigned>(ymd.month()) - 1) / 3 * 3 + 1;
      const date::year_month quarter = ymd.year() / date::month{first};
      return {date::local_days{quarter / 1}, date::local_days{(quarter + date::months{3}) / 1}};
    }
    case Period::kYear:
      return {date::local_days{ymd.year() / 1 / 1},
              date::local_days{(ymd.year() + date::years{1}) / 1 / 1}};
    default:
      return {day, day + date::days{1}};
  }
}

Window clock_window(Period period, Time time, const date::sys_info& info) {
  const microseconds length = period == Period::kMinute ? microseconds{minutes{1}} : hours{1};
  const microseconds local = time.time_since_epoch() + info.offset;
  microseconds into = local % length;
  if (into < microseconds{0}) into += length;
  const Time start = time - into;
  const Time end = start + length;
  return {info.begin > start ? Time{info.begin} : start, info.end < end ? Time{info.end} : end};
}

}  // namespace

const date::time_zone* find_zone(std::string_view name) {
  try {
    const date::time_zone* zone = date::locate_zone(name);
    zone->get_info(kEarliest);  // reads the zone's file
    return zone;
  } catch (const std::runtime_error&) {  // no such zone, or no database
    return nullptr;
  }
}

std::optional<Calendar> Calendar::of_zone(std::string_view zone) {
  Calendar calendar;
  if (zone == "UTC") return calendar;
  calendar.zone_ = find_zone(zone);
  if (!calendar.zone_) return std::nullopt;
  return calendar;
}

Window Calendar::window(Period period, Time time) const {
  if (period == Period::kTotal) return {Time{}, Time::max()};
  time = std::clamp(time, kEarliest, kLatest);
  if (period == Period::kMinute || period == Period::kHour) {
    date::sys_info info{};
    if (zone_ != nullptr) {
      info = zone_->get_info(time);
    } else {
      info.begin = date::floor<seconds>(kEarliest - hours{24});
      info.end = date::floor<seconds>(kLatest + hours{48});
    }
    return clock_window(period, time, info);
  }
  return window(period, day(time));
}

Window Calendar::window(Period period, std::chrono::year_month_day day) const {
  const auto place = [this](date::local_days midnight) -> Time {
    if (zone_ == nullptr) return Time{midnight.time_since_epoch()};
    return zone_->to_sys(midnight, date::choose::earliest);
  };
  const date::days since_1970{std::chrono::sys_days(day).time_since_epoch().count()};
  const DayRange range = day_range(period, date::local_days{since_1970});
  return {place(range.first), place(range.end)};
}

std::chrono::year_month_day Calendar::day(Time time) const {
  time = std::clamp(time, kEarliest, kLatest);
  const seconds offset = zone_ != nullptr ? zone_->get_info(time).offset : seconds{0};
  const auto local = std::chrono::floor<std::chrono::days>(time + offset);
  return std::chrono::year_month_day(std::chrono::sys_days(local));
}

}  // namespace reeve::policy
