// Bytes in bulk for json*.cc: the end of a run of plain string text, and a key's hash.
#ifndef REEVE_POLICY_JSON_SCAN_H_
#define REEVE_POLICY_JSON_SCAN_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "policy/words.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace reeve::json {

#if defined(__SSE2__)
inline constexpr ptrdiff_t kBlock = 16;

// The place in 16 bytes of the first that ends a plain run of string text (a quote, a backslash or
// a control character), or 16.
inline int first_stop(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i last_control = _mm_set1_epi8(0x1F);
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  const int stops = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
  return std::countr_zero(static_cast<uint32_t>(stops) | 0x10000);
}
#else
inline constexpr ptrdiff_t kBlock = 8;

// The same for 8 bytes and any processor.
inline int first_stop(const char* p) {
  if constexpr (std::endian::native != std::endian::little) return 0;
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t word = load8(p);
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t backslash = word ^ (kOnes * '\\');
  // The high bit of each byte below 0x20, or 0 after the xor; right up to the first, which counts.
  const uint64_t stops = ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
                         ((backslash - kOnes) & ~backslash);
  return std::countr_zero(stops & (kOnes * 0x80)) / 8;
}
#endif

// The first quote, backslash or control character in [p, end), or `end`.
inline const char* skip_plain(const char* p, const char* end) {
  while (end - p >= kBlock) {
    const int stop = first_stop(p);
    if (stop < kBlock) {
      p += stop;
      break;
    }
    p += kBlock;
  }
  while (p != end && *p != '"' && *p != '\\' && static_cast<uint8_t>(*p) >= 0x20) ++p;
  return p;
}

// 32 well-mixed bits of a key, for which keys that differ only in the case of ASCII letters are
// one; `has_other` is set when the key has other characters, whose folding this does not know. Bits
// that case does not touch are lost with it (`@` is "`"): whoever compares hashes compares texts,
// too.
inline uint32_t hash_ignoring_case(std::string_view text, uint64_t seed, bool& has_other) {
  constexpr uint64_t kLower = 0x2020202020202020;
  const auto mix = [seed](uint64_t hash, uint64_t word) {
    const auto product = static_cast<unsigned __int128>(hash ^ (word | kLower)) * seed;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = 0x9E3779B97F4A7C15 + text.size();
  uint64_t seen = 0;
  const char* p = text.data();
  size_t left = text.size();
  for (; left > 8; left -= 8, p += 8) {
    const uint64_t word = load8(p);
    seen |= word;
    hash = mix(hash, word);
  }
  const uint64_t tail = load_short(p, left);
  has_other = ((seen | tail) & 0x8080808080808080) != 0;
  return static_cast<uint32_t>(mix(hash, tail) >> 32);
}

// Where the system puts it differs between processes, and seeds the hashes: so whoever writes the
// keys of a call cannot make them collide. Nothing but speed depends on it.
inline constexpr char kSeedPlace = 0;

// Of a key with characters beyond ASCII, which it folds first; in json_value.cc.
uint32_t hash_folded(std::string_view key, uint64_t seed);

// key_hash(), for those who hash many.
inline uint32_t hash_key(std::string_view key) {
  const uint64_t seed = reinterpret_cast<uintptr_t>(&kSeedPlace) * 0xD6E8FEB86659FD93 | 1;
  bool has_other = false;
  const uint32_t hash = hash_ignoring_case(key, seed, has_other);
  return has_other ? hash_folded(key, seed) : hash;
}

}  // namespace reeve::json

#endif  // REEVE_POLICY_JSON_SCAN_H_
