// JSON text out: strings, and the canonical form that digests are taken of.
//
// A number's canonical text comes from its digits alone, never through a double: it is the exact
// decimal value in the notation of ECMAScript. Where a double's shortest form is that same value,
// this is what RFC 8785 prescribes; where a double would round, the digits stay.
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "policy/json.h"
#include "policy/words.h"

namespace reeve::json {
namespace {

constexpr uint64_t kOnes = ~uint64_t{0} / 255;
constexpr uint64_t kHighBits = kOnes * 0x80;

// The high bits of the bytes of `word` that are escaped in a string; exact up to the lowest.
uint64_t escaped_bytes(uint64_t word) {
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t slash = word ^ (kOnes * '\\');
  return (((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
          ((slash - kOnes) & ~slash)) &
         kHighBits;
}

bool is_escaped(char c) { return static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\'; }

// Where the next byte is that is escaped, or the end.
size_t skip_plain(std::string_view text, size_t at) {
  static_assert(std::endian::native == std::endian::little);
  for (; at + 8 <= text.size(); at += 8) {
    const uint64_t found = escaped_bytes(load8(text.data() + at));
    if (found != 0) return at + static_cast<size_t>(std::countr_zero(found)) / 8;
  }
  while (at < text.size() && !is_escaped(text[at])) ++at;
  return at;
}

// Most texts: nothing to escape and nothing to validate.
bool is_plain_ascii(std::string_view text) {
  size_t at = 0;
  uint64_t odd = 0;
  for (; at + 8 <= text.size(); at += 8) {
    const uint64_t word = load8(text.data() + at);
    odd |= escaped_bytes(word) | (word & kHighBits);
  }
  if (odd != 0) return false;
  for (; at < text.size(); ++at) {
    if (is_escaped(text[at]) || static_cast<uint8_t>(text[at]) >= 0x80) return false;
  }
  return true;
}

// Appends valid UTF-8 as a string: the escapes of RFC 8785, 3.2.2.2, and no others.
void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t plain = 0;  // where the bytes not yet copied begin
  for (size_t i = skip_plain(text, 0); i < text.size(); i = skip_plain(text, i + 1)) {
    const uint8_t c = static_cast<uint8_t>(text[i]);
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    switch (c) {
      case '\b':
        out += 'b';
        break;
      case '\f':
        out += 'f';
        break;
      case '\n':
        out += 'n';
        break;
      case '\r':
        out += 'r';
        break;
      case '\t':
        out += 't';
        break;
      case '"':
      case '\\':
        out += static_cast<char>(c);
        break;
      default:
        out += "u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
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

// A decimal number as digits without outer zeros and the place of the point: 0.DIGITS x 10^point.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t point = 0;
};

// Reads the exponent part ("e+05"); false when it has more digits than sums are safe with.
bool read_exponent(std::string_view text, int64_t& exponent) {
  if (text.empty()) return true;
  text.remove_prefix(1);
  const bool negative = text.front() == '-';
  if (text.front() == '-' || text.front() == '+') text.remove_prefix(1);
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  if (text.size() > 17) return false;
  std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (negative) exponent = -exponent;
  return true;
}

// Reads a validated number; false when its exponent is beyond reason.
bool read_decimal(std::string_view text, Decimal& number) {
  number.negative = text.starts_with('-');
  if (number.negative) text.remove_prefix(1);
  const size_t e = std::min(text.find_first_of("eE"), text.size());
  const std::string_view mantissa = text.substr(0, e);
  const size_t dot = std::min(mantissa.find('.'), mantissa.size());
  number.digits = mantissa.substr(0, dot);
  if (dot < mantissa.size()) number.digits += mantissa.substr(dot + 1);
  int64_t exponent = 0;
  const size_t first = number.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    number.digits.clear();
    return true;
  }
  if (!read_exponent(text.substr(e), exponent)) return false;
  number.point = exponent + static_cast<int64_t>(dot) - static_cast<int64_t>(first);
  number.digits.erase(0, first);
  number.digits.erase(number.digits.find_last_not_of('0') + 1);
  return true;
}

// Appends the notation of ECMAScript's Number::toString.
void append_decimal(std::string& out, const Decimal& number) {
  const std::string& digits = number.digits;
  const int64_t count = static_cast<int64_t>(digits.size());
  const int64_t point = number.point;
  if (count == 0) {
    out += '0';
    return;
  }
  if (number.negative) out += '-';
  if (count <= point && point <= 21) {
    out.append(digits).append(point - count, '0');
  } else if (0 < point && point <= 21) {
    out.append(digits, 0, point).append(1, '.').append(digits, point);
  } else if (-6 < point && point <= 0) {
    out.append("0.").append(-point, '0').append(digits);
  } else {
    out += digits.front();
    if (count > 1) out.append(1, '.').append(digits, 1);
    out += point > 0 ? "e+" : "e-";
    out += std::to_string(point > 0 ? point - 1 : 1 - point);
  }
}

void append_number(std::string& out, std::string_view raw) {
  Decimal number;
  if (read_decimal(raw, number)) {
    append_decimal(out, number);
  } else {
    out += raw;  // as written: its own canonical form, and no other number's
  }
}

// Orders by UTF-16 code units (RFC 8785, 3.2.3). In UTF-8 only the characters beyond U+FFFF, whose
// surrogates stand below U+E000, are ordered otherwise than by bytes.
bool utf16_less(std::string_view a, std::string_view b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_a == a.end() || at_b == b.end()) return at_a == a.end() && at_b != b.end();
  const uint8_t x = static_cast<uint8_t>(*at_a);
  const uint8_t y = static_cast<uint8_t>(*at_b);
  if (x >= 0xF0 && (y == 0xEE || y == 0xEF)) return true;
  if (y >= 0xF0 && (x == 0xEE || x == 0xEF)) return false;
  return x < y;
}

struct Entry {
  std::string key;  // empty in arrays
  Value value;
};

// An object or array that is being written.
struct Open {
  std::vector<Entry> entries;
  size_t next = 0;
  bool object = false;
};

Open open_container(const Value& value) {
  Open open;
  open.object = value.is_object();
  open.entries.reserve(value.size());
  std::string scratch;
  for (const Member member : value.members()) {
    open.entries.push_back({std::string(member.key.text(scratch)), member.value});
  }
  for (const Value item : value.items()) open.entries.push_back({{}, item});
  if (open.object) {
    std::sort(open.entries.begin(), open.entries.end(),
              [](const Entry& a, const Entry& b) { return utf16_less(a.key, b.key); });
  }
  return open;
}

void append_scalar(std::string& out, const Value& value, std::string& scratch) {
  if (value.is_string()) {
    append_quoted(out, value.text(scratch));
  } else if (value.is_number()) {
    append_number(out, value.raw());
  } else {
    out += value.raw();
  }
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  if (is_plain_ascii(text)) {
    out += '"';
    out += text;
    out += '"';
  } else if (simdjson::validate_utf8(text.data(), text.size())) {
    append_quoted(out, text);
  } else {
    append_quoted(out, with_replacements(text));
  }
}

void append_canonical(std::string& out, const Value& value) {
  std::string scratch;
  std::vector<Open> stack;
  const auto begin = [&](const Value& v) {
    if (!v.is_object() && !v.is_array()) return append_scalar(out, v, scratch);
    stack.push_back(open_container(v));
    out += stack.back().object ? '{' : '[';
  };
  begin(value);
  while (!stack.empty()) {
    Open& open = stack.back();
    if (open.next == open.entries.size()) {
      out += open.object ? '}' : ']';
      stack.pop_back();
      continue;
    }
    if (open.next > 0) out += ',';
    const Entry& entry = open.entries[open.next++];
    if (open.object) {
      append_quoted(out, entry.key);
      out += ':';
    }
    const Value child = entry.value;  // `open` moves when the stack grows
    begin(child);
  }
}

}  // namespace reeve::json
