// Strict YAML: one document, read from yaml-cpp's events into a plain tree with positions.
//
// yaml-cpp by itself loads a duplicate key, ignores a second document, follows alias cycles and
// expands alias bombs (measured, see README.md); all of these are located errors here. Aliases are
// allowed within the limits. Used for policies and for reeve.yaml alike.
#ifndef REEVE_POLICY_YAML_H_
#define REEVE_POLICY_YAML_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

// Read-only once parsed; valid as long as its Document.
struct Node {
  struct Member;

  Kind kind = Kind::kNull;
  bool quoted = false;  // a scalar in quotes is text, never a number, bool or null
  Mark mark;
  std::string text;             // of a scalar
  std::vector<Node> items;      // of a sequence
  std::vector<Member> members;  // of a mapping, in file order, keys unique

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_mapping() const { return kind == Kind::kMapping; }
  // The value at `key`, or null. Linear: for mappings with a fixed, small set of keys.
  const Node* find(std::string_view key) const;
};

struct Node::Member {
  std::string key;
  Mark key_mark;
  Node value;
};

struct Document {
  std::string file;
  Node root;
  bool ends_with_marker = false;  // the file's last line is `...`

  Place place(const Mark& mark) const { return {file, mark.line, mark.column}; }
};

// Parses `text`, called `file` in messages. On any error, appends to `diagnostics` and returns
// null.
std::unique_ptr<Document> parse(std::string_view text, std::string file, Diagnostics& diagnostics,
                                const Limits& limits = {});

}  // namespace reeve::yaml

#endif  // REEVE_POLICY_YAML_H_
