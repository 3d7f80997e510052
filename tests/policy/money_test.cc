// Exact decimals, and arithmetic that refuses rather than wraps.
#include "policy/money.h"

#include <catch2/catch.hpp>
#include <limits>
#include <optional>
#include <random>
#include <string>

#include "tests/support/generated_case.h"
#include "tests/support/reference_spend.h"

namespace reeve::policy {
namespace {

constexpr Micros kMost = std::numeric_limits<Micros>::max();

TEST_CASE("decimals are read exactly or not at all", "[money]") {
  struct Row {
    std::string_view text;
    std::optional<Micros> amount;
  };
  const Row rows[] = {
      {"0", 0},
      {"20", 20'000'000},
      {"0.005", 5'000},
      {"0.000001", 1},
      {"1.50", 1'500'000},
      {"0.0", 0},
      {"9223372036854.775807", kMost},
      {"9223372036854.775808", std::nullopt},
      {"9223372036855", std::nullopt},
      {"99999999999999999999999999", std::nullopt},
      {"0.0000001", std::nullopt},
      {"1.0000000", std::nullopt},
      {"", std::nullopt},
      {".", std::nullopt},
      {".5", std::nullopt},
      {"5.", std::nullopt},
      {"1.2.3", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {"1e3", std::nullopt},
      {"0x10", std::nullopt},
      {"1,000", std::nullopt},
      {"1_000", std::nullopt},
      {" 1", std::nullopt},
      {"1 ", std::nullopt},
      {"007", std::nullopt},
      {"00", std::nullopt},
      {"nan", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(parse_decimal(row.text) == row.amount);
  }
  CHECK(parse_decimal(std::string_view("1\0", 2)) == std::nullopt);
}

TEST_CASE("amounts are written as the shortest decimal", "[money]") {
  struct Row {
    Micros amount;
    std::string_view text;
  };
  const Row rows[] = {
      {0, "0"},
      {1, "0.000001"},
      {5'000, "0.005"},
      {20'000'000, "20"},
      {1'500'000, "1.5"},
      {10'010'010, "10.01001"},
      {kMost, "9223372036854.775807"},
      {-1'500'000, "-1.5"},
      {std::numeric_limits<Micros>::min(), "-9223372036854.775808"},
  };
  for (const Row& row : rows) CHECK(format_decimal(row.amount) == row.text);
}

TEST_CASE("what is written is read back", "[money]") {
  for (Micros amount = 1; amount > 0 && amount < kMost / 7; amount = amount * 7 + 3) {
    CHECK(parse_decimal(format_decimal(amount)) == amount);
  }
}

TEST_CASE("sums and products that do not fit are nothing", "[money]") {
  CHECK(checked_add(1, 2) == 3);
  CHECK(checked_add(kMost, 0) == kMost);
  CHECK(checked_add(kMost, 1) == std::nullopt);
  CHECK(checked_add(5, -5) == 0);
  CHECK(checked_add(5, -6) == std::nullopt);
  CHECK(checked_multiply(3, 4) == 12);
  CHECK(checked_multiply(kMost, 1) == kMost);
  CHECK(checked_multiply(kMost / 2 + 1, 2) == std::nullopt);
  CHECK(checked_multiply(3, -1) == std::nullopt);
  CHECK(checked_multiply(std::numeric_limits<Micros>::min(), -1) == std::nullopt);
}

TEST_CASE("a JSON number rounds up to millionths as its digits say") {
  const size_t numbers = testing::rounds(20'000, 1'000'000);
  std::mt19937 random(testing::first_seed() + 9'000'000);
  const auto below = [&](size_t n) { return random() % n; };
  const auto digits = [&](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) {
      text += below(3) == 0 ? '0' : static_cast<char>('0' + below(10));
    }
    return text;
  };
  size_t fitting = 0;
  for (size_t i = 0; i < numbers; ++i) {
    std::string number = below(8) == 0 ? "-" : "";
    number += below(3) == 0 ? "0" : static_cast<char>('1' + below(9)) + digits(below(16));
    if (below(2) == 0) number += "." + digits(1 + below(12));
    if (below(2) == 0) {
      number += std::string(1, "eE"[below(2)]) +
                (below(2) == 0   ? "-"
                 : below(2) == 0 ? "+"
                                 : "") +
                (below(9) == 0 ? "00" : "") + std::to_string(below(24));
    }
    const std::optional<reference::Wide> expected = reference::ceil_to_millionths(number);
    const bool fits = expected && *expected <= std::numeric_limits<Micros>::max();
    const std::optional<Micros> got = ceil_to_micros(number);
    fitting += fits;
    if (got.has_value() == fits && (!fits || *got == *expected)) continue;
    CAPTURE(number);
    REQUIRE(got.has_value() == fits);
    REQUIRE(*got == *expected);
  }
  CHECK(fitting * 4 > numbers);
}

}  // namespace
}  // namespace reeve::policy
