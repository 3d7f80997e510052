// How much of a call's arguments the record keeps: `audit.arguments`, an upstream's `audit:
// {arguments: …}`, a rule's `audit`.
#ifndef REEVE_PROXY_KEPT_ARGUMENTS_H_
#define REEVE_PROXY_KEPT_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace reeve {

enum class KeptArguments : uint8_t {
  kDigest,    // their SHA-256
  kRedacted,  // their shape and names as well, and of values the type and length
  kFull,      // the values as well
};

// Of `digest`, `redacted` or `full`; nothing for another word.
inline std::optional<KeptArguments> kept_arguments(std::string_view word) {
  if (word == "digest") return KeptArguments::kDigest;
  if (word == "redacted") return KeptArguments::kRedacted;
  if (word == "full") return KeptArguments::kFull;
  return std::nullopt;
}

}  // namespace reeve

#endif  // REEVE_PROXY_KEPT_ARGUMENTS_H_
