// Windows by the calendar: a table of the awkward days, and what holds on all days.
#include "policy/calendar.h"

#include <date/date.h>

#include <catch2/catch.hpp>
#include <random>
#include <sstream>
#include <string>

namespace reeve::policy {
namespace {

Time at(const std::string& text) {
  std::istringstream in(text);
  Time time;
  in >> date::parse("%FT%TZ", time);
  REQUIRE(!in.fail());
  return time;
}

std::string show(Time time) {
  return date::format("%FT%TZ", date::floor<std::chrono::seconds>(time));
}

TEST_CASE("each moment has its window", "[calendar]") {
  struct Row {
    const char* zone;
    Period period;
    const char* time;
    const char* start;
    const char* end;
  };
  const Row rows[] = {
      {"UTC", Period::kMinute, "2026-11-22T01:02:03Z", "2026-11-22T01:02:00Z",
       "2026-11-22T01:03:00Z"},
      {"UTC", Period::kHour, "2026-11-22T01:59:59Z", "2026-11-22T01:00:00Z",
       "2026-11-22T02:00:00Z"},
      {"UTC", Period::kDay, "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
      {"UTC", Period::kDay, "2026-11-21T23:59:59Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
      // Weeks begin on Monday, also across the year.
      {"UTC", Period::kWeek, "2026-11-22T12:00:00Z", "2026-11-16T00:00:00Z",
       "2026-11-23T00:00:00Z"},
      {"UTC", Period::kWeek, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z",
       "2027-01-04T00:00:00Z"},
      // Leap days.
      {"UTC", Period::kDay, "2028-02-29T10:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
      {"UTC", Period::kMonth, "2028-02-29T10:00:00Z", "2028-02-01T00:00:00Z",
       "2028-03-01T00:00:00Z"},
      {"UTC", Period::kMonth, "2100-02-28T23:00:00Z", "2100-02-01T00:00:00Z",
       "2100-03-01T00:00:00Z"},
      // Ends of quarters and years.
      {"UTC", Period::kMonth, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z",
       "2027-01-01T00:00:00Z"},
      {"UTC", Period::kQuarter, "2026-12-31T23:59:59Z", "2026-10-01T00:00:00Z",
       "2027-01-01T00:00:00Z"},
      {"UTC", Period::kQuarter, "2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z",
       "2026-07-01T00:00:00Z"},
      {"UTC", Period::kYear, "2026-12-31T23:59:59Z", "2026-01-01T00:00:00Z",
       "2027-01-01T00:00:00Z"},
      // A zone's midnight; days of 23 and 25 hours.
      {"Europe/Berlin", Period::kDay, "2026-11-21T23:00:00Z", "2026-11-21T23:00:00Z",
       "2026-11-22T23:00:00Z"},
      {"Europe/Berlin", Period::kDay, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z",
       "2026-03-29T22:00:00Z"},
      {"Europe/Berlin", Period::kDay, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z",
       "2026-10-25T23:00:00Z"},
      {"Europe/Berlin", Period::kMonth, "2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z",
       "2026-03-31T22:00:00Z"},
      {"Europe/Berlin", Period::kQuarter, "2026-12-31T22:59:59Z", "2026-09-30T22:00:00Z",
       "2026-12-31T23:00:00Z"},
      {"Europe/Berlin", Period::kYear, "2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z",
       "2027-12-31T23:00:00Z"},
      // The hour that occurs twice is two windows; the one that is skipped is none.
      {"Europe/Berlin", Period::kHour, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
       "2026-10-25T01:00:00Z"},
      {"Europe/Berlin", Period::kHour, "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z",
       "2026-10-25T02:00:00Z"},
      {"Europe/Berlin", Period::kHour, "2026-03-29T00:59:59Z", "2026-03-29T00:00:00Z",
       "2026-03-29T01:00:00Z"},
      // Offsets that are not whole hours, and a change by half an hour.
      {"Asia/Kolkata", Period::kHour, "2026-11-22T01:02:03Z", "2026-11-22T00:30:00Z",
       "2026-11-22T01:30:00Z"},
      {"Australia/Lord_Howe", Period::kHour, "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z",
       "2026-04-04T15:30:00Z"},
      // A midnight that does not occur (the day begins at one), and one that occurs twice.
      {"America/Santiago", Period::kDay, "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z",
       "2026-09-07T03:00:00Z"},
      {"America/Havana", Period::kDay, "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z",
       "2024-11-04T05:00:00Z"},
      // A day that was left out altogether.
      {"Pacific/Apia", Period::kDay, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z",
       "2011-12-30T10:00:00Z"},
      {"Pacific/Apia", Period::kDay, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
       "2011-12-31T10:00:00Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.zone, static_cast<int>(row.period), row.time);
    const auto calendar = Calendar::of_zone(row.zone);
    REQUIRE(calendar);
    const Window window = calendar->window(row.period, at(row.time));
    CHECK(show(window.start) == row.start);
    CHECK(show(window.end) == row.end);
  }
}

TEST_CASE("the window of a total never ends", "[calendar]") {
  const Window window = Calendar().window(Period::kTotal, at("2026-11-22T00:00:00Z"));
  CHECK(window.start == Time{});
  CHECK(window.end == Time::max());
}

TEST_CASE("a zone that is not in the database is nothing", "[calendar]") {
  for (const char* zone :
       {"", "Mars/Olympus", "../../etc/passwd", "europe/berlin", "Europe/Berlin "}) {
    CAPTURE(zone);
    CHECK(!Calendar::of_zone(zone));
  }
}

TEST_CASE("windows partition time in every zone", "[calendar]") {
  const char* zones[] = {"UTC",
                         "Europe/Berlin",
                         "America/New_York",
                         "America/Havana",
                         "America/Santiago",
                         "America/St_Johns",
                         "Africa/Casablanca",
                         "Asia/Kathmandu",
                         "Asia/Tehran",
                         "Asia/Gaza",
                         "Atlantic/Azores",
                         "Australia/Lord_Howe",
                         "Antarctica/Troll",
                         "Pacific/Apia",
                         "Pacific/Chatham",
                         "Pacific/Kiritimati"};
  std::mt19937_64 random(20261122);
  const auto first = at("1970-01-01T00:00:00Z").time_since_epoch().count();
  const auto last = at("2060-01-01T00:00:00Z").time_since_epoch().count();
  std::uniform_int_distribution<int64_t> moments(first, last);
  for (const char* zone : zones) {
    const auto calendar = Calendar::of_zone(zone);
    REQUIRE(calendar);
    for (int i = 0; i < 500; ++i) {
      const Time time{std::chrono::microseconds{moments(random)}};
      const auto period = static_cast<Period>(random() % 7);
      const Window window = calendar->window(period, time);
      INFO(zone << " " << static_cast<int>(period) << " " << show(time));
      REQUIRE(window.contains(time));
      REQUIRE(calendar->window(period, window.start) == window);
      REQUIRE(calendar->window(period, window.end - std::chrono::microseconds{1}) == window);
      REQUIRE(calendar->window(period, window.end).start == window.end);
    }
  }
}

TEST_CASE("any clock gives some window", "[calendar]") {
  for (const char* zone : {"UTC", "Europe/Berlin"}) {
    const auto calendar = Calendar::of_zone(zone);
    REQUIRE(calendar);
    for (const Time time : {Time::min(), Time::max(), Time{}}) {
      for (int period = 0; period < 8; ++period) {
        const Window window = calendar->window(static_cast<Period>(period), time);
        CHECK(window.start < window.end);
      }
    }
  }
}

}  // namespace
}  // namespace reeve::policy
