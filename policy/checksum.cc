// See checksum.h. Tested by tests/policy/checksum_test.cc.
#include "policy/checksum.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace reeve::policy {

namespace {

// Leading digits from..to (of `digits` digits) and the lengths that are issued.
struct CardRange {
  uint32_t from;
  uint32_t to;
  uint8_t digits;
  uint8_t shortest;
  uint8_t longest;
};

constexpr CardRange kCardRanges[] = {
    {4, 4, 1, 13, 13},        // Visa, old
    {4, 4, 1, 16, 16},        // Visa
    {4, 4, 1, 19, 19},        // Visa
    {51, 55, 2, 16, 16},      // Mastercard
    {2221, 2720, 4, 16, 16},  // Mastercard
    {34, 34, 2, 15, 15},      // American Express
    {37, 37, 2, 15, 15},      // American Express
    {6011, 6011, 4, 16, 19},  // Discover
    {644, 659, 3, 16, 19},    // Discover
    {62, 62, 2, 16, 19},      // UnionPay
    {81, 81, 2, 16, 19},      // UnionPay
    {300, 305, 3, 14, 19},    // Diners Club
    {3095, 3095, 4, 14, 19},  // Diners Club
    {36, 36, 2, 14, 19},      // Diners Club
    {38, 39, 2, 14, 19},      // Diners Club
    {3528, 3589, 4, 16, 19},  // JCB
    {2200, 2204, 4, 16, 19},  // Mir
    {5018, 5018, 4, 12, 19},  // Maestro
    {5020, 5020, 4, 12, 19},  // Maestro
    {5038, 5038, 4, 12, 19},  // Maestro
    {5893, 5893, 4, 12, 19},  // Maestro
    {6304, 6304, 4, 12, 19},  // Maestro
    {6759, 6763, 4, 12, 19},  // Maestro
    {60, 60, 2, 16, 16},      // RuPay
    {9792, 9792, 4, 16, 16},  // Troy
};

uint32_t leading(std::string_view digits, size_t count) {
  uint32_t value = 0;
  for (const char c : digits.substr(0, count)) value = value * 10 + static_cast<uint32_t>(c - '0');
  return value;
}

struct CountryLength {
  char country[3];
  uint8_t length;
};

constexpr CountryLength kIbanLengths[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26},
    {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20},
    {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20},
    {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24},
    {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25},
    {"SV", 28}, {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
    {"YE", 30},
};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c; }

}  // namespace

bool passes_luhn(std::string_view digits) {
  uint32_t sum = 0;
  bool twice = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, twice = !twice) {
    const auto value = static_cast<uint32_t>(*digit - '0');
    sum += !twice ? value : value < 5 ? 2 * value : 2 * value - 9;
  }
  return sum % 10 == 0;
}

bool is_card_number(std::string_view digits) {
  if (digits.size() < 12 || digits.size() > 19) return false;
  const bool issued =
      std::any_of(std::begin(kCardRanges), std::end(kCardRanges), [&](const CardRange& range) {
        const uint32_t begin = leading(digits, range.digits);
        return begin >= range.from && begin <= range.to && digits.size() >= range.shortest &&
               digits.size() <= range.longest;
      });
  return issued && passes_luhn(digits);
}

size_t iban_length(char first, char second) {
  for (const CountryLength& entry : kIbanLengths) {
    if (entry.country[0] == upper(first) && entry.country[1] == upper(second)) return entry.length;
  }
  return 0;
}

bool is_iban(std::string_view text) {
  if (text.size() < 15 || iban_length(text[0], text[1]) != text.size()) return false;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!is_digit(text[2]) || !is_digit(text[3])) return false;
  uint32_t remainder = 0;
  for (size_t i = 0; i < text.size(); ++i) {  // the first four characters count last
    const char c = upper(text[(i + 4) % text.size()]);
    remainder = is_digit(c) ? (remainder * 10 + static_cast<uint32_t>(c - '0')) % 97
                            : (remainder * 100 + static_cast<uint32_t>(c - 'A' + 10)) % 97;
  }
  return remainder == 1;
}

}  // namespace reeve::policy
