// Strict YAML: one document, read from yaml-cpp's events into a plain tree with positions.
//
// yaml-cpp by itself loads a duplicate key, ignores a second document, follows alias cycles and
// expands alias bombs; all of these are located errors here. Aliases are
// allowed within the limits. Used for policies and for reeve.yaml alike.
#ifndef REEVE_POLICY_YAML_H_
#define REEVE_POLICY_YAML_H_

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>

#include "policy/diagnostic.h"

namespace reeve::yaml {

struct Limits {
  size_t file_bytes = 16 * 1024 * 1024;
  size_t depth = 64;
  size_t nodes = 2'000'000;               // values and keys
  bool duplicates_are_fatal = true;       // else the document is returned in spite of these errors
  size_t alias_bytes = 10 * 1024 * 1024;  // of text and nodes that aliases expand to
};

struct Mark {
  uint32_t line = 0;  // from 1
  uint32_t column = 0;
};

enum class Kind : uint8_t { kNull, kScalar, kSequence, kMapping };

// Text of a document, where a std::string may be wanted.
class String : public std::string_view {
 public:
  String() = default;
  explicit String(std::string_view text) : std::string_view(text) {}
  operator std::string() const { return std::string(data(), size()); }
};

// Elements that lie in the document's memory.
template <class T>
class List {
 public:
  List() = default;
  List(const T* first, size_t size) : first_(first), size_(size) {}

  const T* data() const { return first_; }
  const T* begin() const { return first_; }
  const T* end() const { return first_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](size_t i) const { return first_[i]; }
  const T& front() const { return first_[0]; }
  const T& back() const { return first_[size_ - 1]; }

 private:
  const T* first_ = nullptr;
  size_t size_ = 0;
};

// A handle on what lies in its Document's memory: read-only, copied at no cost (an alias shares
// what its anchor has), valid as long as the Document.
struct Node {
  struct Member;

  Kind kind = Kind::kNull;
  bool quoted = false;  // a scalar in quotes is text, never a number, bool or null
  Mark mark;
  String text;           // of a scalar
  List<Node> items;      // of a sequence
  List<Member> members;  // of a mapping, in file order, keys unique

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_mapping() const { return kind == Kind::kMapping; }
  // The value at `key`, or null. Linear: for mappings with a fixed, small set of keys.
  const Node* find(std::string_view key) const;
};

struct Node::Member {
  String key;
  Mark key_mark;
  Node value;
};

struct Document {
  std::string file;
  Node root;
  bool ends_with_marker = false;               // the file's last line is `...`
  std::pmr::monotonic_buffer_resource memory;  // of all texts and lists; given back as one

  Place place(const Mark& mark) const { return {file, mark.line, mark.column}; }
};

// What a value says, wherever it stands: the same for equal values alone.
std::string form_of(const Node& node);

// The value in one line of YAML's flow style, for people; the same for equal values.
std::string flow_of(const Node& node);

// Parses `text`, called `file` in messages. On any error, appends to `diagnostics` and returns
// null.
std::unique_ptr<Document> parse(std::string_view text, std::string file, Diagnostics& diagnostics,
                                const Limits& limits = {});

}  // namespace reeve::yaml

#endif  // REEVE_POLICY_YAML_H_
