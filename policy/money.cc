// Checked arithmetic and exact decimals: amounts never pass through floating point.
//
// Tested by tests/policy/money_test.cc.
#include "policy/money.h"

namespace reeve::policy {

namespace {

constexpr int kDecimals = 6;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<Micros> checked_add(Micros a, Micros b) {
  Micros sum = 0;
  if (__builtin_add_overflow(a, b, &sum) || sum < 0) return std::nullopt;
  return sum;
}

std::optional<Micros> checked_multiply(Micros a, int64_t factor) {
  Micros product = 0;
  if (__builtin_mul_overflow(a, factor, &product) || product < 0) return std::nullopt;
  return product;
}

std::optional<Micros> parse_decimal(std::string_view text) {
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  std::string_view decimals;
  if (dot != std::string_view::npos) {
    decimals = text.substr(dot + 1);
    if (decimals.empty() || decimals.size() > kDecimals) return std::nullopt;
  }
  if (whole.empty() || (whole.size() > 1 && whole[0] == '0')) return std::nullopt;

  std::optional<Micros> amount = 0;
  const auto append = [&amount](char c) {
    if (!is_digit(c)) amount.reset();
    if (amount) amount = checked_multiply(*amount, 10);
    if (amount) amount = checked_add(*amount, c - '0');
    return amount.has_value();
  };
  for (const char c : whole) {
    if (!append(c)) return std::nullopt;
  }
  for (size_t i = 0; i < kDecimals; ++i) {
    if (!append(i < decimals.size() ? decimals[i] : '0')) return std::nullopt;
  }
  return amount;
}

std::string format_decimal(Micros amount) {
  // Magnitudes as unsigned: the least Micros has no positive counterpart.
  const bool negative = amount < 0;
  const uint64_t magnitude =
      negative ? uint64_t{0} - static_cast<uint64_t>(amount) : static_cast<uint64_t>(amount);
  constexpr auto kUnit = static_cast<uint64_t>(kMicrosPerUnit);
  std::string text = (negative ? "-" : "") + std::to_string(magnitude / kUnit);
  uint64_t rest = magnitude % kUnit;
  if (rest == 0) return text;
  text += '.';
  for (uint64_t place = kUnit / 10; rest != 0; place /= 10) {
    text += static_cast<char>('0' + rest / place);
    rest %= place;
  }
  return text;
}

}  // namespace reeve::policy
