// Amounts of the policy language with their units: money, limits, durations, shares. Internal to
// parsing.
#ifndef REEVE_POLICY_PARSE_AMOUNTS_H_
#define REEVE_POLICY_PARSE_AMOUNTS_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "policy/document.h"
#include "policy/parse_fields.h"

namespace reeve::policy {

struct Amount {
  Micros amount = 0;
  std::string currency;
};
// Each is an error and nothing when the text is not of its form.

// `0.005 USD`.
std::optional<Amount> read_money(FileReader& reader, const Text& text);
// `2.50 USD per 1M tokens`, as money for a million.
std::optional<Amount> read_token_price(FileReader& reader, const Text& text);
// `20 USD per day`, `100 calls per hour`, `500 USD total`.
std::optional<Limit> read_limit(FileReader& reader, const Text& text);
// `60 calls per minute`, `4 concurrent`, `3 repeats per 10m`, `50 steps per session`.
std::optional<RateLimit> read_rate_limit(FileReader& reader, const Text& text);
// `15m`: a whole number of s, m, h, d or w, from one second to 3650 days.
std::optional<std::chrono::seconds> read_duration(FileReader& reader, const Text& text);
// `80%`, from 1 to 100.
std::optional<int> read_percent(FileReader& reader, const Text& text);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PARSE_AMOUNTS_H_
