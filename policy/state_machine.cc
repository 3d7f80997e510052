// Reads a plain expression, by recursive descent, straight into a machine (Thompson's
// construction).
//
// Whatever is not certain to mean here what it means to RE2 is given up: false all the way out.
// What RE2 refuses must be given up too; so there is no quantifier on a quantifier, no count inside
// a count, no range that runs backwards, no nesting to speak of. Tested against RE2 by
// tests/policy/expression_test.cc.
#include "policy/state_machine.h"

#include <algorithm>
#include <utility>

#include "policy/text.h"

namespace reeve::policy {

namespace {

constexpr size_t kDeepest = 40;
constexpr uint32_t kMostRepeats = 100;
constexpr std::string_view kMeta = "\\^$.[]()*+?{}|";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void add_range(ByteSet& set, uint8_t first, uint8_t last) {
  for (unsigned byte = first; byte <= last; ++byte) set.set(byte);
}

// The set of `\d`, `\w` or `\s`.
std::optional<ByteSet> perl_class(char letter) {
  ByteSet set;
  if (letter == 'd' || letter == 'w') add_range(set, '0', '9');
  if (letter == 'w') {
    add_range(set, 'a', 'z');
    add_range(set, 'A', 'Z');
    set.set('_');
  }
  if (letter == 's') {
    for (const char c : {'\t', '\n', '\f', '\r', ' '}) set.set(static_cast<uint8_t>(c));
  }
  return set.any() ? std::optional(set) : std::nullopt;
}

class PlainReader {
 public:
  explicit PlainReader(std::string_view text) : text_(text) {}

  std::optional<StateMachine> run() {
    Part whole;
    if (!alternatives(whole) || at_ != text_.size() || too_large_) return std::nullopt;
    machine_.begin = whole.begin;
    machine_.end = whole.end;
    return std::move(machine_);
  }

 private:
  // A part of the machine: texts that lead from `begin` to `end`. Nothing leaves `end` yet.
  struct Part {
    uint32_t begin = 0;
    uint32_t end = 0;
  };

  uint32_t new_state() {
    if (machine_.states.size() == StateMachine::kMostStates) {
      too_large_ = true;
      return 0;
    }
    machine_.states.emplace_back();
    return static_cast<uint32_t>(machine_.states.size() - 1);
  }
  Part new_part() {
    const uint32_t begin = new_state();
    return {begin, new_state()};
  }
  void jump(uint32_t from, uint32_t to) { machine_.states[from].jumps.push_back(to); }
  void edge(uint32_t from, const ByteSet& set, uint32_t to) {
    if (set.none()) return;
    auto& sets = machine_.sets;
    const auto known = std::find(sets.begin(), sets.end(), set);
    const auto index = static_cast<uint32_t>(known - sets.begin());
    if (known == sets.end()) sets.push_back(set);
    machine_.states[from].edges.push_back({index, to});
  }
  void edge(uint32_t from, uint8_t first, uint8_t last, uint32_t to) {
    ByteSet set;
    add_range(set, first, last);
    edge(from, set, to);
  }

