// Strict JSON: one pass that validates the whole text and keeps where everything stands.
//
// simdjson's look-ups accept duplicate keys, `tru`, `NaN`, comments and trailing data in what they
// were not asked for, so the whole text is walked here, once: RFC 8259,
// UTF-8, no byte order mark, no duplicate keys after unescaping at any depth, no unpaired
// surrogates, bounded depth, nothing after the value. Values are then read from the source bytes,
// numbers with all their digits; nothing is converted unless asked for.
//
// A Parser is reused by one thread: after the first few calls it allocates nothing.
#ifndef REEVE_POLICY_JSON_H_
#define REEVE_POLICY_JSON_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::json {

struct Limits {
  uint32_t depth = 96;         // nested arrays and objects
  uint32_t nodes = 1'000'000;  // values and keys
};

enum class Type : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

struct Node;  // json.cc; one entry of the tape
struct Tape;
class Parser;
class Canonical;
class KeySet;

// A view of one value; valid until its Parser parses again or the text goes away. Cheap to copy.
class Value {
 public:
  Type type() const;
  bool is_object() const { return type() == Type::kObject; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_string() const { return type() == Type::kString; }
  bool is_number() const { return type() == Type::kNumber; }
  bool is_null() const { return type() == Type::kNull; }

  // The bytes of the value in the source, quotes included.
  std::string_view raw() const;
  size_t offset() const;  // of raw() in the source

  // A string's text, unescaped. Without escapes this is a view of the source; otherwise `scratch`
  // holds it. Requires is_string().
  std::string_view text(std::string& scratch) const;
  // True when the string, unescaped, equals `other`.
  bool equals(std::string_view other) const;

  // Objects: the value at this key (unescaped comparison, exact), or nothing.
  std::optional<Value> find(std::string_view key) const;
  // Objects: whether a key other than `key` equals it under case folding, as some readers compare
  // (Go's encoding/json). Beyond ASCII, U+017F (s) and U+212A (k) apart, every character counts as
  // every other: keys that no reader takes for one may be said to be variants, none is missed.
  bool has_case_variant(std::string_view key) const;
  // Both in one pass; `hash` is key_hash(key).
  struct Lookup;
  Lookup look_up(std::string_view key, uint32_t hash) const;
  // Objects and arrays.
  size_t size() const;

  // for (Member m : v.members()), for (Value item : v.items()): in source order.
  class Members;
  class Items;
  Members members() const;
  Items items() const;

 private:
  friend class Parser;
  friend class Canonical;
  friend class KeySet;
  Value(const Parser* parser, uint32_t index) : parser_(parser), index_(index) {}
  const Node& node() const;
  // What the key at this node, which has the hash of `key`, is to `key`.
  void settle(uint32_t name_index, std::string_view key, Lookup& found) const;
  const Parser* parser_;
  uint32_t index_;
};

struct Value::Lookup {
  std::optional<Value> value;
  bool has_variant = false;
};

struct Member {
  Value key;  // a string
  Value value;
};

class Value::Members {
 public:
  class Iterator {
   public:
    Member operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    friend class Members;
    const Parser* parser_ = nullptr;
    uint32_t index_ = 0;
    uint32_t left_ = 0;
  };
  Iterator begin() const;
  Iterator end() const;

 private:
  friend class Value;
  const Parser* parser_ = nullptr;
  uint32_t index_ = 0;
};

class Value::Items {
 public:
  class Iterator {
   public:
    Value operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    friend class Items;
    const Parser* parser_ = nullptr;
    uint32_t index_ = 0;
    uint32_t left_ = 0;
  };
  Iterator begin() const;
  Iterator end() const;

 private:
  friend class Value;
  const Parser* parser_ = nullptr;
  uint32_t index_ = 0;
};

struct ParseError {
  size_t offset = 0;      // into the text; 0 when the fault is its encoding or its size
  const char* what = "";  // a static sentence, e.g. "duplicate key"
};

class Parser {
 public:
  explicit Parser(Limits limits = {});
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // Validates the whole of `text`; the text must outlive the returned value's use. On failure
  // returns nothing and error() says why. Not recursive; time is linear in the text, but for an
  // object's keys beyond 16, which are sorted.
  std::optional<Value> parse(std::string_view text);
  const ParseError& error() const { return error_; }

  // Gives back what a large text made it hold, if that is more than `bytes`; values die. For
  // parsers that live as long as an idle connection.
  void trim(size_t bytes);

 private:
  friend class Value;
  friend class Value::Members::Iterator;
  friend class Value::Items::Iterator;
  friend class Value::Members;
  friend class Value::Items;
  friend class Canonical;
  friend class KeySet;
  Limits limits_;
  ParseError error_;
  std::string_view source_;
  std::unique_ptr<Tape> tape_;
};

// Equal for keys that are equal or each other's case variant. Differs between processes.
uint32_t key_hash(std::string_view key);

// `text` (UTF-8) under the folding of has_case_variant(): two keys that some reader takes for one
// fold to the same text. A view of `text` or of `scratch`.
std::string_view fold(std::string_view text, std::string& scratch);
// Whether both fold to the same text. Allocates nothing.
bool equals_folded(std::string_view a, std::string_view b);

// Appends `text` as a JSON string, quotes included, control characters escaped. Bytes that are not
// UTF-8 become U+FFFD, so that the result is always valid.
void append_string(std::string& out, std::string_view text);

// Appends the canonical form of RFC 8785 but for numbers that a double does not hold exactly,
// which keep their digits: 9007199254740993 and 9007199254740992 stay two values. Equal values have
// equal text (1.0, 1 and 10e-1 are `1`). Not recursive.
void append_canonical(std::string& out, const Value& value);

}  // namespace reeve::json

#endif  // REEVE_POLICY_JSON_H_
