// See price.h. Tested by tests/policy/price_test.cc.
#include "policy/price.h"

#include <algorithm>
#include <limits>

#include "policy/args_reader.h"
#include "policy/call.h"

namespace reeve::policy {

namespace {

constexpr uint64_t kTokensPerPrice = 1'000'000;

// Tokens at prices for a million of them; rounded up once, at the end. 128 bits hold any sum of
// four products of 64 and 63 bits.
class Bill {
 public:
  void add(uint64_t tokens, Micros per_million) {
    const Wide product = static_cast<Wide>(tokens) * static_cast<uint64_t>(per_million);
    overflows_ = overflows_ || sum_ + product < sum_;
    sum_ += product;
  }
  // Nothing when it does not fit.
  std::optional<Micros> total() const {
    if (overflows_) return std::nullopt;
    const Wide price = sum_ / kTokensPerPrice + (sum_ % kTokensPerPrice != 0 ? 1 : 0);
    if (price > static_cast<Wide>(std::numeric_limits<Micros>::max())) return std::nullopt;
    return static_cast<Micros>(price);
  }

 private:
  using Wide = unsigned __int128;
  Wide sum_ = 0;
  bool overflows_ = false;
};

}  // namespace

std::optional<Micros> PriceTerms::of_arguments(const Call& call) const {
  if (!call.args) return std::nullopt;
  const std::optional<json::Value> found = ArgsReader(call).read(value).value;
  if (!found || !found->is_number()) return std::nullopt;
  const std::optional<Micros> cost = ceil_to_micros(found->raw());
  return cost && *cost <= amount ? cost : std::nullopt;
}

std::optional<Micros> PriceTerms::of_most_tokens() const {
  return of_tokens(*tokens.context, *tokens.max_output);
}

std::optional<uint64_t> PriceTerms::most_input(const TokenBounds& bounds) const {
  if (!bounds.reads_outside) return bounds.input;
  return tokens.context;
}

std::optional<uint64_t> PriceTerms::most_output(const TokenBounds& bounds) const {
  if (bounds.output) return bounds.output;
  uint64_t all = 0;
  if (!tokens.max_output || __builtin_mul_overflow(*tokens.max_output, bounds.answers, &all)) {
    return std::nullopt;
  }
  return all;
}

std::optional<Micros> PriceTerms::of_tokens(uint64_t input, uint64_t output) const {
  Bill bill;
  bill.add(input, std::max({tokens.input.value_or(0), tokens.cached_input.value_or(0),
                            tokens.cache_write.value_or(0)}));
  bill.add(output, tokens.output.value_or(0));
  const auto total = bill.total();
  return total ? std::optional(std::max(*total, amount)) : std::nullopt;
}

std::optional<Micros> PriceTerms::of_usage(const TokenUsage& usage) const {
  const Micros input = tokens.input.value_or(0);
  const uint64_t cached = std::min(usage.cached_input, usage.input);
  const uint64_t written = std::min(usage.cache_write, usage.input - cached);
  Bill bill;
  bill.add(usage.input - cached - written, input);
  bill.add(cached, tokens.cached_input.value_or(input));
  bill.add(written, tokens.cache_write.value_or(input));
  bill.add(usage.output, tokens.output.value_or(0));
  const auto total = bill.total();
  return total ? std::optional(std::max(*total, amount)) : std::nullopt;
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
