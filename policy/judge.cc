// A value becomes a Subject; an Op judges a Subject; lists combine the judgements of their items.
// Tested by tests/policy/condition_test.cc.
#include "policy/judge.h"

#include <algorithm>

#include "policy/number.h"
#include "policy/text.h"
#include "policy/value_forms.h"

namespace reeve::policy {

namespace {

Truth negate(Truth truth) {
  return truth == Truth::kDoubt ? truth : truth == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

}  // namespace

Subject to_subject(const json::Value& value, std::string& scratch) {
  switch (value.type()) {
    case json::Type::kNull:
      return {Subject::Type::kNull, {}, false, std::nullopt};
    case json::Type::kFalse:
      return {Subject::Type::kFalse, {}, false, std::nullopt};
    case json::Type::kTrue:
      return {Subject::Type::kTrue, {}, false, std::nullopt};
    case json::Type::kNumber:
      return {Subject::Type::kNumber, value.raw(), false, std::nullopt};
    case json::Type::kString:
      return {Subject::Type::kText, value.text(scratch), false, {}};
    case json::Type::kArray:
      return {Subject::Type::kList, {}, false, value};
    case json::Type::kObject:
      return {Subject::Type::kOther, {}, false, std::nullopt};
  }
  return {};
}

namespace {

Subject subject_of(const Scalar& scalar) {
  switch (scalar.type) {
    case Scalar::Type::kText:
      return {Subject::Type::kText, scalar.text, false, std::nullopt};
    case Scalar::Type::kNumber:
      return {Subject::Type::kNumber, scalar.text, false, std::nullopt};
    case Scalar::Type::kTrue:
      return {Subject::Type::kTrue, {}, false, std::nullopt};
    case Scalar::Type::kFalse:
      return {Subject::Type::kFalse, {}, false, std::nullopt};
  }
  return {};
}

bool equals(const Scalar& scalar, const Subject& subject) {
  switch (scalar.type) {
    case Scalar::Type::kText:
      return subject.type == Subject::Type::kText && subject.text == scalar.text;
    case Scalar::Type::kNumber:
      return (subject.type == Subject::Type::kNumber || subject.text_is_number) &&
             compare_numbers(subject.text, scalar.text) == 0;
    case Scalar::Type::kTrue:
      return subject.type == Subject::Type::kTrue;
    case Scalar::Type::kFalse:
      return subject.type == Subject::Type::kFalse;
  }
  return false;
}

Truth judge_number(const Op& op, const Subject& subject) {
  if (subject.type != Subject::Type::kNumber && !subject.text_is_number) return Truth::kDoubt;
  const int order = compare_numbers(subject.text, op.scalars.front().text);
  switch (op.kind) {
    case Op::Kind::kMin:
      return to_truth(order >= 0);
    case Op::Kind::kMax:
      return to_truth(order <= 0);
    case Op::Kind::kAbove:
      return to_truth(order > 0);
    default:
      return to_truth(order < 0);
  }
}

Truth judge_count(const Op& op, size_t count) {
  char digits[24];
  char* const end = digits + sizeof digits;
  char* begin = end;
  do {
    *--begin = static_cast<char>('0' + count % 10);
    count /= 10;
  } while (count > 0);
  const std::string_view text(begin, static_cast<size_t>(end - begin));
  return judge(*op.nested, {Subject::Type::kNumber, text, false, std::nullopt});
}

Truth judge_length(const Op& op, const Subject& subject) {
  if (subject.type == Subject::Type::kList) return judge_count(op, subject.list->size());
  if (subject.type != Subject::Type::kText) return Truth::kDoubt;
  size_t length = 0;
  for (size_t at = 0; at < subject.text.size(); at += utf8_length(subject.text[at])) ++length;
  return judge_count(op, length);
}

Truth judge_items(const Op& op, const Subject& subject) {
  if (subject.type != Subject::Type::kList) return Truth::kDoubt;
  Tally tally;
  std::string scratch;
  for (const json::Value item : subject.list->items()) {
    tally.add(judge(*op.nested, to_subject(item, scratch)));
  }
  return op.kind == Op::Kind::kAny ? tally.any() : tally.all();
}

// A text too long for the pattern is in doubt: one call must not hold up those behind it.
Truth matches(const Pattern& pattern, std::string_view text) {
  constexpr uint64_t kMostSteps = 1'000'000;  // milliseconds at worst
  if (pattern.cost(text.size()) > kMostSteps) return Truth::kDoubt;
  return to_truth(pattern.matches(text));
}

// Tests of one value that is no list.
Truth judge_scalar(const Op& op, const Subject& subject) {
  if (op.kind == Op::Kind::kIs) {
    if (subject.type == Subject::Type::kOther) return Truth::kDoubt;
    return to_truth(std::any_of(op.scalars.begin(), op.scalars.end(),
                                [&](const Scalar& s) { return equals(s, subject); }));
  }
  if (op.kind >= Op::Kind::kMin && op.kind <= Op::Kind::kBelow) return judge_number(op, subject);
  if (subject.type != Subject::Type::kText) return Truth::kDoubt;
  switch (op.kind) {
    case Op::Kind::kPattern:
      return matches(op.patterns.front(), subject.text);
    case Op::Kind::kPrefix:
      return to_truth(subject.text.starts_with(op.text));
    case Op::Kind::kUnder: {
      const std::optional<bool> under = is_under(subject.text, op.text);
      return under ? to_truth(*under) : Truth::kDoubt;
    }
    case Op::Kind::kHost: {
      std::string scratch;
      const std::optional<std::string_view> host = host_of_url(subject.text, scratch);
      if (!host) return Truth::kDoubt;
      Truth truth = Truth::kFalse;
      for (const Pattern& pattern : op.patterns) {
        truth = std::max(truth, matches(pattern, *host));
      }
      return truth;
    }
    default:
      return Truth::kDoubt;
  }
}

}  // namespace

Truth judge(const Op& op, const Subject& subject) {
  const bool is_there = subject.type != Subject::Type::kAbsent;
  if (op.kind == Op::Kind::kPresent) return to_truth(is_there == op.present);
  if (op.kind == Op::Kind::kNot) return negate(judge(*op.nested, subject));
  if (!is_there || subject.type == Subject::Type::kNull) return Truth::kDoubt;
  if (op.kind == Op::Kind::kLength) return judge_length(op, subject);
  if (op.kind == Op::Kind::kAny || op.kind == Op::Kind::kAll) return judge_items(op, subject);
  if (subject.type != Subject::Type::kList) return judge_scalar(op, subject);
  Tally tally;
  std::string scratch;
  for (const json::Value item : subject.list->items()) {
    tally.add(judge(op, to_subject(item, scratch)));
  }
  return tally.plain();
}

namespace {

Truth judge_ops(const Test& test, const Subject& subject) {
  Truth result = Truth::kTrue;
  for (const Op& op : test.ops) {
    result = std::min(result, judge(op, subject));
    if (result == Truth::kFalse) break;
  }
  return result;
}

}  // namespace

Truth judge(const Test& test, const Subject& subject) {
  if (subject.type == Subject::Type::kAbsent && test.absent) [[unlikely]] {
    return judge_ops(test, subject_of(*test.absent));
  }
  return judge_ops(test, subject);
}

void ListJudge::add(const Subject& given) {
  const bool stands_in = given.type == Subject::Type::kAbsent && test_.absent;
  const Subject subject = stands_in ? subject_of(*test_.absent) : given;
  for (size_t i = 0; i < test_.ops.size(); ++i) {
    const Op& op = test_.ops[i];
    const bool nested = op.kind == Op::Kind::kAny || op.kind == Op::Kind::kAll;
    tallies_[i].add(nested ? judge(*op.nested, subject) : judge(op, subject));
  }
  any_absent_ = any_absent_ || subject.type == Subject::Type::kAbsent;
  ++count_;
}

Truth ListJudge::of_empty_list() const {
  Truth truth = Truth::kTrue;
  for (const Op& op : test_.ops) {
    const bool nested = op.kind == Op::Kind::kAny || op.kind == Op::Kind::kAll;
    truth = std::min(truth, nested                         ? Truth::kDoubt
                            : op.kind == Op::Kind::kLength ? judge_count(op, 0)
                                                           : judge(op, Subject{}));
  }
  return truth;
}

Truth ListJudge::result() const {
  if (count_ == 0) return judge(test_, Subject{});
  Truth truth = Truth::kTrue;
  for (size_t i = 0; i < test_.ops.size(); ++i) {
    const Op::Kind kind = test_.ops[i].kind;
    truth = std::min(truth, kind == Op::Kind::kAny      ? tallies_[i].any()
                            : kind == Op::Kind::kAll    ? tallies_[i].all()
                            : kind == Op::Kind::kLength ? length(test_.ops[i])
                                                        : tallies_[i].plain());
  }
  return truth;
}

Truth ListJudge::length(const Op& op) const {
  return any_absent_ ? Truth::kDoubt : judge_count(op, count_);
}

}  // namespace reeve::policy
