// Tokens of a call on an LLM API: the most that it can take, and what it took.
#ifndef REEVE_POLICY_TOKENS_H_
#define REEVE_POLICY_TOKENS_H_

#include <cstdint>
#include <optional>

namespace reeve::policy {

// The most, as the request tells it.
struct TokenBounds {
  uint64_t input = 0;
  // The request refers to content outside it (images, files, earlier answers): its size bounds
  // nothing, only the price's `context` does.
  bool reads_outside = false;
  // Of all answers together; nothing where the request does not say: then the price's `max_output`
  // for each of `answers`.
  std::optional<uint64_t> output;
  uint64_t answers = 1;
};

// As the answer tells it.
struct TokenUsage {
  uint64_t input = 0;  // all of it, the two below included
  uint64_t cached_input = 0;
  uint64_t cache_write = 0;
  uint64_t output = 0;  // reasoning included

  friend bool operator==(const TokenUsage&, const TokenUsage&) = default;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_TOKENS_H_
