// Characters as the finders of guard_text.h tell them apart. Internal to it.
#ifndef REEVE_POLICY_GUARD_CHARS_H_
#define REEVE_POLICY_GUARD_CHARS_H_

#include <cstdint>
#include <string_view>

namespace reeve::policy {

inline constexpr size_t kNone = std::string_view::npos;
// What may stand between the digits of one number.
inline constexpr std::string_view kBetweenDigits = " -./()";

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c; }
inline bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
inline bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
inline bool is_hex(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
inline bool is_beyond_ascii(char c) { return static_cast<uint8_t>(c) >= 0x80; }

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_CHARS_H_
