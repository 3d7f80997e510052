// JSON strings out. Most texts have nothing to escape and nothing to validate: they are copied and
// looked at in one go.
#include "policy/json_write.h"

#include <simdjson.h>

#include <algorithm>
#include <string>

#include "policy/json.h"
#include "policy/json_scan.h"

namespace reeve::json {
namespace {

#if defined(__SSE2__)
// Copies 16 bytes; not 0 when one of them is no plain ASCII.
int copy_block(char* to, const char* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  // As signed bytes, those beyond ASCII are below the space, too.
  const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  return _mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
}
#endif

constexpr uint64_t kOnes = ~uint64_t{0} / 255;

// Not 0 when one of the bytes of `word` is no plain ASCII.
uint64_t odd_bytes(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t slash = word ^ (kOnes * '\\');
  return ((word - kOnes * 0x20) | (quote - kOnes) | (slash - kOnes) | word) & (kOnes * 0x80);
}

uint64_t copy_word(char* to, const char* from) {
  const uint64_t word = load8(from);
  std::memcpy(to, &word, sizeof word);
  return odd_bytes(word);
}

// Copies `text`; false when it has something to escape or to validate.
bool copy_plain(char* to, std::string_view text) {
  const char* const from = text.data();
  const size_t size = text.size();
#if defined(__SSE2__)
  if (size >= 16) {
    int odd = 0;
    for (size_t at = 0; at + 16 < size; at += 16) odd |= copy_block(to + at, from + at);
    return (odd | copy_block(to + size - 16, from + size - 16)) == 0;
  }
#endif
  if (size >= 8) {
    uint64_t odd = 0;
    for (size_t at = 0; at + 8 < size; at += 8) odd |= copy_word(to + at, from + at);
    return (odd | copy_word(to + size - 8, from + size - 8)) == 0;
  }
  copy_bytes(to, from, size);
  // What load_short() leaves out of the word is filled with letters.
  const uint64_t filled = size >= 4 ? 0 : size == 0 ? kOnes * 'a' : kOnes * 'a' << 24;
  return odd_bytes(load_short(from, size) | filled) == 0;
}

// Writes valid UTF-8 as the inside of a string: the escapes of RFC 8785, 3.2.2.2, and no others.
// Room for six bytes for each is there.
char* escape(char* to, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const char* p = text.data();
  const char* const end = p + text.size();
  for (;;) {
    const char* const stop = skip_plain(p, end);
    to = copy_bytes(to, p, static_cast<size_t>(stop - p));
    if (stop == end) return to;
    const uint8_t c = static_cast<uint8_t>(*stop);
    p = stop + 1;
    *to++ = '\\';
    switch (c) {
      case '\b':
        *to++ = 'b';
        break;
      case '\f':
        *to++ = 'f';
        break;
      case '\n':
        *to++ = 'n';
        break;
      case '\r':
        *to++ = 'r';
        break;
      case '\t':
        *to++ = 't';
        break;
      case '"':
      case '\\':
        *to++ = static_cast<char>(c);
        break;
      default:
        to = copy_bytes(to, "u00", 3);
        *to++ = kHex[c >> 4];
        *to++ = kHex[c & 15];
    }
  }
}

// The length of the UTF-8 sequence that `text` begins with, or 0.
size_t sequence_length(std::string_view text) {
  for (size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (simdjson::validate_utf8(text.data(), length)) return length;
  }
  return 0;
}

std::string with_replacements(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    valid += length == 0 ? std::string_view("\uFFFD") : text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return valid;
}

}  // namespace

void write_valid_string(TextWriter& out, std::string_view text) {
  char* to = out.room(6 * text.size() + 2);
  *to++ = '"';
  to = escape(to, text);
  *to++ = '"';
  out.wrote(to);
}

void write_string(TextWriter& out, std::string_view text) {
  char* const to = out.room(text.size() + 2);
  *to = '"';
  if (copy_plain(to + 1, text)) {
    to[text.size() + 1] = '"';
    out.wrote(to + text.size() + 2);
  } else if (simdjson::validate_utf8(text.data(), text.size())) {
    write_valid_string(out, text);
  } else {
    write_valid_string(out, with_replacements(text));
  }
}

void append_string(std::string& out, std::string_view text) {
  TextWriter writer(out, text.size() + 2);
  write_string(writer, text);
}

}  // namespace reeve::json
