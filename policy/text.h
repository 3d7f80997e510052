// Small questions about text: UTF-8, characters that do not show, and how messages quote it.
#ifndef REEVE_POLICY_TEXT_H_
#define REEVE_POLICY_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace reeve::policy {

struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;  // in bytes; 0 when the bytes are not UTF-8
};

// The code point at `at`, strictly: no overlong forms, no surrogates. Requires at < text.size().
CodePoint decode_utf8(std::string_view text, size_t at);

// The bytes of the UTF-8 sequence that `lead` begins, in text known to be valid.
inline size_t utf8_length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// What makes a name malformed: a static phrase for a control, bidirectional or zero-width
// character or bytes that are not UTF-8; null when there is none.
const char* hidden_character(std::string_view text);

// In ASCII; other characters compare as they are.
bool equals_ignoring_case(std::string_view a, std::string_view b);

// `text` as a message may show it: cut at 80 bytes, characters that do not show as `?`.
std::string shown(std::string_view text);

// `text` as a person may safely read it: control, bidirectional and zero-width characters as \u
// escapes, bytes that are not UTF-8 as \x escapes, cut at `most` bytes.
std::string visible(std::string_view text, size_t most);

// "a, b, c"
std::string listed(std::initializer_list<std::string_view> words);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_TEXT_H_
