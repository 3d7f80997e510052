// See pin_text.h. Properties from the Unicode Character Database 15 (Default_Ignorable_Code_Point,
// Bidi_Control, Script); look-alikes are what UTS 39 calls mixed-script confusables, of the scripts
// that are in fact used for it. Tested by tests/proxy/pin_test.cc.
#include "proxy/mcp/pin_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "policy/text.h"

namespace reeve::mcp {

namespace {

using Kind = HiddenText::Kind;

bool is_between(uint32_t code, uint32_t first, uint32_t last) {
  return code >= first && code <= last;
}

// Characters that a variation selector or a joiner may follow, as in emoji.
bool is_pictorial(uint32_t code) {
  return is_between(code, 0x203C, 0x3299) || is_between(code, 0x1F000, 0x1FAFF) || code == 0xA9 ||
         code == 0xAE || code == '#' || code == '*' || is_between(code, '0', '9') || code == 0xFE0F;
}

std::optional<Kind> kind_of(uint32_t code, uint32_t before) {
  if (code < 0x20) {
    if (code == '\t' || code == '\n' || code == '\r') return std::nullopt;
    return Kind::kControl;
  }
  if (code < 0x7F) return std::nullopt;
  if (is_between(code, 0x7F, 0x9F)) return Kind::kControl;
  if (code == 0x61C || is_between(code, 0x200E, 0x200F) || is_between(code, 0x202A, 0x202E) ||
      is_between(code, 0x2066, 0x2069)) {
    return Kind::kBidirectional;
  }
  if (is_between(code, 0xE0000, 0xE007F)) return Kind::kTag;
  if (code == 0xFE0F || code == 0xFE0E) {
    if (is_pictorial(before)) return std::nullopt;
    return Kind::kVariationSelector;
  }
  if (is_between(code, 0xFE00, 0xFE0D) || is_between(code, 0xE0080, 0xE0FFF) ||
      is_between(code, 0x180B, 0x180F)) {
    return Kind::kVariationSelector;
  }
  if (code == 0x200D && is_pictorial(before)) return std::nullopt;
  if (code == 0xAD || code == 0x34F || is_between(code, 0x115F, 0x1160) ||
      is_between(code, 0x17B4, 0x17B5) || is_between(code, 0x200B, 0x200D) ||
      is_between(code, 0x2028, 0x2029) || is_between(code, 0x2060, 0x2065) ||
      is_between(code, 0x206A, 0x206F) || code == 0x3164 || code == 0xFEFF || code == 0xFFA0 ||
      is_between(code, 0xFFF0, 0xFFFB)) {
    return Kind::kZeroWidth;
  }
  if (is_between(code, 0xE000, 0xF8FF) || is_between(code, 0xFDD0, 0xFDEF) || code >= 0xF0000 ||
      (code & 0xFFFE) == 0xFFFE) {
    return Kind::kPrivateUse;
  }
  return std::nullopt;
}

// Letters of a word by script: what is mixed with Latin ones to look like them.
bool is_latin(uint32_t code) {
  return is_between(code | 0x20, 'a', 'z') || is_between(code, 0xC0, 0x24F);
}
bool is_like_latin(uint32_t code) {
  return is_between(code, 0x370, 0x3FF) || is_between(code, 0x400, 0x52F) ||
         is_between(code, 0x531, 0x58F) || is_between(code, 0x13A0, 0x13FF) ||
         is_between(code, 0xFF21, 0xFF5A) || is_between(code, 0x1D400, 0x1D7CB);
}

class Findings {
 public:
  Findings(const std::string& where, std::vector<HiddenText>& found)
      : where_(where), found_(found), first_(found.size()) {}

  void add(Kind kind, uint32_t code) {
    for (size_t i = first_; i < found_.size(); ++i) {
      if (found_[i].kind != kind) continue;
      ++found_[i].count;
      return;
    }
    found_.push_back({kind, where_, code, 1});
  }

 private:
  const std::string& where_;
  std::vector<HiddenText>& found_;
  size_t first_;
};

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kControl:
      return "control characters";
    case Kind::kBidirectional:
      return "bidirectional controls";
    case Kind::kZeroWidth:
      return "characters without width";
    case Kind::kTag:
      return "tag characters";
    case Kind::kVariationSelector:
      return "variation selectors";
    case Kind::kPrivateUse:
      return "characters without a meaning";
    case Kind::kMixedScripts:
      return "letters of two scripts in one word";
  }
  return "";
}

void find_hidden(std::string_view text, const std::string& where, std::vector<HiddenText>& found) {
  Findings findings(where, found);
  uint32_t before = 0;
  bool latin = false;  // of the word so far
  uint32_t alike = 0;  // a letter of it that is like a Latin one, or 0
  const auto end_word = [&] {
    if (latin && alike != 0) findings.add(Kind::kMixedScripts, alike);
    latin = false;
    alike = 0;
  };
  for (size_t at = 0; at < text.size();) {
    const policy::CodePoint point = policy::decode_utf8(text, at);
    if (point.length == 0) break;  // the parser lets no such text through
    const auto kind = kind_of(point.value, before);
    if (kind) findings.add(*kind, point.value);
    if (is_latin(point.value)) {
      latin = true;
    } else if (is_like_latin(point.value)) {
      if (alike == 0) alike = point.value;
    } else if (!kind) {
      end_word();
    }
    before = point.value;
    at += point.length;
  }
  end_word();
}

void find_hidden(const json::Value& value, const std::string& where,
                 std::vector<HiddenText>& found) {
  std::string scratch;
  if (value.is_string()) return find_hidden(value.text(scratch), where, found);
  for (const json::Member member : value.members()) {
    const std::string key(member.key.text(scratch));
    const std::string place = where.empty() ? key : where + "." + policy::shown(key);
    find_hidden(key, place, found);
    find_hidden(member.value, place, found);
  }
  size_t index = 0;
  for (const json::Value item : value.items()) {
    find_hidden(item, fmt::format("{}.{}", where, index++), found);
  }
}

void append_visible(std::string& out, std::string_view text) {
  out.push_back('"');
  for (size_t at = 0; at < text.size();) {
    const policy::CodePoint point = policy::decode_utf8(text, at);
    const size_t length = std::max<size_t>(point.length, 1);
    const std::string_view part = text.substr(at, length);
    if (point.length > 1 && (policy::hidden_character(part) || kind_of(point.value, 0))) {
      if (point.value < 0x10000) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", point.value);
      } else {
        const uint32_t rest = point.value - 0x10000;
        fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10),
                       0xDC00 + (rest & 0x3FF));
      }
    } else {
      std::string quoted;
      json::append_string(quoted, part);
      out.append(quoted, 1, quoted.size() - 2);
    }
    at += length;
  }
  out.push_back('"');
}

}  // namespace reeve::mcp
