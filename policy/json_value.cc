// Look-ups on a parsed text: everything is read from the source bytes through the tape.
//
// Keys compare by their unescaped text, but first by the hash that their node holds; the members of
// an object are walked in order, which for the objects of a call is faster than any index, and only
// those of large ones searched.
#include <cassert>

#include "policy/json_scan.h"
#include "policy/json_tape.h"
#include "policy/text.h"

namespace reeve::json {
namespace {

// Matches the pieces of an escaped string against a plain one.
bool unescapes_to(std::string_view inner, std::string_view plain) {
  const bool prefix = unescape(inner, [&plain](std::string_view piece) {
    if (!plain.starts_with(piece)) return false;
    plain.remove_prefix(piece.size());
    return true;
  });
  return prefix && plain.empty();
}

constexpr uint8_t kBeyondAscii = 0xFF;  // no byte of UTF-8

// Takes the next character of `text` (valid UTF-8) under case folding: ASCII letters, and the two
// characters that fold to one, U+017F (long s) and U+212A (Kelvin sign). All others beyond ASCII
// count as one character: no table of them is needed to miss none that some reader folds.
uint8_t take_folded(std::string_view& text) {
  const uint8_t c = static_cast<uint8_t>(text.front());
  if (c < 0x80) {
    text.remove_prefix(1);
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  }
  const uint8_t folded = text.starts_with("\u017f")   ? 's'
                         : text.starts_with("\u212a") ? 'k'
                                                      : kBeyondAscii;
  text.remove_prefix(std::min(policy::utf8_length(static_cast<char>(c)), text.size()));
  return folded;
}

}  // namespace

bool equals_folded(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (take_folded(a) != take_folded(b)) return false;
  }
  return a.empty() && b.empty();
}

uint32_t key_hash(std::string_view key) { return hash_key(key); }

uint32_t hash_folded(std::string_view key, uint64_t seed) {
  bool has_other = false;
  std::string scratch;
  return hash_ignoring_case(fold(key, scratch), seed, has_other);
}

const Node& Value::node() const { return parser_->tape_->nodes[index_]; }

Type Value::type() const { return type_of(node()); }

std::string_view Value::raw() const {
  const Node& n = node();
  return parser_->source_.substr(n.begin, n.end - n.begin);
}

size_t Value::offset() const { return node().begin; }

std::string_view Value::text(std::string& scratch) const {
  assert(is_string());
  const std::string_view quoted = raw();
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  if ((node().info & kEscapes) == 0) return inner;
  scratch.clear();
  unescape(inner, [&scratch](std::string_view piece) {
    scratch.append(piece);
    return true;
  });
  return scratch;
}

bool Value::equals(std::string_view other) const {
  if (!is_string()) return false;
  const std::string_view quoted = raw();
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  if ((node().info & kEscapes) == 0) return inner == other;
  return unescapes_to(inner, other);
}

std::optional<Value> Value::find(std::string_view key) const {
  return look_up(key, hash_key(key)).value;
}

bool Value::has_case_variant(std::string_view key) const {
  return look_up(key, hash_key(key)).has_variant;
}

Value::Lookup Value::look_up(std::string_view key, uint32_t hash) const {
  Lookup found;
  const Tape& tape = *parser_->tape_;
  const Node* const nodes = tape.nodes.get();
  const Node& object = nodes[index_];
  if (type_of(object) != Type::kObject) return found;
  const uint32_t count = object.info >> kCountShift;
  uint32_t at = index_ + 1;
  if (object.info & kIndexed) {
    const uint64_t* const begin = tape.index.data() + (nodes[at].info >> kCountShift);
    const uint64_t* const end = begin + count;
    const uint64_t* entry = std::lower_bound(begin, end, uint64_t{hash} << 32);
    for (; entry != end && *entry >> 32 == hash; ++entry) {
      settle(static_cast<uint32_t>(*entry), key, found);
    }
    return found;
  }
  for (uint32_t left = count; left > 0; --left) {
    if (nodes[at].next == hash) settle(at, key, found);
    at = nodes[at + 1].next;
  }
  return found;
}

void Value::settle(uint32_t name_index, std::string_view key, Lookup& found) const {
  const Value name(parser_, name_index);
  if (name.equals(key)) {
    found.value = Value(parser_, name_index + 1);
  } else if (!found.has_variant) {
    std::string scratch;
    found.has_variant = equals_folded(name.text(scratch), key);
  }
}

size_t Value::size() const { return node().info >> kCountShift; }

Value::Members Value::members() const {
  Members members;
  members.parser_ = parser_;
  members.index_ = index_;
  return members;
}

Value::Items Value::items() const {
  Items items;
  items.parser_ = parser_;
  items.index_ = index_;
  return items;
}

Value::Members::Iterator Value::Members::begin() const {
  Iterator it;
  it.parser_ = parser_;
  it.index_ = index_ + 1;
  const Node& node = parser_->tape_->nodes[index_];
  it.left_ = type_of(node) == Type::kObject ? node.info >> kCountShift : 0;
  return it;
}
Value::Members::Iterator Value::Members::end() const { return {}; }

Member Value::Members::Iterator::operator*() const {
  return {Value(parser_, index_), Value(parser_, index_ + 1)};
}

Value::Members::Iterator& Value::Members::Iterator::operator++() {
  index_ = parser_->tape_->nodes[index_ + 1].next;
  --left_;
  return *this;
}

Value::Items::Iterator Value::Items::begin() const {
  Iterator it;
  it.parser_ = parser_;
  it.index_ = index_ + 1;
  const Node& node = parser_->tape_->nodes[index_];
  it.left_ = type_of(node) == Type::kArray ? node.info >> kCountShift : 0;
  return it;
}
Value::Items::Iterator Value::Items::end() const { return {}; }

Value Value::Items::Iterator::operator*() const { return Value(parser_, index_); }

Value::Items::Iterator& Value::Items::Iterator::operator++() {
  index_ = parser_->tape_->nodes[index_].next;
  --left_;
  return *this;
}

std::string_view fold(std::string_view text, std::string& scratch) {
  const auto changes = [](char c) {
    return (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80;
  };
  if (std::none_of(text.begin(), text.end(), changes)) return text;
  scratch.clear();
  while (!text.empty()) scratch += static_cast<char>(take_folded(text));
  return scratch;
}

}  // namespace reeve::json
