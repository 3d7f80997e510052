// Runs of bytes in bulk: sixteen at a time where the processor can, eight elsewhere. Internal to
// http/.
#ifndef REEVE_PROXY_HTTP_SCAN_H_
#define REEVE_PROXY_HTTP_SCAN_H_

#include <bit>
#include <cstdint>

#include "policy/words.h"
#include "proxy/http/chars.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace reeve::http {

// Both return the place in a block of kScanBlock bytes, or kScanBlock.
#if defined(__SSE2__)
inline constexpr int kScanBlock = 16;

inline int first_control(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i found = _mm_or_si128(low, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
  return std::countr_zero(static_cast<uint32_t>(_mm_movemask_epi8(found)) | 0x10000);
}

inline int first_colon(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i found = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(':'));
  return std::countr_zero(static_cast<uint32_t>(_mm_movemask_epi8(found)) | 0x10000);
}
#else
inline constexpr int kScanBlock = 8;
inline constexpr uint64_t kEachByte = ~uint64_t{0} / 255;

// Of the high bits of the bytes that are 0 in `a`, the lowest is right.
inline uint64_t zero_bytes(uint64_t a) { return (a - kEachByte) & ~a & (kEachByte * 0x80); }

inline int first_control(const char* p) {
  if constexpr (std::endian::native != std::endian::little) return 0;
  const uint64_t word = load8(p);
  const uint64_t low = (word - kEachByte * 0x20) & ~word & (kEachByte * 0x80);
  return std::countr_zero(low | zero_bytes(word ^ (kEachByte * 0x7f))) / 8;
}

inline int first_colon(const char* p) {
  if constexpr (std::endian::native != std::endian::little) return 0;
  return std::countr_zero(zero_bytes(load8(p) ^ (kEachByte * ':'))) / 8;
}
#endif

// The first byte from `p` on that is no byte of a field value, or `end`.
inline const char* skip_value(const char* p, const char* end) {
  while (end - p >= kScanBlock) {
    const int stop = first_control(p);
    p += stop;
    if (stop == kScanBlock) continue;
    if (!is(*p, kFieldValue)) return p;
    ++p;
  }
  while (p != end && is(*p, kFieldValue)) ++p;
  return p;
}

// The first colon from `p` on, or `end`.
inline const char* find_colon(const char* p, const char* end) {
  while (end - p >= kScanBlock) {
    const int stop = first_colon(p);
    p += stop;
    if (stop != kScanBlock) return p;
  }
  while (p != end && *p != ':') ++p;
  return p;
}

// The first byte from `p` on that is not of `classes` (chars.h), or `end`.
inline const char* skip(const char* p, const char* end, uint8_t classes) {
  while (p != end && is(*p, classes)) ++p;
  return p;
}

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_SCAN_H_
