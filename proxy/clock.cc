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
  char text[] = "0000-00-00T00:00:00.000000Z";
  const auto put = [&text](size_t end, int value) {
    for (; value > 0; value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, p.year % 10'000);
  put(7, p.month);
  put(10, p.day);
  put(13, p.hour);
  put(16, p.minute);
  put(19, p.second);
  put(26, p.micros);
  out.append(text, sizeof text - 1);
}

std::string format_time(policy::Time time) {
  const Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", p.year, p.month, p.day, p.hour,
                     p.minute, p.second);
}

}  // namespace reeve
