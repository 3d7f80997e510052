// Check digits: what tells a card or an account number from any other run of digits.
//
// Pure arithmetic over texts without separators. Sources: ISO/IEC 7812-1 (Luhn); ISO 13616-1
// and SWIFT's IBAN registry (lengths, mod 97); the card networks' published ranges.
#ifndef REEVE_POLICY_CHECKSUM_H_
#define REEVE_POLICY_CHECKSUM_H_

#include <cstddef>
#include <string_view>

namespace reeve::policy {

// Whether the check digit of `digits` (ASCII digits, not empty) is right by Luhn's rule.
bool passes_luhn(std::string_view digits);

// Whether `digits` is a card number: of a known network, of a length that it issues, with a good
// check digit. All zeros after the first digits and the like are not told apart.
bool is_card_number(std::string_view digits);

// The characters of an IBAN of this country (two ASCII letters, either case), or 0: none has them.
size_t iban_length(char first, char second);

// Whether `text` (ASCII letters and digits, either case) is an IBAN: its country's length, two
// digits behind the country, and 1 by mod 97.
bool is_iban(std::string_view text);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_CHECKSUM_H_
