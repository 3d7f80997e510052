// Short texts by the machine word: names, keys and labels of a few bytes are compared and hashed
// for every call, where a call of memcmp costs more than the comparison.
#ifndef REEVE_POLICY_WORDS_H_
#define REEVE_POLICY_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace reeve {

inline uint64_t load8(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// All of up to 8 bytes, in an order that only their number tells; the rest is 0 or repeats some.
inline uint64_t load_short(const char* p, size_t size) {
  if (size == 8) return load8(p);
  if (size >= 4) {
    uint32_t low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + size - 4, 4);
    return low | static_cast<uint64_t>(high) << 32;
  }
  if (size == 0) return 0;
  const auto byte = [p](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(p[i])); };
  return byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
}

// Copies `size` bytes, which do not overlap; the end of the copy. Short ones without a call.
inline char* copy_bytes(char* to, const char* from, size_t size) {
  if (size > 64) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    for (size_t at = 0; at + 16 < size; at += 16) std::memcpy(to + at, from + at, 16);
    std::memcpy(to + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
  } else if (size > 0) {
    to[0] = from[0];
    to[size / 2] = from[size / 2];
    to[size - 1] = from[size - 1];
  }
  return to + size;
}
inline char* copy_text(char* to, std::string_view text) {
  return copy_bytes(to, text.data(), text.size());
}

// Whether `size` bytes are the same at both.
inline bool same_bytes(const char* a, const char* b, size_t size) {
  if (size <= 8) return load_short(a, size) == load_short(b, size);
  for (size_t at = 0; at + 8 < size; at += 8) {
    if (load8(a + at) != load8(b + at)) return false;
  }
  return load8(a + size - 8) == load8(b + size - 8);
}

inline bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_bytes(a.data(), b.data(), a.size());
}
inline bool begins_with(std::string_view text, std::string_view head) {
  return text.size() >= head.size() && same_bytes(text.data(), head.data(), head.size());
}
inline bool ends_with(std::string_view text, std::string_view tail) {
  return text.size() >= tail.size() &&
         same_bytes(text.data() + text.size() - tail.size(), tail.data(), tail.size());
}

// 64 well-mixed bits; not against those who choose the texts.
inline uint64_t hash_words(std::string_view text) {
  const auto mix = [](uint64_t word, uint64_t factor) {
    const auto product = static_cast<unsigned __int128>(word) * factor;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = 0x9E3779B97F4A7C15u ^ text.size();
  const char* p = text.data();
  size_t left = text.size();
  for (; left > 8; left -= 8, p += 8) hash = mix(hash ^ load8(p), 0xD6E8FEB86659FD93u);
  return mix(hash ^ load_short(p, left), 0xA0761D6478BD642Fu);
}

// Whether all bytes are ASCII that shows, or spaces.
inline bool is_printable_ascii(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  // Bytes below 0x20 borrow, 0x7F carries, into the high bit, which others have by themselves.
  const auto bad = [](uint64_t word) { return (word - kOnes * 0x20) | word | (word + kOnes); };
  if (text.size() < 8) {
    const uint64_t spaces = text.size() >= 4 ? 0 : kOnes * 0x20 & ~uint64_t{0xFFFFFF};
    if (text.empty()) return true;
    return (bad(load_short(text.data(), text.size()) | spaces) & kOnes * 0x80) == 0;
  }
  uint64_t found = bad(load8(text.data() + text.size() - 8));
  for (size_t at = 0; at + 8 < text.size(); at += 8) found |= bad(load8(text.data() + at));
  return (found & kOnes * 0x80) == 0;
}

}  // namespace reeve

#endif  // REEVE_POLICY_WORDS_H_
