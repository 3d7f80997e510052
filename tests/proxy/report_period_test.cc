// Periods by their names, in UTC and in a zone that changes its clocks; moments; parts of charts.
#include <catch2/catch.hpp>
#include <string>

#include "proxy/audit/line.h"
#include "proxy/clock.h"
#include "proxy/report/period.h"

namespace reeve::report {
namespace {

policy::Time at(std::string_view text) {
  const auto time = audit::read_time(std::string(text) + "T00:00:00.000000Z");
  REQUIRE(time);
  return *time;
}

TEST_CASE("a period has a name, two ends and one before it") {
  const policy::Calendar utc;
  const policy::Time now = at("2026-10-14") + std::chrono::hours(9);
  struct Case {
    const char *text, *name, *from, *to, *before;
  };
  for (const Case& c : {
           Case{"2026", "2026", "2026-01-01", "2027-01-01", "2025-01-01"},
           {"2026-Q3", "2026-Q3", "2026-07-01", "2026-10-01", "2026-04-01"},
           {"2026-Q1", "2026-Q1", "2026-01-01", "2026-04-01", "2025-10-01"},
           {"2026-09", "2026-09", "2026-09-01", "2026-10-01", "2026-08-01"},
           {"2024-02", "2024-02", "2024-02-01", "2024-03-01", "2024-01-01"},
           {"2026-W01", "2026-W01", "2025-12-29", "2026-01-05", "2025-12-22"},
           {"2026-W53", "2026-W53", "2026-12-28", "2027-01-04", "2026-12-21"},
           {"2026-09-14", "2026-09-14", "2026-09-14", "2026-09-15", "2026-09-13"},
           {"day", "2026-10-13", "2026-10-13", "2026-10-14", "2026-10-12"},
           {"week", "2026-W41", "2026-10-05", "2026-10-12", "2026-09-28"},
           {"month", "2026-09", "2026-09-01", "2026-10-01", "2026-08-01"},
           {"quarter", "2026-Q3", "2026-07-01", "2026-10-01", "2026-04-01"},
           {"year", "2025", "2025-01-01", "2026-01-01", "2024-01-01"},
       }) {
    INFO(c.text);
    const auto range = read_period(c.text, utc, now);
    REQUIRE(range);
    CHECK(range->name == c.name);
    CHECK(range->now.start == at(c.from));
    CHECK(range->now.end == at(c.to));
    CHECK(range->before.start == at(c.before));
    CHECK(range->before.end == range->now.start);
  }
  for (const char* text : {"", "hour", "2026-", "2026-Q5", "2026-Q0", "2026-Q", "2026-13",
                           "2026-00", "2026-W00", "2025-W53", "2026-W54", "2026-02-30", "2026-9",
                           "26-09", "1969", "0000", "weeks", "2026-09-14T", "2026-Q3 "}) {
    INFO(text);
    CHECK_FALSE(read_period(text, utc, now));
  }
}

TEST_CASE("periods and days begin at midnight of their zone") {
  const auto berlin = policy::Calendar::of_zone("Europe/Berlin");
  REQUIRE(berlin);
  const auto range = read_period("2026-10", *berlin, at("2026-12-01"));
  REQUIRE(range);
  CHECK(range->now.start == at("2026-09-30") + std::chrono::hours(22));
  CHECK(range->now.end == at("2026-10-31") + std::chrono::hours(23));
  CHECK(label_of(*range, range->now.start) == "2026-10-01");
  CHECK(read_moment("2026-10-26", *berlin, at("2026-12-01")) ==
        at("2026-10-25") + std::chrono::hours(23));
  CHECK(read_moment("2d", *berlin, at("2026-12-03")) == at("2026-12-01"));
  CHECK_FALSE(read_moment("2026-02-30", *berlin, at("2026-12-01")));
  for (const char* zone : {"Pacific/Kiritimati", "Etc/GMT+12"}) {
    const auto far = policy::Calendar::of_zone(zone);
    REQUIRE(far);
    const auto day = read_period("2026-09-14", *far, at("2026-12-01"));
    REQUIRE(day);
    CHECK(day->name == "2026-09-14");
  }
}

TEST_CASE("charts have at most some hundred parts, which cover the period") {
  const policy::Calendar utc;
  const auto parts = [&](int64_t hours) {
    return parts_of(
        range_between(at("2026-01-01"), at("2026-01-01") + std::chrono::hours(hours), utc));
  };
  CHECK(parts(24).unit == "hour");
  CHECK(parts(24).begins.size() == 24);
  CHECK(parts(24 * 92).unit == "day");
  CHECK(parts(24 * 365).unit == "week");
  CHECK(parts(24 * 365 * 5).unit == "month");
  CHECK(parts(24 * 365 * 20).unit == "quarter");
  CHECK(parts(24 * 365 * 50).unit == "year");
  CHECK(parts(24 * 365).begins.front() == at("2026-01-01"));
}

}  // namespace
}  // namespace reeve::report
