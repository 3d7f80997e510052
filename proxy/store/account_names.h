// The names of units and periods in the rows of stores. They are a file format: they may be added
// to, never renamed.
#ifndef REEVE_PROXY_STORE_ACCOUNT_NAMES_H_
#define REEVE_PROXY_STORE_ACCOUNT_NAMES_H_

#include <array>
#include <optional>
#include <string_view>

#include "policy/budget.h"

namespace reeve::store {

inline constexpr std::array<std::string_view, 3> kUnits = {"money", "calls", "tokens"};
inline constexpr std::array<std::string_view, 8> kPeriods = {"minute", "hour",    "day",  "week",
                                                             "month",  "quarter", "year", "total"};

template <class Enum, size_t N>
std::optional<Enum> named(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

inline std::string_view name_of(policy::Unit unit) { return kUnits[static_cast<size_t>(unit)]; }
inline std::string_view name_of(policy::Period period) {
  return kPeriods[static_cast<size_t>(period)];
}
inline std::optional<policy::Unit> unit_of(std::string_view name) {
  return named<policy::Unit>(kUnits, name);
}
inline std::optional<policy::Period> period_of(std::string_view name) {
  return named<policy::Period>(kPeriods, name);
}

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_ACCOUNT_NAMES_H_
