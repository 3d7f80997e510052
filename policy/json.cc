// The strict JSON walk that writes the tape.
//
// One pass over the bytes with an explicit stack writes a tape: one 16-byte node for each value and
// key, in source order, each knowing where its bytes are and which node follows its subtree. Keys
// are hashed as they pass, for which those that differ only in case are one (key_hash()); when an
// object closes, its hashes are compared with each other (all pairs when few, sorted when many),
// and only equal hashes look at text. Sorting keeps the worst case at n log n even for someone who
// can make hashes collide, or writes one key in many cases.
//
// Does not convert numbers and does not copy strings. Tested by tests/policy/json_test.cc and
// tests/fuzz/json_fuzz.cc.
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "policy/json_scan.h"
#include "policy/json_tape.h"

namespace reeve::json {
namespace {

constexpr uint32_t kMaxNodes = (1U << (32 - kCountShift)) - 1;
constexpr size_t kFewKeys = 16;  // up to here all pairs of hashes are compared

// One walk over one text. Every method that returns bool leaves `what` and `p` at the fault when it
// returns false. What runs for every value is inlined into run(), which then keeps its place in
// registers: a quarter faster.
class Walk {
 public:
  Walk(Tape& tape, const Limits& limits, std::string_view text)
      : tape_(tape), limits_(limits), text_(text), p_(text.data()), end_(p_ + text.size()) {
    tape_.size = 0;
    tape_.stack.clear();
    tape_.keys.clear();
    tape_.index.clear();
  }

  bool run();
  const char* what() const { return what_; }
  size_t offset() const { return p_ - text_.data(); }

 private:
  bool fail(const char* what) {
    what_ = what;
    return false;
  }
  bool fail_at(const char* where, const char* what) {
    p_ = where;
    return fail(what);
  }
  void skip_space() {
    if (p_ != end_ && static_cast<uint8_t>(*p_) > ' ') return;  // the usual case
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }
  [[gnu::always_inline]] inline Node* push(Type type);
  void finish(Node* node) {
    node->end = static_cast<uint32_t>(p_ - text_.data());
    node->next = tape_.size;
  }
  [[gnu::always_inline]] inline bool scalar();
  [[gnu::always_inline]] inline bool string();
  bool escape();
  [[gnu::always_inline]] inline bool number();
  bool digits();
  bool literal(std::string_view word, Type type);
  bool open(Type type);
  bool close();
  [[gnu::always_inline]] inline bool key();
  [[gnu::always_inline]] inline bool after_value(bool& more);
  bool distinct_keys(size_t first);
  void keep_index(const Frame& frame);
  bool distinct_pair(uint64_t a, uint64_t b);
  bool distinct_run(const uint64_t* first, const uint64_t* last);
  std::string_view inner(uint32_t node) const {
    const Node& n = tape_.nodes[node];
    return text_.substr(n.begin + 1, n.end - n.begin - 2);
  }
  std::string_view key_text(uint32_t node, std::string& scratch) const;
  bool duplicate(uint32_t node) {
    return fail_at(text_.data() + tape_.nodes[node].begin, "duplicate key");
  }