  bool more() const { return at_ < text_.size(); }
  bool takes(char c) {
    if (!more() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // a|b|c
  bool alternatives(Part& part) {
    if (++depth_ > kDeepest) return false;
    part = new_part();
    do {
      Part one;
      if (!sequence(one) || too_large_) return false;
      jump(part.begin, one.begin);
      jump(one.end, part.end);
    } while (takes('|'));
    --depth_;
    return true;
  }

  bool sequence(Part& part) {
    part.begin = part.end = new_state();
    while (more() && text_[at_] != '|' && text_[at_] != ')') {
      Part next;
      if (!repeated(next) || too_large_) return false;
      jump(part.end, next.begin);
      part.end = next.end;
    }
    return true;
  }

  // An atom and its quantifier.
  bool repeated(Part& part) {
    const size_t begin = at_;
    const bool had_count = std::exchange(has_count_, false);
    if (!atom(part)) return false;
    const size_t end = at_;
    if (more() && (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?')) {
      const char quantifier = text_[at_++];
      part = quantify(part, quantifier != '+', quantifier != '?');
    } else if (more() && text_[at_] == '{') {
      if (has_count_ || !counted(part, begin, end)) return false;
      has_count_ = true;
    }
    has_count_ = has_count_ || had_count;
    if (at_ != end) takes('?');  // lazy: another choice among the same texts
    const bool again = more() && std::string_view("*+?{").find(text_[at_]) != text_.npos;
    return !(at_ != end && again);
  }

  Part quantify(Part inner, bool may_skip, bool may_repeat) {
    const Part outer = new_part();
    if (too_large_) return outer;
    jump(outer.begin, inner.begin);
    jump(inner.end, outer.end);
    if (may_skip) jump(outer.begin, outer.end);
    if (may_repeat) jump(inner.end, inner.begin);
    return outer;
  }

  bool read_count(uint32_t& count) {
    const size_t begin = at_;
    count = 0;
    while (more() && is_digit(text_[at_])) {
      count = count * 10 + static_cast<uint32_t>(text_[at_++] - '0');
      if (count > kMostRepeats) return false;
    }
    return at_ != begin && (text_[begin] != '0' || at_ == begin + 1);
  }

  // {n} {n,} {n,m}: the atom, at [begin, end) of the text, is read again for each time.
  bool counted(Part& part, size_t begin, size_t end) {
    uint32_t least = 0;
    ++at_;
    if (!read_count(least)) return false;
    uint32_t most = least;
    bool endless = false;
    if (takes(',')) {
      endless = more() && text_[at_] == '}';
      if (!endless && !read_count(most)) return false;
    }
    if (!takes('}') || most < least) return false;
    const size_t after = at_;
    Part whole;
    whole.begin = whole.end = new_state();
    const uint32_t copies = std::max(endless ? least + 1 : most, 1u);
    for (uint32_t i = 0; i < copies && !too_large_; ++i) {
      if (i > 0) {
        at_ = begin;
        if (!atom(part) || at_ != end) return false;
      }
      const bool last = i + 1 == copies;
      Part next = part;
      if (endless && last)
        next = quantify(part, true, true);
      else if (i >= least)
        next = quantify(part, true, false);
      if (too_large_) return false;
      if (most == 0 && !endless) break;  // x{0} is nothing
      jump(whole.end, next.begin);
      whole.end = next.end;
    }
    at_ = after;
    part = whole;
    return !too_large_;
  }

  bool atom(Part& part) {
    const char c = text_[at_];
    if (c == '(') return group(part);
    if (c == '[') return char_class(part);
    if (c == '.') {
      ++at_;
      return any_but(ByteSet(), part);
    }
    if (c == '\\') return escape(part);
    if (kMeta.find(c) != kMeta.npos) return false;
    const CodePoint point = decode_utf8(text_, at_);
    if (point.length == 0 || point.value < 0x20) return false;
    part.begin = part.end = new_state();
    for (size_t i = 0; i < point.length && !too_large_; ++i) {
      const auto byte = static_cast<uint8_t>(text_[at_++]);
      const uint32_t next = new_state();
      edge(part.end, byte, byte, next);
      part.end = next;
    }
    return !too_large_;
  }

  bool group(Part& part) {
    ++at_;
    if (takes('?') && !takes(':')) return false;
    return alternatives(part) && takes(')');
  }

  bool escape(Part& part) {
    if (at_ + 1 == text_.size()) return false;
    const char c = text_[at_ + 1];
    at_ += 2;
    if (const auto set = perl_class(c)) return one_of(*set, part);
    if (const auto set = perl_class(static_cast<char>(c | 0x20)); set && c >= 'A' && c <= 'Z') {
      return any_but(*set, part);
    }
    ByteSet set;
    if (!is_escapable(c)) return false;
    set.set(static_cast<uint8_t>(c));
    return one_of(set, part);
  }

  static bool is_escapable(char c) {
    return std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~").find(c) != text_npos;
  }

  bool one_of(const ByteSet& set, Part& part) {
    part = new_part();
    if (too_large_) return false;
    edge(part.begin, set, part.end);
    return true;
  }

  // Any code point but these ASCII characters. RE2 checks no more of the longer sequences than
  // this: overlong forms and surrogates pass, which calls do not have.
  bool any_but(const ByteSet& ascii, Part& part) {
    part = new_part();
    const uint32_t one_left = new_state();
    const uint32_t two_left = new_state();
    const uint32_t three_left = new_state();
    if (too_large_) return false;
    ByteSet rest;
    add_range(rest, 0, 0x7F);
    edge(part.begin, rest & ~ascii, part.end);
    edge(part.begin, 0xC2, 0xDF, one_left);
    edge(part.begin, 0xE0, 0xEF, two_left);
    edge(part.begin, 0xF0, 0xF4, three_left);
    edge(three_left, 0x80, 0xBF, two_left);
    edge(two_left, 0x80, 0xBF, one_left);
    edge(one_left, 0x80, 0xBF, part.end);
    return true;
  }

  // One ASCII character of a class, or the set of a `\d`; nothing for what has another meaning.
  std::optional<ByteSet> class_item() {
    const char c = text_[at_];
    if (static_cast<uint8_t>(c) < 0x20 || static_cast<uint8_t>(c) >= 0x7F || c == '[') {
      return std::nullopt;
    }
    ++at_;
    ByteSet set;
    if (c != '\\') return set.set(static_cast<uint8_t>(c));
    if (!more()) return std::nullopt;
    const char escaped = text_[at_++];
    if (const auto known = perl_class(escaped)) return known;
    if (!is_escapable(escaped)) return std::nullopt;
    return set.set(static_cast<uint8_t>(escaped));
  }

  bool char_class(Part& part) {
    ++at_;
    const bool negated = takes('^');
    if (more() && text_[at_] == ']') return false;
    ByteSet all;
    bool first = true;
    while (more() && text_[at_] != ']') {
      const bool is_dash = text_[at_] == '-';
      if (is_dash && !first && (at_ + 1 == text_.size() || text_[at_ + 1] != ']')) return false;
      first = false;
      const size_t begin = at_;
      const auto low = class_item();
      if (!low) return false;
      all |= *low;
      const bool is_range = at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']';
      if (!is_range) continue;
      if (low->count() != 1 || (is_dash && at_ == begin + 1)) return false;
      ++at_;
      const auto high = class_item();
      if (!high || high->count() != 1) return false;
      const size_t from = low->_Find_first();
      const size_t to = high->_Find_first();
      if (from > to) return false;
      add_range(all, static_cast<uint8_t>(from), static_cast<uint8_t>(to));
    }
    if (!takes(']')) return false;
    return negated ? any_but(all, part) : one_of(all, part);
  }

  static constexpr size_t text_npos = std::string_view::npos;

  const std::string_view text_;
  size_t at_ = 0;
  size_t depth_ = 0;
  bool has_count_ = false;  // what was read of the present atom has a count
  bool too_large_ = false;
  StateMachine machine_;
};

}  // namespace

std::optional<StateMachine> read_plain_expression(std::string_view expression) {
  return PlainReader(expression).run();
}

}  // namespace reeve::policy
