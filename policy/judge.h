// One test of `when` against one value, whatever it came from, and against several that together
// are a list. Internal to condition.cc, which finds the values.
#ifndef REEVE_POLICY_JUDGE_H_
#define REEVE_POLICY_JUDGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/condition.h"
#include "policy/json.h"

namespace reeve::policy {

// A value as the tests see it.
struct Subject {
  enum class Type : uint8_t { kAbsent, kNull, kFalse, kTrue, kNumber, kText, kList, kOther };
  Type type = Type::kAbsent;
  std::string_view text;            // of kText and, its digits, of kNumber
  bool text_is_number = false;      // kText that counts as a number too
  std::optional<json::Value> list;  // of kList
};

// `scratch` holds a string that has to be unescaped, as long as the result is used.
Subject to_subject(const json::Value& value, std::string& scratch);

inline Truth to_truth(bool holds) { return holds ? Truth::kTrue : Truth::kFalse; }

Truth judge(const Op& op, const Subject& subject);
// With `default` where it says what stands in.
Truth judge(const Test& test, const Subject& subject);

// What the items of a list come to.
class Tally {
 public:
  void add(Truth truth) {
    if (truth == Truth::kTrue) {
      any_true_ = true;
    } else if (truth == Truth::kFalse) {
      any_false_ = true;
    } else {
      any_doubt_ = true;
    }
  }
  bool empty() const { return !any_true_ && !any_false_ && !any_doubt_; }
  // Holds of every item, fails of every item, or is in doubt.
  Truth plain() const {
    if (any_doubt_ || any_true_ == any_false_) return Truth::kDoubt;
    return any_true_ ? Truth::kTrue : Truth::kFalse;
  }
  Truth any() const {
    if (any_true_) return Truth::kTrue;
    return any_doubt_ || empty() ? Truth::kDoubt : Truth::kFalse;
  }
  Truth all() const {
    if (any_false_) return Truth::kFalse;
    return any_doubt_ || empty() ? Truth::kDoubt : Truth::kTrue;
  }

 private:
  bool any_true_ = false;
  bool any_false_ = false;
  bool any_doubt_ = false;
};

// Judges each of several values that together are a list: items by `*`, a repeated parameter.
class ListJudge {
 public:
  explicit ListJudge(const Test& test) : test_(test) {}

  void add(const Subject& given);
  bool empty() const { return count_ == 0; }
  // No item to judge: in doubt, `default` or not, but for what speaks of the list itself.
  Truth of_empty_list() const;
  Truth result() const;

 private:
  // A test has each kind of op at most once.
  static constexpr size_t kMostOps = 16;

  // Of the list, not of its items.
  Truth length(const Op& op) const;

  const Test& test_;
  std::array<Tally, kMostOps> tallies_;
  size_t count_ = 0;
  bool any_absent_ = false;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_JUDGE_H_
