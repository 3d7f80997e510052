// See number.h. A number is read as 0.ddd… times a power of ten, without leading zeros, so that
// first the powers and then the digits decide. Tested by tests/policy/condition_test.cc.
#include "policy/number.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace reeve::policy {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

size_t skip_digits(std::string_view text, size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

struct Scaled {
  bool negative = false;
  bool zero = true;
  std::string_view digits;  // from the first that is not zero; may hold a point
  int64_t power = 0;
};

// Clamped: beyond it no two mantissas of real texts could make up for the difference.
int64_t read_exponent(std::string_view text) {
  constexpr int64_t kMost = 1'000'000'000'000'000;
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int64_t value = 0;
  for (const char c : text) value = std::min(kMost, value * 10 + (c - '0'));
  return negative ? -value : value;
}

Scaled scale(std::string_view text) {
  Scaled result;
  result.negative = text[0] == '-';
  if (result.negative) text.remove_prefix(1);
  const size_t e = std::min(text.find_first_of("eE"), text.size());
  const std::string_view mantissa = text.substr(0, e);
  const auto whole = static_cast<int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  int64_t index = 0;  // of a digit, the point not counted
  for (size_t i = 0; i < mantissa.size(); ++i) {
    if (mantissa[i] == '.') continue;
    if (mantissa[i] != '0') {
      result.zero = false;
      result.digits = mantissa.substr(i);
      result.power = whole - index + (e < text.size() ? read_exponent(text.substr(e + 1)) : 0);
      return result;
    }
    ++index;
  }
  return result;
}

int compare_digits(std::string_view a, std::string_view b) {
  size_t i = 0;
  size_t j = 0;
  while (true) {
    if (i < a.size() && a[i] == '.') ++i;
    if (j < b.size() && b[j] == '.') ++j;
    if (i >= a.size() && j >= b.size()) return 0;
    const char x = i < a.size() ? a[i++] : '0';
    const char y = j < b.size() ? b[j++] : '0';
    if (x != y) return x < y ? -1 : 1;
  }
}

bool is_whole(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at == text.size();
}

}  // namespace

bool is_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t whole = skip_digits(text, at);
  if (whole == at || (text[at] == '0' && whole > at + 1)) return false;
  at = whole;
  if (at < text.size() && text[at] == '.') {
    const size_t end = skip_digits(text, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t end = skip_digits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

int compare_numbers(std::string_view a, std::string_view b) {
  if (is_whole(a) && is_whole(b)) {  // the usual ones; without leading zeros, as the grammar has it
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    const int order = a.compare(b);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  const Scaled x = scale(a);
  const Scaled y = scale(b);
  if (x.zero && y.zero) return 0;
  if (x.zero) return y.negative ? 1 : -1;
  if (y.zero) return x.negative ? -1 : 1;
  if (x.negative != y.negative) return x.negative ? -1 : 1;
  const int magnitude =
      x.power != y.power ? (x.power < y.power ? -1 : 1) : compare_digits(x.digits, y.digits);
  return x.negative ? -magnitude : magnitude;
}

}  // namespace reeve::policy
