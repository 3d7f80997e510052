// The kinds of data that guards know by themselves: their names in the language, once.
#ifndef REEVE_POLICY_GUARD_KIND_H_
#define REEVE_POLICY_GUARD_KIND_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace reeve::policy {

enum class GuardKind : uint8_t { kEmail, kPhone, kUsSsn, kCreditCard, kIban };

// By GuardKind.
inline constexpr std::initializer_list<std::string_view> kGuardKindNames = {
    "email", "phone", "us-ssn", "credit-card", "iban"};

inline std::string_view to_string(GuardKind kind) {
  return kGuardKindNames.begin()[static_cast<uint8_t>(kind)];
}

inline std::optional<GuardKind> guard_kind(std::string_view name) {
  for (uint8_t i = 0; i < kGuardKindNames.size(); ++i) {
    if (kGuardKindNames.begin()[i] == name) return static_cast<GuardKind>(i);
  }
  return std::nullopt;
}

// A set of kinds.
using GuardKinds = uint8_t;
inline constexpr GuardKinds bit(GuardKind kind) {
  return static_cast<GuardKinds>(1u << static_cast<uint8_t>(kind));
}

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_KIND_H_
