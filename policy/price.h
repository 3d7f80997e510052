// What one call costs, as a price says it. Internal to the library.
#ifndef REEVE_POLICY_PRICE_H_
#define REEVE_POLICY_PRICE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/condition.h"
#include "policy/money.h"
#include "policy/tokens.h"

namespace reeve::policy {

struct PriceTerms {
  enum class From : uint8_t {
    kFixed,   // `amount` for each call
    kArgs,    // the number at `value` in the arguments, at most `amount`
    kResult,  // what the result says at `value`; `amount` is reserved, never more is settled
    kTokens,  // by tokens
  };
  // Money for a million tokens. What is not given is priced as `input`, but `output`.
  struct Tokens {
    std::optional<Micros> input;
    std::optional<Micros> cached_input;
    std::optional<Micros> cache_write;
    std::optional<Micros> output;
    std::optional<uint64_t> context;     // the most input tokens
    std::optional<uint64_t> max_output;  // the most output tokens
  };
  From from = From::kFixed;
  Micros amount = 0;  // of kTokens: the least that a call costs, which only raise_to() sets
  ValueRef value;
  Tokens tokens;

  // Of kArgs: what the arguments say. Nothing when the value is absent, no number, negative, or
  // above the most. A fraction of a millionth counts as a whole one. Allocates nothing.
  std::optional<Micros> of_arguments(const Call& call) const;
  // Of kTokens: whether there is a most that a call can cost.
  bool bounds_tokens() const { return tokens.context && tokens.max_output; }
  // Of kTokens: for a full context and the longest answer; nothing when that does not fit. Requires
  // bounds_tokens().
  std::optional<Micros> of_most_tokens() const;
  // The most tokens of a call, by what it says and these terms; nothing when neither bounds them.
  std::optional<uint64_t> most_input(const TokenBounds& bounds) const;
  std::optional<uint64_t> most_output(const TokenBounds& bounds) const;
  // Of kTokens: for so many tokens, whichever way the input is charged; nothing when that does not
  // fit.
  std::optional<Micros> of_tokens(uint64_t input, uint64_t output) const;
  // Of kTokens: for those that were used. Never more than of_tokens() for as many.
  std::optional<Micros> of_usage(const TokenUsage& usage) const;
  // Makes these terms as dear as `other`, each part of them alone.
  void raise_to(const PriceTerms& other);
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PRICE_H_
