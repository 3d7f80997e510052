// The names of budget periods, as policies write them. Tested by tests/policy/parse_test.cc.
#include "policy/budget.h"

namespace reeve::policy {

std::string_view to_string(Period period) {
  switch (period) {
    case Period::kMinute:
      return "minute";
    case Period::kHour:
      return "hour";
    case Period::kDay:
      return "day";
    case Period::kWeek:
      return "week";
    case Period::kMonth:
      return "month";
    case Period::kQuarter:
      return "quarter";
    case Period::kYear:
      return "year";
    case Period::kTotal:
      return "total";
  }
  return "total";
}

}  // namespace reeve::policy
