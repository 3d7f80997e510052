// One pattern of the policy language, compiled: a name, a glob, a path glob or an RE2 expression.
//
// Text globs: `*` is any run of characters, `?` one code point. Path globs: `*` and `?` stay within
// a segment, `**` is any number of whole segments, also none. `\` takes the meaning from the
// character behind it. A text that begins with `re:` is an RE2 expression, anchored at both ends,
// in which `.` matches a newline too. All matching is case-sensitive, on valid UTF-8, bytes as is.
//
// Globs match in time linear in the text for each run between stars; nothing recurses or allocates.
#ifndef REEVE_POLICY_PATTERN_H_
#define REEVE_POLICY_PATTERN_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

namespace reeve::policy {

class Expression;

class Pattern {
 public:
  enum class Syntax : uint8_t { kText, kPath };
  enum class Shape : uint8_t {
    kExact,   // matches prefix() alone
    kPrefix,  // whatever begins with prefix(): `tickets.*`
    kTree,    // the path prefix() and all below it: `/invoices/**`
    kGlob,    // a text glob of any other form
    kPath,    // a path glob of any other form
    kRegex,
  };

  // The error is a message of a policy file: the text in backticks and the remedy.
  static Result<Pattern> compile(std::string_view text, Syntax syntax = Syntax::kText);

  // Whether `text` matches. For kPath, `text` is a path as NormalPath::match has it.
  bool matches(std::string_view text) const;
  // The same of a text that is known to begin with prefix().
  bool matches_rest(std::string_view text) const;
  // About the most steps that matching a text of `size` bytes can take.
  uint64_t cost(size_t size) const;

  Shape shape() const { return shape_; }
  bool is_exact() const { return shape_ == Shape::kExact; }
  // What every match begins with and ends with: literal, unescaped, maybe empty.
  std::string_view prefix() const { return std::string_view(literals_).substr(0, prefix_size_); }
  std::string_view suffix() const {
    return std::string_view(literals_).substr(literals_.size() - suffix_size_);
  }

 private:
  enum class Op : uint8_t { kLiteral, kOne, kRun };
  struct Token {
    Op op = Op::kLiteral;
    uint32_t begin = 0;  // of a literal, in literals_
    uint32_t size = 0;
  };
  struct Segment {
    bool any = false;    // `**`
    uint32_t begin = 0;  // in tokens_
    uint32_t end = 0;
  };
  class Scanner;

  Result<bool> compile_regex(std::string_view text);
  Result<bool> compile_glob(std::string_view text);
  Result<bool> compile_path(std::string_view text);
  // Gives back what matching does not need.
  void trim();
  std::span<const Token> tokens_of(const Segment& segment) const;
  bool match_tokens(std::span<const Token> tokens, std::string_view text) const;
  bool match_path(std::string_view path) const;
  bool match_segment_run(std::string_view path) const;
  bool has_one_run() const;

  Shape shape_ = Shape::kExact;
  uint32_t prefix_size_ = 0;
  uint32_t suffix_size_ = 0;
  bool one_run_ = false;  // kGlob, kPath: one `*` between prefix and suffix is all there is
  std::string literals_;  // of all tokens, in order; of a path with the slashes between
  std::vector<Token> tokens_;
  std::vector<Segment> segments_;
  std::shared_ptr<const Expression> expression_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PATTERN_H_