  Tape& tape_;
  const Limits& limits_;
  const std::string_view text_;
  const char* p_;
  const char* const end_;
  const char* what_ = "";
};

bool Walk::run() {
  bool more = true;
  while (more) {
    skip_space();
    if (p_ == end_) return fail("unexpected end");
    if (*p_ == '{' || *p_ == '[') {
      const bool object = *p_ == '{';
      if (!open(object ? Type::kObject : Type::kArray)) return false;
      skip_space();
      if (p_ == end_) return fail("unexpected end");
      if (*p_ != (object ? '}' : ']')) {
        if (object && !key()) return false;
        continue;
      }
      ++p_;
      if (!close()) return false;
    } else if (!scalar()) {
      return false;
    }
    if (!after_value(more)) return false;
  }
  skip_space();
  return p_ == end_ || fail("something follows the value");
}

// A value is complete: closes what ends here; `more` is whether another value must follow.
bool Walk::after_value(bool& more) {
  while (!tape_.stack.empty()) {
    Frame& frame = tape_.stack.back();
    ++frame.count;
    skip_space();
    if (p_ == end_) return fail("unexpected end");
    if (*p_ == ',') {
      ++p_;
      return !frame.object || key();
    }
    if (*p_ != (frame.object ? '}' : ']')) {
      return fail(frame.object ? "expected `,` or `}`" : "expected `,` or `]`");
    }
    ++p_;
    if (!close()) return false;
  }
  more = false;
  return true;
}

bool Walk::scalar() {
  switch (*p_) {
    case '"':
      return string();
    case 't':
      return literal("true", Type::kTrue);
    case 'f':
      return literal("false", Type::kFalse);
    case 'n':
      return literal("null", Type::kNull);
    default:
      return number();
  }
}

Node* Walk::push(Type type) {
  if (tape_.size >= limits_.nodes || tape_.size >= kMaxNodes) {
    fail("too many values");
    return nullptr;
  }
  if (tape_.size == tape_.capacity) tape_.grow();
  Node* node = &tape_.nodes[tape_.size++];
  node->begin = static_cast<uint32_t>(p_ - text_.data());
  node->info = static_cast<uint32_t>(type);
  return node;
}

bool Walk::string() {
  Node* node = push(Type::kString);
  if (node == nullptr) return false;
  ++p_;
  for (;;) {
    p_ = skip_plain(p_, end_);
    if (p_ == end_) return fail("unexpected end in a string");
    if (*p_ == '"') break;
    if (*p_ != '\\') return fail("control character in a string");
    node->info |= kEscapes;
    if (!escape()) return false;
  }
  ++p_;
  finish(node);
  return true;
}

[[gnu::noinline]] bool Walk::escape() {
  if (end_ - p_ < 2) return fail("unexpected end in a string");
  if (p_[1] != 'u') {
    if (std::memchr("\"\\/bfnrt", p_[1], 8) == nullptr) return fail("unknown escape in a string");
    p_ += 2;
    return true;
  }
  if (end_ - p_ < 6) return fail("unexpected end in a string");
  const int32_t unit = hex4(p_ + 2);
  if (unit < 0) return fail("bad \\u escape in a string");
  if (is_low_surrogate(unit)) return fail("unpaired surrogate in a string");
  if (is_high_surrogate(unit)) {
    if (end_ - p_ < 12 || p_[6] != '\\' || p_[7] != 'u' || !is_low_surrogate(hex4(p_ + 8))) {
      return fail("unpaired surrogate in a string");
    }
    p_ += 6;
  }
  p_ += 6;
  return true;
}

bool Walk::digits() {
  const char* const first = p_;
  while (p_ != end_ && *p_ >= '0' && *p_ <= '9') ++p_;
  return p_ != first || fail("expected a digit");
}

bool Walk::number() {
  if (*p_ != '-' && (*p_ < '0' || *p_ > '9')) return fail("expected a value");
  Node* node = push(Type::kNumber);
  if (node == nullptr) return false;
  if (*p_ == '-') ++p_;
  if (p_ != end_ && *p_ == '0') {
    ++p_;
    if (p_ != end_ && *p_ >= '0' && *p_ <= '9') return fail("number with a leading zero");
  } else if (!digits()) {
    return false;
  }
  if (p_ != end_ && *p_ == '.') {
    ++p_;
    if (!digits()) return false;
  }
  if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
    ++p_;
    if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
    if (!digits()) return false;
  }
  finish(node);
  return true;
}

bool Walk::literal(std::string_view word, Type type) {
  if (!std::string_view(p_, end_ - p_).starts_with(word)) return fail("expected a value");
  Node* node = push(type);
  if (node == nullptr) return false;
  p_ += word.size();
  finish(node);
  return true;
}

bool Walk::open(Type type) {
  if (tape_.stack.size() >= limits_.depth) return fail("nested too deeply");
  if (push(type) == nullptr) return false;
  ++p_;
  tape_.stack.push_back({tape_.size - 1, 0, tape_.keys.size(), type == Type::kObject});
  return true;
}

bool Walk::close() {
  const Frame frame = tape_.stack.back();
  tape_.stack.pop_back();
  Node* node = &tape_.nodes[frame.node];
  finish(node);
  node->info |= frame.count << kCountShift;
  if (frame.object) {
    if (!distinct_keys(frame.first_key)) return false;
    if (frame.count > kFewKeys) keep_index(frame);
    tape_.keys.resize(frame.first_key);
  }
  return true;
}

// A key and its colon.
bool Walk::key() {
  skip_space();
  if (p_ == end_) return fail("unexpected end");
  if (*p_ != '"') return fail("expected a key");
  const uint32_t node = tape_.size;
  const char* const begin = p_;
  if (!string()) return false;
  const bool escapes = (tape_.nodes[node].info & kEscapes) != 0;
  const uint32_t hash = hash_key(escapes ? key_text(node, tape_.scratch)
                                         : std::string_view(begin + 1, p_ - begin - 2));
  tape_.nodes[node].next = hash;
  tape_.keys.push_back(uint64_t{hash} << 32 | node);
  skip_space();
  if (p_ == end_) return fail("unexpected end");
  if (*p_ != ':') return fail("expected `:`");
  ++p_;
  return true;
}

[[gnu::noinline]] std::string_view Walk::key_text(uint32_t node, std::string& scratch) const {
  if ((tape_.nodes[node].info & kEscapes) == 0) return inner(node);
  scratch.clear();
  unescape(inner(node), [&scratch](std::string_view piece) {
    scratch.append(piece);
    return true;
  });
  return scratch;
}

// Whether the keys from `first` on, of one object, differ.
bool Walk::distinct_keys(size_t first) {
  uint64_t* const begin = tape_.keys.data() + first;
  uint64_t* const end = tape_.keys.data() + tape_.keys.size();
  if (static_cast<size_t>(end - begin) <= kFewKeys) {
    for (const uint64_t* a = begin; a != end; ++a) {
      for (const uint64_t* b = a + 1; b != end; ++b) {
        if (*a >> 32 == *b >> 32 && !distinct_pair(*a, *b)) return false;
      }
    }
    return true;
  }
  std::sort(begin, end);
  for (const uint64_t* run = begin; run != end;) {
    const uint64_t* past = run + 1;
    while (past != end && *past >> 32 == *run >> 32) ++past;
    if (past - run > 1 && !distinct_run(run, past)) return false;
    run = past;
  }
  return true;
}

// The keys have been sorted to compare them; sorted they are looked up faster than one by one, too.
void Walk::keep_index(const Frame& frame) {
  tape_.nodes[frame.node].info |= kIndexed;
  tape_.nodes[frame.node + 1].info |= static_cast<uint32_t>(tape_.index.size()) << kCountShift;
  tape_.index.insert(tape_.index.end(),
                     tape_.keys.begin() + static_cast<ptrdiff_t>(frame.first_key),
                     tape_.keys.end());
}

[[gnu::noinline]] bool Walk::distinct_pair(uint64_t a, uint64_t b) {
  std::string scratch;
  const uint32_t later = static_cast<uint32_t>(b);
  if (key_text(static_cast<uint32_t>(a), tape_.scratch) != key_text(later, scratch)) return true;
  return duplicate(later);
}

// Whether the texts of keys with one hash differ. Rare, so this may allocate.
[[gnu::noinline]] bool Walk::distinct_run(const uint64_t* first, const uint64_t* last) {
  std::vector<std::pair<std::string, uint32_t>> texts;
  for (; first != last; ++first) {
    const uint32_t node = static_cast<uint32_t>(*first);
    std::string scratch;
    texts.emplace_back(key_text(node, scratch), node);
  }
  std::sort(texts.begin(), texts.end());
  for (size_t i = 1; i < texts.size(); ++i) {
    if (texts[i].first == texts[i - 1].first) return duplicate(texts[i].second);
  }
  return true;
}

}  // namespace

Parser::Parser(Limits limits) : limits_(limits), tape_(std::make_unique<Tape>()) {}
Parser::~Parser() = default;

std::optional<Value> Parser::parse(std::string_view text) {
  source_ = text;
  error_ = {};
  if (text.size() > UINT32_MAX) {
    error_.what = "text too large";
    return std::nullopt;
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    error_.what = "byte order mark";
    return std::nullopt;
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    error_.what = "not UTF-8";
    return std::nullopt;
  }
  Walk walk(*tape_, limits_, text);
  if (walk.run()) return Value(this, 0);
  error_ = {walk.offset(), walk.what()};
  return std::nullopt;
}

void Parser::trim(size_t bytes) {
  const size_t held = tape_->capacity * sizeof(Node) + tape_->stack.capacity() * sizeof(Frame) +
                      (tape_->keys.capacity() + tape_->index.capacity()) * sizeof(uint64_t) +
                      tape_->scratch.capacity() + tape_->open.capacity() * sizeof(OpenValue) +
                      tape_->sorted.capacity() * sizeof(SortedKey);
  if (held > bytes) *tape_ = Tape();
}

}  // namespace reeve::json
