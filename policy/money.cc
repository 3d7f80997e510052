// Checked arithmetic and exact decimals: amounts never pass through floating point.
//
// Tested by tests/policy/money_test.cc.
#include "policy/money.h"

#include <algorithm>
#include <charconv>

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

std::optional<Micros> ceil_to_micros(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const size_t mark = std::min(number.find_first_of("eE"), number.size());
  // The exponent, as far as it can matter for a text of this length.
  constexpr int64_t kFar = int64_t{1} << 40;
  int64_t exponent = 0;
  bool is_behind = false;
  for (size_t i = mark + 1; i < number.size(); ++i) {
    if (!is_digit(number[i])) {
      is_behind = number[i] == '-';
      continue;
    }
    exponent = std::min(kFar, exponent * 10 + (number[i] - '0'));
  }
  const std::string_view mantissa = number.substr(0, mark);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  // Where the digit at `point` would stand among whole millionths: 0 is the last of them.
  int64_t place = static_cast<int64_t>(point) - 1 + (is_behind ? -exponent : exponent) + kDecimals;
  Micros amount = 0;
  bool has_rest = false;
  for (const char c : mantissa) {
    if (c == '.') continue;
    if (place < 0) {
      has_rest = has_rest || c != '0';
    } else if (amount > 0 || c != '0') {
      const auto tenfold = checked_multiply(amount, 10);
      const auto next = tenfold ? checked_add(*tenfold, c - '0') : std::nullopt;
      if (!next) return std::nullopt;
      amount = *next;
    }
    --place;
  }
  // Digits that the text leaves out, down to the last place.
  for (; amount > 0 && place >= 0; --place) {
    const auto tenfold = checked_multiply(amount, 10);
    if (!tenfold) return std::nullopt;
    amount = *tenfold;
  }
  if (has_rest) {
    const auto rounded = checked_add(amount, 1);
    if (!rounded) return std::nullopt;
    amount = *rounded;
  }
  if (negative && amount > 0) return std::nullopt;
  return amount;
}

std::string format_decimal(Micros amount) {
  // Magnitudes as unsigned: the least Micros has no positive counterpart.
  const bool negative = amount < 0;
  const uint64_t magnitude =
      negative ? uint64_t{0} - static_cast<uint64_t>(amount) : static_cast<uint64_t>(amount);
  constexpr auto kUnit = static_cast<uint64_t>(kMicrosPerUnit);
  char text[32];
  char* end = text;
  if (negative) *end++ = '-';
  end = std::to_chars(end, text + sizeof text, magnitude / kUnit).ptr;
  uint64_t rest = magnitude % kUnit;
  if (rest == 0) return {text, end};
  *end++ = '.';
  for (uint64_t place = kUnit / 10; rest != 0; place /= 10) {
    *end++ = static_cast<char>('0' + rest / place);
    rest %= place;
  }
  return {text, end};
}

}  // namespace reeve::policy
