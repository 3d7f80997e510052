// See field_name.h. A perfect hash of the length and three letters finds the only candidate, whose
// letters are then compared by the word.
//
// Tested by tests/proxy/head_oracle_test.cc.
#include "proxy/http/field_name.h"

#include "policy/words.h"

namespace reeve::http {
namespace {

constexpr size_t kLongest = 32;

struct Entry {
  char text[kLongest] = {};
  char case_bits[kLongest] = {};  // 0x20 where a letter stands: a letter's case, and nothing else
  uint8_t size = 0;
};

constexpr std::array<Entry, kFieldNameCount> make_entries() {
  std::array<Entry, kFieldNameCount> entries{};
  size_t at = static_cast<size_t>(kFirstListed);
  for (std::string_view name : kListedNames) {
    Entry& entry = entries[at++];
    entry.size = static_cast<uint8_t>(name.size());
    for (size_t i = 0; i < name.size(); ++i) {
      entry.text[i] = name[i];
      entry.case_bits[i] = name[i] >= 'a' && name[i] <= 'z' ? 0x20 : 0;
    }
  }
  return entries;
}

constexpr std::array<Entry, kFieldNameCount> kEntries = make_entries();

constexpr unsigned kSlotBits = 9;

constexpr uint32_t letters_of(std::string_view name) {
  const auto byte = [name](size_t i) {
    return static_cast<uint32_t>(static_cast<uint8_t>(name[i])) | 0x20;
  };
  return byte(0) | byte(name.size() / 2) << 8 | byte(name.size() - 1) << 16 |
         static_cast<uint32_t>(name.size()) << 24;
}

constexpr uint32_t slot_of(std::string_view name, uint32_t factor) {
  return (letters_of(name) * factor) >> (32 - kSlotBits);
}

constexpr bool collides(uint32_t factor) {
  std::array<bool, 1 << kSlotBits> used{};
  for (std::string_view name : kListedNames) {
    bool& slot = used[slot_of(name, factor)];
    if (slot) return true;
    slot = true;
  }
  return false;
}

constexpr uint32_t find_factor() {
  uint32_t factor = 0x9E3779B1;
  while (collides(factor)) factor = factor * 1664525 + 1013904223;
  return factor;
}

constexpr uint32_t kFactor = find_factor();

constexpr std::array<uint8_t, 1 << kSlotBits> make_slots() {
  std::array<uint8_t, 1 << kSlotBits> slots{};
  uint8_t at = static_cast<uint8_t>(kFirstListed);
  for (std::string_view name : kListedNames) slots[slot_of(name, kFactor)] = at++;
  return slots;
}

constexpr std::array<uint8_t, 1 << kSlotBits> kSlots = make_slots();

bool equals(const Entry& entry, std::string_view name) {
  const size_t size = name.size();
  if (entry.size != size) return false;
  if (size < 8) {
    return (load_short(name.data(), size) | load_short(entry.case_bits, size)) ==
           load_short(entry.text, size);
  }
  for (size_t at = 0;; at += 8) {
    if (at + 8 > size) at = size - 8;
    if ((load8(name.data() + at) | load8(entry.case_bits + at)) != load8(entry.text + at)) {
      return false;
    }
    if (at + 8 == size) return true;
  }
}

}  // namespace

FieldName field_name(std::string_view name) {
  if (name.empty()) return FieldName::kOther;
  const uint8_t candidate = kSlots[slot_of(name, kFactor)];
  if (equals(kEntries[candidate], name)) return static_cast<FieldName>(candidate);
  return unlisted_name(name);
}

}  // namespace reeve::http
