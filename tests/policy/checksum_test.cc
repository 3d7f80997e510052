#include "policy/checksum.h"

#include <catch2/catch.hpp>

namespace reeve::policy {
namespace {

TEST_CASE("Luhn's rule: any wrong digit is noticed") {
  CHECK(passes_luhn("79927398713"));
  CHECK(passes_luhn("0"));
  std::string digits = "4111111111111111";
  for (char& digit : digits) {
    const char good = digit;
    for (char other = '0'; other <= '9'; ++other) {
      digit = other;
      CHECK(passes_luhn(digits) == (other == good));
    }
    digit = good;
  }
}

TEST_CASE("cards: a known network, its lengths, a good check digit") {
  for (const char* good :
       {"4111111111111111", "5555555555554444", "2223003122003222", "378282246310005",
        "30569309025904", "3530111333300000", "6200000000000005", "4222222222222"}) {
    CHECK(is_card_number(good));
  }
  for (const char* bad : {"", "41", "4111111111111112", "0000000000000000", "1234567812345670",
                          "411111111111111", "41111111111111111111", "9999999999999995"}) {
    CHECK_FALSE(is_card_number(bad));
  }
}

TEST_CASE("IBANs: the country's length, two digits behind it, 1 by mod 97") {
  for (const char* good : {"DE89370400440532013000", "de89370400440532013000",
                           "GB29NWBK60161331926819", "NO9386011117947"}) {
    CHECK(is_iban(good));
  }
  for (const char* bad :
       {"", "DE", "DE88370400440532013000", "DE8937040044053201300", "DE893704004405320130000",
        "ZZ89370400440532013000", "DEA9370400440532013000"}) {
    CHECK_FALSE(is_iban(bad));
  }
  CHECK(iban_length('D', 'e') == 22);
  CHECK(iban_length('Z', 'Z') == 0);
}

}  // namespace
}  // namespace reeve::policy
