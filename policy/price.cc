// See price.h. Tested by tests/policy/spend_test.cc.
#include "policy/price.h"

#include <algorithm>

#include "policy/args_reader.h"
#include "policy/call.h"

namespace reeve::policy {

namespace {

constexpr int64_t kTokensPerPrice = 1'000'000;

// `tokens` at a price for a million of them, rounded up.
std::optional<Micros> price_of(uint64_t tokens, Micros per_million) {
  const auto product = checked_multiply(per_million, static_cast<int64_t>(tokens));
  if (!product) return std::nullopt;
  return *product / kTokensPerPrice + (*product % kTokensPerPrice != 0 ? 1 : 0);
}

}  // namespace

std::optional<Micros> PriceTerms::of_arguments(const Call& call) const {
  if (!call.args) return std::nullopt;
  const std::optional<json::Value> found = ArgsReader(call.args).read(value).value;
  if (!found || !found->is_number()) return std::nullopt;
  const std::optional<Micros> cost = ceil_to_micros(found->raw());
  return cost && *cost <= amount ? cost : std::nullopt;
}

std::optional<Micros> PriceTerms::of_most_tokens() const {
  if (!tokens.context || !tokens.max_output || !tokens.input || !tokens.output) return std::nullopt;
  // Whichever way the input is charged.
  const Micros dearest =
      std::max({*tokens.input, tokens.cached_input.value_or(0), tokens.cache_write.value_or(0)});
  const auto input = price_of(*tokens.context, dearest);
  const auto output = price_of(*tokens.max_output, *tokens.output);
  return input && output ? checked_add(*input, *output) : std::nullopt;
}

}  // namespace reeve::policy
