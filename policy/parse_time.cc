// `time` of a condition: days, hours and their zone. Tested by tests/policy/condition_test.cc.
#include <fmt/format.h>

#include <algorithm>

#include "policy/calendar.h"
#include "policy/parse_condition.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

constexpr std::string_view kDayNames[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

std::optional<unsigned> day_number(std::string_view name) {
  for (unsigned day = 0; day < std::size(kDayNames); ++day) {
    if (kDayNames[day] == name) return day;
  }
  return std::nullopt;
}

void read_days(FileReader& reader, const Text& text, TimeTest& test) {
  const size_t dash = std::min(text.value.find('-'), text.value.size());
  const auto first = day_number(std::string_view(text.value).substr(0, dash));
  const auto last =
      dash < text.value.size() ? day_number(std::string_view(text.value).substr(dash + 1)) : first;
  if (!first || !last) {
    reader.error(mark_of(text),
                 fmt::format("unknown days `{}`; write them as `mon-fri` or `[sat, sun]`",
                             shown(text.value)));
    return;
  }
  for (unsigned day = *first;; day = (day + 1) % 7) {
    test.days = static_cast<uint8_t>(test.days | 1u << day);
    if (day == *last) return;
  }
}

std::optional<int> minute_of_day(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  int parts[2] = {};
  for (const int i : {0, 1}) {
    for (const char c : text.substr(static_cast<size_t>(i) * 3, 2)) {
      if (c < '0' || c > '9') return std::nullopt;
      parts[i] = parts[i] * 10 + (c - '0');
    }
  }
  const int minute = parts[0] * 60 + parts[1];
  return parts[1] < 60 && minute <= 24 * 60 ? std::optional(minute) : std::nullopt;
}

void read_hours(FileReader& reader, const Text& text, TimeTest& test) {
  const std::string_view all = text.value;
  const auto from = minute_of_day(all.substr(0, 5));
  const auto to = all.size() == 11 && all[5] == '-' ? minute_of_day(all.substr(6)) : std::nullopt;
  if (!from || !to || *from == *to || *from == 24 * 60) {
    reader.error(mark_of(text),
                 fmt::format("`{}` are no hours; write them as `09:00-18:00`", shown(all)));
    return;
  }
  test.has_hours = true;
  test.from_minute = *from;
  test.to_minute = *to;
}

}  // namespace

void read_time_test(FileReader& reader, const yaml::Node& node, TimeTest& test) {
  const Fields fields(reader, node, "time", {"days", "hours", "zone"});
  if (!fields.valid()) return;
  if (!fields.find("days") && !fields.find("hours")) {
    reader.error(node.mark, "`time` takes `days: [mon-fri]`, `hours: 09:00-18:00` or both");
  }
  if (const yaml::Node* days = fields.find("days")) {
    test.days = 0;
    for (const Text& text : read_texts(reader, *days, "days")) read_days(reader, text, test);
  }
  if (const Text hours = fields.text("hours"); !hours.empty()) read_hours(reader, hours, test);
  if (const Text zone = fields.text("zone"); !zone.empty()) {
    test.zone = find_zone(zone.value);
    if (!test.zone) {
      reader.error(mark_of(zone), fmt::format("unknown time zone `{}`; write it as `Europe/Berlin`",
                                              shown(zone.value)));
    }
  }
}

}  // namespace reeve::policy
