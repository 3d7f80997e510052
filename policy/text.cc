// See text.h. Tested by tests/policy/matcher_test.cc.
#include "policy/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/words.h"

namespace reeve::policy {

CodePoint decode_utf8(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return {};
  uint32_t value = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(at + i) & 0x3Fu);
  }
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

namespace {

bool is_bidirectional(uint32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
         c == 0x200F || c == 0x061C;
}

bool is_zero_width(uint32_t c) {
  return (c >= 0x200B && c <= 0x200D) || (c >= 0x2060 && c <= 0x2064) || c == 0xFEFF ||
         c == 0x00AD || c == 0x180E || (c >= 0xE0000 && c <= 0xE007F);
}

bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

}  // namespace

const char* hidden_character(std::string_view text) {
  if (is_printable_ascii(text)) return nullptr;  // nearly all names
  size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<uint8_t>(text[at]);
    if (byte >= 0x20 && byte < 0x7F) {
      ++at;
      continue;
    }
    const CodePoint c = decode_utf8(text, at);
    if (c.length == 0) return "bytes that are not UTF-8";
    if (is_control(c.value)) return "a control character";
    if (is_bidirectional(c.value)) return "a bidirectional control character";
    if (is_zero_width(c.value)) return "a zero-width character";
    at += c.length;
  }
  return nullptr;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string shown(std::string_view text) {
  constexpr size_t kLongest = 80;
  std::string result;
  size_t at = 0;
  while (at < text.size() && result.size() < kLongest) {
    const CodePoint c = decode_utf8(text, at);
    const std::string_view part = text.substr(at, c.length == 0 ? 1 : c.length);
    if (hidden_character(part)) {
      result += '?';
    } else {
      result += part;
    }
    at += part.size();
  }
  if (at < text.size()) result += "...";
  return result;
}

std::string visible(std::string_view text, size_t most) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const size_t length = std::max<size_t>(point.length, 1);
    const std::string_view one = text.substr(at, length);
    at += length;
    if (point.length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(one[0]));
    } else if (hidden_character(one) != nullptr) {
      out += fmt::format("\\u{:04x}", point.value);
    } else {
      out += one;
    }
    if (out.size() >= most) return out + (at < text.size() ? "…" : "");
  }
  return out;
}

std::string listed(std::initializer_list<std::string_view> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace reeve::policy
