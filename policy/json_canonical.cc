// The canonical form that digests are taken of.
//
// A number's canonical text comes from its digits alone, never through a double: it is the exact
// decimal value in the notation of ECMAScript. Where a double's shortest form is that same value,
// this is what RFC 8785 prescribes; where a double would round, the digits stay.
//
// Strings without escapes and plain numbers are canonical as they stand in the source, and members
// that are in order are written in one walk over the tape; only others are sorted first.
// Tested by tests/policy/json_canonical_test.cc and tests/fuzz/json_fuzz.cc.
#include <algorithm>
#include <charconv>
#include <forward_list>

#include "policy/json_tape.h"
#include "policy/json_write.h"

namespace reeve::json {
namespace {

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

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether a validated number is its own canonical form for sure: up to 20 digits, of which the
// first is not 0, or after a point the last; no exponent.
bool is_canonical(std::string_view raw) {
  const size_t first = raw.front() == '-' ? 1 : 0;
  if (raw.size() > 21) return false;
  if (raw[first] == '0') return raw == "0";
  bool point = false;
  for (size_t i = first; i < raw.size(); ++i) {
    if (is_digit(raw[i])) continue;
    if (raw[i] != '.') return false;
    point = true;
  }
  return !point || raw.back() != '0';
}

void write_number(TextWriter& out, std::string_view raw) {
  if (is_canonical(raw)) return out.text(raw);
  Decimal number;
  // Beyond reason: as written, its own canonical form, and no other number's.
  if (!read_decimal(raw, number)) return out.text(raw);
  std::string text;
  append_decimal(text, number);
  out.text(text);
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

}  // namespace

// Writes one value; what is open stands on a stack of the tape's, so that nothing is allocated once
// the parser is warm.
class Canonical {
 public:
  Canonical(TextWriter& out, const Value& value)
      : out_(out),
        tape_(*value.parser_->tape_),
        source_(value.parser_->source_),
        root_(value.index_) {}

  void run() {
    tape_.open.clear();
    tape_.sorted.clear();
    begin(root_);
    while (!tape_.open.empty()) {
      OpenValue& open = tape_.open.back();
      if (open.left == 0) {
        out_.character(open.object ? '}' : ']');
        if (open.in_sorted) tape_.sorted.resize(open.first);
        tape_.open.pop_back();
        continue;
      }
      if (!open.fresh) out_.character(',');
      open.fresh = false;
      --open.left;
      const uint32_t at = open.in_sorted ? tape_.sorted[open.at++].node : open.at;
      const uint32_t value = open.object ? at + 1 : at;
      if (!open.in_sorted) open.at = tape_.nodes[value].next;
      if (open.object) {
        write_string_at(at);
        out_.character(':');
      }
      begin(value);  // `open` moves when the stack grows
    }
  }

 private:
  std::string_view raw(uint32_t node) const {
    const Node& n = tape_.nodes[node];
    return source_.substr(n.begin, n.end - n.begin);
  }
  std::string_view inner(uint32_t node) const {
    const std::string_view quoted = raw(node);
    return quoted.substr(1, quoted.size() - 2);
  }
  bool has_escapes(uint32_t node) const { return (tape_.nodes[node].info & kEscapes) != 0; }

  void begin(uint32_t node) {
    switch (type_of(tape_.nodes[node])) {
      case Type::kString:
        return write_string_at(node);
      case Type::kNumber:
        return write_number(out_, raw(node));
      case Type::kObject:
      case Type::kArray:
        return open(node);
      default:
        return out_.text(raw(node));
    }
  }

  void write_string_at(uint32_t node) {
    if (!has_escapes(node)) return out_.text(raw(node));
    write_valid_string(out_, unescaped(node, tape_.scratch));
  }

  std::string_view unescaped(uint32_t node, std::string& scratch) const {
    scratch.clear();
    unescape(inner(node), [&scratch](std::string_view piece) {
      scratch.append(piece);
      return true;
    });
    return scratch;
  }

  void open(uint32_t node) {
    const Node& container = tape_.nodes[node];
    OpenValue open;
    open.object = type_of(container) == Type::kObject;
    open.left = container.info >> kCountShift;
    open.at = node + 1;
    open.first = static_cast<uint32_t>(tape_.sorted.size());
    if (open.object && !in_order(node + 1, open.left)) {
      sort_members(node + 1, open.left);
      open.in_sorted = true;
      open.at = open.first;
    }
    tape_.open.push_back(open);
    out_.character(open.object ? '{' : '[');
  }

  // Whether the members from this key on are in order as they stand, without a look at escapes.
  bool in_order(uint32_t key, uint32_t count) const {
    if (count < 2) return true;
    std::string_view before = inner(key);
    if (has_escapes(key)) return false;
    while (--count > 0) {
      key = tape_.nodes[key + 1].next;
      const std::string_view text = inner(key);
      if (has_escapes(key) || !utf16_less(before, text)) return false;
      before = text;
    }
    return true;
  }

  void sort_members(uint32_t key, uint32_t count) {
    const size_t first = tape_.sorted.size();
    for (; count > 0; --count) {
      std::string_view text = inner(key);
      if (has_escapes(key)) {
        std::string own;
        unescaped(key, own);
        text = texts_.emplace_front(std::move(own));
      }
      tape_.sorted.push_back({text, key});
      key = tape_.nodes[key + 1].next;
    }
    std::sort(tape_.sorted.begin() + static_cast<ptrdiff_t>(first), tape_.sorted.end(),
              [](const SortedKey& a, const SortedKey& b) { return utf16_less(a.text, b.text); });
  }

  TextWriter& out_;
  Tape& tape_;
  const std::string_view source_;
  const uint32_t root_;
  std::forward_list<std::string> texts_;  // of keys with escapes
};

void append_canonical(std::string& out, const Value& value) {
  TextWriter writer(out, value.raw().size() + 16);
  Canonical(writer, value).run();
}

}  // namespace reeve::json
