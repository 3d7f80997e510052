// See json_keys.h. Tested by tests/policy/json_canonical_test.cc.
#include "policy/json_keys.h"

#include <cassert>

#include "policy/json_tape.h"
#include "policy/words.h"

namespace reeve::json {

KeySet::KeySet(std::initializer_list<std::string_view> names) {
  assert(names.size() <= kMost);
  for (std::string_view name : names) {
    names_[count_] = name;
    hashes_[count_] = key_hash(name);
    size_t slot = hashes_[count_] % kSlots;
    while (slots_[slot] != 0) slot = (slot + 1) % kSlots;
    slots_[slot] = static_cast<uint8_t>(++count_);
  }
}

void KeySet::read(const Value& object, Found& found) const {
  for (size_t i = 0; i < count_; ++i) found.values[i].reset();
  found.variant = {};
  const Parser* const parser = object.parser_;
  const Node* const nodes = parser->tape_->nodes.get();
  const Node& node = nodes[object.index_];
  if (type_of(node) != Type::kObject) return;
  uint32_t at = object.index_ + 1;
  for (uint32_t left = node.info >> kCountShift; left > 0; --left) {
    const uint32_t hash = nodes[at].next;
    for (size_t slot = hash % kSlots; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
      const size_t known = slots_[slot] - 1u;
      if (hashes_[known] != hash) continue;
      const Node& key = nodes[at];
      const std::string_view inner = parser->source_.substr(key.begin + 1, key.end - key.begin - 2);
      if ((key.info & kEscapes) == 0 ? same_text(inner, names_[known])
                                     : Value(parser, at).equals(names_[known])) {
        found.values[known] = Value(parser, at + 1);
      } else if (found.variant.empty()) {
        std::string scratch;
        if (equals_folded(Value(parser, at).text(scratch), names_[known])) {
          found.variant = names_[known];
        }
      }
    }
    at = nodes[at + 1].next;
  }
}

}  // namespace reeve::json
