// The tape that json.cc writes, and the other json*.cc read; included by no one else.
//
// One 16-byte node for each value and key, in source order. A container's children follow it; a
// member is its key's node and then its value. After a key always comes its value, so `next` of a
// key holds key_hash() instead: a key is found, and one that differs from it in case, by comparing
// numbers.
#ifndef REEVE_POLICY_JSON_TAPE_H_
#define REEVE_POLICY_JSON_TAPE_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/json.h"

namespace reeve::json {

struct Node {
  uint32_t begin;  // of the raw bytes in the source
  uint32_t end;    // one past them
  uint32_t next;   // the node after this value and all inside it; of a key, its hash
  uint32_t info;   // Type in bits 0..2, kEscapes or kIndexed, members or items from bit 4
};

inline constexpr uint32_t kEscapes = 8;
// Of an object: its keys are in Tape::index, sorted, from where bits 4 and up of its first key say.
inline constexpr uint32_t kIndexed = 8;
inline constexpr uint32_t kCountShift = 4;
inline constexpr size_t kFirstNodes = 64;

inline Type type_of(const Node& node) { return static_cast<Type>(node.info & 7); }

// An object or array that is still open.
struct Frame {
  uint32_t node;
  uint32_t count;    // members or items so far
  size_t first_key;  // where this object's keys begin in Tape::keys
  bool object;
};

// An object or array that is being written in canonical form.
struct OpenValue {
  uint32_t at = 0;     // the next key or item, or its place in Tape::sorted
  uint32_t left = 0;   // members or items
  uint32_t first = 0;  // where Tape::sorted ends without it
  bool object = false;
  bool in_sorted = false;  // its keys stand in Tape::sorted
  bool fresh = true;       // nothing of it has been written
};

struct SortedKey {
  std::string_view text;
  uint32_t node;
};

struct Tape {
  std::unique_ptr<Node[]> nodes;  // not a vector: growing must not write what is not used
  size_t capacity = 0;
  uint32_t size = 0;
  std::vector<Frame> stack;
  std::vector<uint64_t> keys;   // of the objects still open: hash in the high half, node in the low
  std::vector<uint64_t> index;  // the same, of objects with many keys
  std::string scratch;
  std::vector<OpenValue> open;    // for append_canonical()
  std::vector<SortedKey> sorted;  // the same

  void grow() {
    const size_t wanted = std::max(kFirstNodes, capacity * 2);
    auto larger = std::make_unique_for_overwrite<Node[]>(wanted);
    if (size > 0) std::memcpy(larger.get(), nodes.get(), size * sizeof(Node));
    nodes = std::move(larger);
    capacity = wanted;
  }
};

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hexadecimal digits at `p`, or -1.
inline int32_t hex4(const char* p) {
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(p[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

inline bool is_high_surrogate(int32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
inline bool is_low_surrogate(int32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

inline size_t encode_utf8(uint32_t code, char out[4]) {
  if (code < 0x80) return out[0] = static_cast<char>(code), 1;
  size_t tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const uint32_t lead = tail == 1 ? 0xC0 : tail == 2 ? 0xE0 : 0xF0;
  out[0] = static_cast<char>(lead | (code >> (6 * tail)));
  for (size_t i = 1; i <= tail; ++i) {
    out[i] = static_cast<char>(0x80 | ((code >> (6 * (tail - i))) & 0x3F));
  }
  return tail + 1;
}

// Calls `sink` with the pieces of a validated string's text, unescaped, until it returns false.
template <class Sink>
bool unescape(std::string_view inner, Sink&& sink) {
  const char* p = inner.data();
  const char* const end = p + inner.size();
  while (p != end) {
    const char* stop = static_cast<const char*>(std::memchr(p, '\\', end - p));
    if (stop == nullptr) return sink(std::string_view(p, end - p));
    if (stop != p && !sink(std::string_view(p, stop - p))) return false;
    char piece[4];
    size_t length = 1;
    p = stop + 2;
    switch (stop[1]) {
      case 'b':
        piece[0] = '\b';
        break;
      case 'f':
        piece[0] = '\f';
        break;
      case 'n':
        piece[0] = '\n';
        break;
      case 'r':
        piece[0] = '\r';
        break;
      case 't':
        piece[0] = '\t';
        break;
      case 'u': {
        uint32_t code = hex4(p);
        p += 4;
        if (is_high_surrogate(code)) {
          code = 0x10000 + ((code - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
          p += 6;
        }
        length = encode_utf8(code, piece);
        break;
      }
      default:
        piece[0] = stop[1];  // quote, backslash, slash
    }
    if (!sink(std::string_view(piece, length))) return false;
  }
  return true;
}

}  // namespace reeve::json

#endif  // REEVE_POLICY_JSON_TAPE_H_
