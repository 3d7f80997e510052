// See guard_fold.h. Tables from the Unicode Character Database 15: Default_Ignorable_Code_Point,
// Zs, Pd, Nd. Tested by tests/policy/guard_text_test.cc.
#include "policy/guard_fold.h"

#include <algorithm>
#include <iterator>

#include "policy/text.h"

namespace reeve::policy {

namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

constexpr Range kUnseen[] = {
    {0x00, 0x08},       {0x0B, 0x0C},     {0x0E, 0x1F},     {0x7F, 0x9F},       {0xAD, 0xAD},
    {0x34F, 0x34F},     {0x61C, 0x61C},   {0x115F, 0x1160}, {0x17B4, 0x17B5},   {0x180B, 0x180F},
    {0x200B, 0x200F},   {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
};
constexpr Range kSpaces[] = {{0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                             {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
constexpr Range kDashes[] = {{0x58A, 0x58A},   {0x2010, 0x2015}, {0x2043, 0x2043},
                             {0x2212, 0x2212}, {0x2E3A, 0x2E3B}, {0x30FC, 0x30FC},
                             {0xFE58, 0xFE58}, {0xFE63, 0xFE63}};
constexpr Range kDots[] = {{0x2024, 0x2024}, {0x3002, 0x3002}, {0xFE52, 0xFE52}, {0xFF61, 0xFF61}};
// The zeros of decimal digits; nine more follow each.
constexpr uint32_t kZeros[] = {
    0x660,   0x6F0,   0x7C0,   0x966,   0x9E6,   0xA66,   0xAE6,   0xB66,   0xBE6,   0xC66,
    0xCE6,   0xD66,   0xDE6,   0xE50,   0xED0,   0xF20,   0x1040,  0x1090,  0x17E0,  0x1810,
    0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,
    0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,  0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136,
    0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50,
    0x11D50, 0x11DA0, 0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC,
    0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E950, 0x1FBF0,
};

template <size_t N>
bool is_in(const Range (&ranges)[N], uint32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& range) { return code >= range.first && code <= range.last; });
}

constexpr int kAsItIs = -1;
constexpr int kNothing = -2;

// The ASCII character that stands for `code`, or one of the above.
int folded(uint32_t code) {
  if (code >= 0x20 && code < 0x7F) return kAsItIs;
  if (code == '\t' || code == '\n' || code == '\r') return kAsItIs;
  if (code >= 0xFF01 && code <= 0xFF5E) return static_cast<int>(code - 0xFF01 + 0x21);
  if (is_in(kUnseen, code)) return kNothing;
  if (is_in(kSpaces, code)) return ' ';
  if (is_in(kDashes, code)) return '-';
  if (is_in(kDots, code)) return '.';
  if (code == 0xFE6B) return '@';
  const uint32_t* const zero = std::upper_bound(std::begin(kZeros), std::end(kZeros), code);
  if (zero != std::begin(kZeros) && code - zero[-1] < 10) {
    return static_cast<int>('0' + (code - zero[-1]));
  }
  return kAsItIs;
}

// Printable ASCII, tabs and line ends: what folding leaves alone.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t' || c == '\r';
  });
}

}  // namespace

bool FoldedText::fold(std::string_view source) {
  source_ = source;
  changed_ = false;
  if (is_plain(source)) return true;
  text_.clear();
  places_.clear();
  for (size_t at = 0; at < source.size();) {
    const CodePoint point = decode_utf8(source, at);
    if (point.length == 0) return false;
    const int as = folded(point.value);
    if (as == kAsItIs) {
      text_.append(source.substr(at, point.length));
      for (size_t i = 0; i < point.length; ++i) places_.push_back(static_cast<uint32_t>(at + i));
    } else {
      changed_ = true;
      if (as != kNothing) {
        text_.push_back(static_cast<char>(as));
        places_.push_back(static_cast<uint32_t>(at));
      }
    }
    at += point.length;
  }
  return true;
}

size_t FoldedText::source_end(size_t end) const {
  if (!changed_ || end == 0) return end;
  const size_t last = places_[end - 1];
  // A character that was replaced has several bytes there; one that was copied has each here.
  return source_[last] == text_[end - 1] ? last + 1 : last + utf8_length(source_[last]);
}

}  // namespace reeve::policy
