// Names to numbers, asked for every call: open addressing with the names' hashes beside them.
#ifndef REEVE_POLICY_NAME_INDEX_H_
#define REEVE_POLICY_NAME_INDEX_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/words.h"

namespace reeve::policy {

class NameIndex {
 public:
  // `name` is not there yet.
  void add(std::string name, uint32_t value) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    const uint64_t hash = hash_words(name);
    place(Slot{hash, value, true, std::move(name)});
    ++used_;
  }

  std::optional<uint32_t> find(std::string_view name) const {
    if (slots_.empty()) return std::nullopt;
    const uint64_t hash = hash_words(name);
    for (size_t at = hash;; ++at) {
      const Slot& slot = slots_[at & (slots_.size() - 1)];
      if (!slot.used) return std::nullopt;
      if (slot.hash == hash && same_text(slot.name, name)) return slot.value;
    }
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t value = 0;
    bool used = false;
    std::string name;
  };

  void place(Slot slot) {
    size_t at = slot.hash;
    while (slots_[at & (slots_.size() - 1)].used) ++at;
    slots_[at & (slots_.size() - 1)] = std::move(slot);
  }
  void grow() {
    std::vector<Slot> old(std::bit_ceil(2 * slots_.size() + 8));
    slots_.swap(old);
    for (Slot& slot : old) {
      if (slot.used) place(std::move(slot));
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them used
  size_t used_ = 0;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_NAME_INDEX_H_
