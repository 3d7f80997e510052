// The members of an object that a reader knows, found in one walk: each key's hash, which the tape
// holds, leads to the one name that it may be.
#ifndef REEVE_POLICY_JSON_KEYS_H_
#define REEVE_POLICY_JSON_KEYS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "policy/json.h"

namespace reeve::json {

// Immutable once made, so for any thread.
class KeySet {
 public:
  static constexpr size_t kMost = 24;

  // At most kMost names, which must outlive this. No two may differ in case alone.
  KeySet(std::initializer_list<std::string_view> names);

  struct Found {
    std::array<std::optional<Value>, kMost> values;  // in the order of the names
    // The name that the first key with this fault equals but for case (Value::has_case_variant);
    // empty: none.
    std::string_view variant;
  };
  // Reads an object; of any other value nothing is found. `found` may come from another call.
  void read(const Value& object, Found& found) const;

 private:
  static constexpr size_t kSlots = 64;

  std::array<std::string_view, kMost> names_{};
  std::array<uint32_t, kMost> hashes_{};
  std::array<uint8_t, kSlots> slots_{};  // by the hash's low bits: 1 + the name's place, or 0
  size_t count_ = 0;
};

}  // namespace reeve::json

#endif  // REEVE_POLICY_JSON_KEYS_H_
