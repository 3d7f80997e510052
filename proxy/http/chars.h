// The character classes of RFC 9110 and RFC 9112 as one table of bits, so that a scan asks one
// load per byte. Internal to http/.
#ifndef REEVE_PROXY_HTTP_CHARS_H_
#define REEVE_PROXY_HTTP_CHARS_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace reeve::http {

inline constexpr uint8_t kToken = 1;       // tchar
inline constexpr uint8_t kFieldValue = 2;  // HTAB, SP, VCHAR, obs-text
inline constexpr uint8_t kTargetChar = 4;  // VCHAR but '#': a fragment is never sent
inline constexpr uint8_t kDigit = 8;
inline constexpr uint8_t kHexDigit = 16;
inline constexpr uint8_t kHostChar = 32;    // unreserved: no escape, no sub-delimiter
inline constexpr uint8_t kQuotedText = 64;  // qdtext of a quoted-string

constexpr std::array<uint8_t, 256> make_char_classes() {
  std::array<uint8_t, 256> table{};
  const auto mark = [&table](std::string_view chars, uint8_t bits) {
    for (char c : chars) table[static_cast<uint8_t>(c)] |= bits;
  };
  for (unsigned c = 0x20; c < 256; ++c) {
    if (c != 0x7f) table[c] |= kFieldValue;
    if (c != 0x7f && c != '"' && c != '\\') table[c] |= kQuotedText;
    if (c > 0x20 && c < 0x7f && c != '#') table[c] |= kTargetChar;
  }
  mark("\t", kFieldValue | kQuotedText);
  mark("0123456789", kDigit | kHexDigit | kToken | kHostChar);
  mark("abcdefABCDEF", kHexDigit);
  mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kToken | kHostChar);
  mark("!#$%&'*+-.^_`|~", kToken);
  mark("-._~", kHostChar);
  return table;
}

inline constexpr std::array<uint8_t, 256> kCharClasses = make_char_classes();

constexpr bool is(char c, uint8_t classes) {
  return (kCharClasses[static_cast<uint8_t>(c)] & classes) != 0;
}

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// Takes the first item off a comma-separated list, without the whitespace around it; may be empty.
constexpr std::string_view next_list_item(std::string_view& list) {
  const size_t comma = list.find(',');
  std::string_view item = list.substr(0, comma);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
  while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
  return item;
}

}  // namespace reeve::http

#endif  // REEVE_PROXY_HTTP_CHARS_H_
