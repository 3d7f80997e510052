// See price.h. Tested by tests/policy/price_test.cc.
#include "policy/price.h"

#include <algorithm>
#include <limits>

#include "policy/args_reader.h"
#include "policy/call.h"

namespace reeve::policy {

namespace {

constexpr uint64_t kTokensPerPrice = 1'000'000;

// `tokens` at a price for a million of them, rounded up. 128 bits hold any product.
std::optional<Micros> price_of(uint64_t tokens, Micros per_million) {
  using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(tokens) * static_cast<uint64_t>(per_million);
  const Wide price = (product + kTokensPerPrice - 1) / kTokensPerPrice;
  if (price > static_cast<Wide>(std::numeric_limits<Micros>::max())) return std::nullopt;
  return static_cast<Micros>(price);
}

}  // namespace

std::optional<Micros> PriceTerms::of_arguments(const Call& call) const {
  if (!call.args) return std::nullopt;
  const std::optional<json::Value> found = ArgsReader(call).read(value).value;
  if (!found || !found->is_number()) return std::nullopt;
  const std::optional<Micros> cost = ceil_to_micros(found->raw());
  return cost && *cost <= amount ? cost : std::nullopt;
}

std::optional<Micros> PriceTerms::of_most_tokens() const {
  // Whichever way the input is charged.
  const Micros dearest = std::max(
      {tokens.input.value_or(0), tokens.cached_input.value_or(0), tokens.cache_write.value_or(0)});
  const auto input = price_of(*tokens.context, dearest);
  const auto output = price_of(*tokens.max_output, tokens.output.value_or(0));
  const auto sum = input && output ? checked_add(*input, *output) : std::nullopt;
  return sum ? std::optional(std::max(*sum, amount)) : std::nullopt;
}

void PriceTerms::raise_to(const PriceTerms& other) {
  const auto raise = [](auto& most, const auto& to) {
    if (to && (!most || *most < *to)) most = to;
  };
  amount = std::max(amount, other.amount);
  if (other.from != From::kTokens) return;
  from = From::kTokens;
  raise(tokens.input, other.tokens.input);
  raise(tokens.cached_input, other.tokens.cached_input);
  raise(tokens.cache_write, other.tokens.cache_write);
  raise(tokens.output, other.tokens.output);
  raise(tokens.context, other.tokens.context);
  raise(tokens.max_output, other.tokens.max_output);
}

}  // namespace reeve::policy
