// RFC 3339 by hand from a day count: strftime is slower and asks for a time zone lock.
// Tested by tests/proxy/journal_test.cc.
#include "proxy/clock.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace reeve {
namespace {

struct Parts {
  int year, month, day, hour, minute, second;
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
          static_cast<int>(duration_cast<seconds>(rest).count() % 60)};
}

void write_second(char (&text)[kTimeBytes], policy::Time second) {
  const Parts p = parts_of(second);
  std::memcpy(text, "0000-00-00T00:00:00.000000Z", kTimeBytes);
  const auto put = [&text](size_t end, int value) {
    for (; value > 0; value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, p.year % 10'000);
  put(7, p.month);
  put(10, p.day);
  put(13, p.hour);
  put(16, p.minute);
  put(19, p.second);
}

}  // namespace

char* write_time(char* to, policy::Time time) {
  // Few lines begin another second than the one before.
  struct Second {
    std::chrono::sys_seconds time{std::chrono::seconds(std::numeric_limits<int64_t>::min())};
    char text[kTimeBytes];
  };
  thread_local Second last;
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second != last.time) {
    write_second(last.text, second);
    last.time = second;
  }
  std::memcpy(to, last.text, kTimeBytes);
  auto micros = static_cast<uint32_t>((time - second).count());
  for (size_t at = kTimeBytes - 2; micros > 0; --at, micros /= 10) {
    to[at] = static_cast<char>('0' + micros % 10);
  }
  return to + kTimeBytes;
}

void append_time(std::string& out, policy::Time time) {
  char text[kTimeBytes];
  write_time(text, time);
  out.append(text, sizeof text);
}

std::string format_time(policy::Time time) {
  const Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", p.year, p.month, p.day, p.hour,
                     p.minute, p.second);
}

}  // namespace reeve
