// RFC 3339 by hand from a day count: strftime is slower and asks for a time zone lock.
// Tested by tests/proxy/journal_test.cc.
#include "proxy/clock.h"

#include <fmt/format.h>

namespace reeve {
namespace {

struct Parts {
  int year, month, day, hour, minute, second, micros;
};

Parts parts_of(policy::Time time) {
  using namespace std::chrono;
  const auto days = floor<std::chrono::days>(time);
  const year_month_day date(days);
  const auto rest = time - days;
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(duration_cast<hours>(rest).count()),
          static_cast<int>(duration_cast<minutes>(rest).count() % 60),
          static_cast<int>(duration_cast<seconds>(rest).count() % 60),
          static_cast<int>(rest.count() % 1'000'000)};
}

}  // namespace

void append_time(std::string& out, policy::Time time) {
  const Parts p = parts_of(time);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", p.year,
                 p.month, p.day, p.hour, p.minute, p.second, p.micros);
}

std::string format_time(policy::Time time) {
  const Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", p.year, p.month, p.day, p.hour,
                     p.minute, p.second);
}

}  // namespace reeve
