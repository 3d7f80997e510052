// An expression of the policy language, anchored at both ends: RE2 as it defines it, and for plain
// ones a table of states that gives the same answers (state_table.h).
#ifndef REEVE_POLICY_EXPRESSION_H_
#define REEVE_POLICY_EXPRESSION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "policy/state_table.h"

namespace re2 {
class RE2;
}

namespace reeve::policy {

class Expression {
 public:
  // The error is what RE2 says of it.
  static Result<Expression> compile(std::string_view text);
  Expression(Expression&&);
  ~Expression();

  // What every text that matches begins with, as far as it is easily told.
  const std::string& prefix() const { return table_ ? table_->prefix() : prefix_; }
  // Whether a text that begins with prefix() matches.
  bool matches_rest(std::string_view text) const {
    return table_ ? table_->matches_rest(text) : matches_by_re2(text);
  }
  bool is_table() const { return table_.has_value(); }
  // What the cost of matching a byte grows with, at worst: 1 of a table, RE2's size of a program.
  uint64_t state_count() const;

 private:
  Expression();
  bool matches_by_re2(std::string_view text) const;

  std::optional<StateTable> table_;
  std::unique_ptr<const re2::RE2> regex_;  // null where there is a table
  std::string prefix_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_EXPRESSION_H_
