// Amounts of what a budget counts, in integer millionths: of a currency unit, a call or a token.
//
// 20 USD is 20'000'000. All arithmetic is checked: an overflow is a refusal, never a wrap.
#ifndef REEVE_POLICY_MONEY_H_
#define REEVE_POLICY_MONEY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reeve::policy {

using Micros = int64_t;  // millionths
inline constexpr Micros kMicrosPerUnit = 1'000'000;

// Sums and products that do not fit in 63 bits, or would be negative, are nothing.
std::optional<Micros> checked_add(Micros a, Micros b);
std::optional<Micros> checked_multiply(Micros a, int64_t factor);

// "20", "0.005": a non-negative decimal with at most six decimals, exactly; nothing otherwise.
std::optional<Micros> parse_decimal(std::string_view text);

// A number in JSON's grammar (`12.5`, `1e2`), a fraction of a millionth counting as a whole one.
// Nothing when it is negative or does not fit. Requires is_number() of number.h.
std::optional<Micros> ceil_to_micros(std::string_view number);

// The shortest decimal: 5'000 is "0.005", 20'000'000 is "20".
std::string format_decimal(Micros amount);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_MONEY_H_
