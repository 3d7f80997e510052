// Evaluating `when`. A value becomes a Subject, whatever it came from; an Op judges a Subject;
// lists combine the judgements of their items. Tested by tests/policy/condition_test.cc.
#include "policy/condition.h"

#include <date/tz.h>

#include <algorithm>
#include <array>

#include "policy/json.h"
#include "policy/number.h"
#include "policy/query.h"
#include "policy/text.h"
#include "policy/value_forms.h"

namespace reeve::policy {

namespace {

// A test has each kind of op at most once.
constexpr size_t kMostOps = 16;

// A value as the tests see it.
struct Subject {
  enum class Type : uint8_t { kAbsent, kNull, kFalse, kTrue, kNumber, kText, kList, kOther };
  Type type = Type::kAbsent;
  std::string_view text;            // of kText and, its digits, of kNumber
  bool text_is_number = false;      // kText that counts as a number too
  std::optional<json::Value> list;  // of kList
};

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

Truth negate(Truth truth) {
  return truth == Truth::kDoubt ? truth : truth == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

Truth to_truth(bool holds) { return holds ? Truth::kTrue : Truth::kFalse; }

Subject text_subject(std::string_view text) {
  return {Subject::Type::kText, text, is_number(text), std::nullopt};
}

// `scratch` holds a string that has to be unescaped, as long as the result is used.
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

Subject to_subject(const Scalar& scalar) {
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

Truth judge(const Test& test, const Subject& subject);

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
      return to_truth(op.patterns.front().matches(subject.text));
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
      return to_truth(std::any_of(op.patterns.begin(), op.patterns.end(),
                                  [&](const Pattern& p) { return p.matches(*host); }));
    }
    default:
      return Truth::kDoubt;
  }
}

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

Truth judge(const Test& test, const Subject& given) {
  const bool stands_in = given.type == Subject::Type::kAbsent && test.absent;
  const Subject subject = stands_in ? to_subject(*test.absent) : given;
  Truth result = Truth::kTrue;
  for (const Op& op : test.ops) {
    result = std::min(result, judge(op, subject));
    if (result == Truth::kFalse) break;
  }
  return result;
}

// Judges each of several values that together are a list: items by `*`, a repeated parameter.
class ListJudge {
 public:
  explicit ListJudge(const Test& test) : test_(test) {}

  void add(const Subject& given) {
    const bool stands_in = given.type == Subject::Type::kAbsent && test_.absent;
    const Subject subject = stands_in ? to_subject(*test_.absent) : given;
    for (size_t i = 0; i < test_.ops.size(); ++i) {
      const Op& op = test_.ops[i];
      const bool nested = op.kind == Op::Kind::kAny || op.kind == Op::Kind::kAll;
      tallies_[i].add(nested ? judge(*op.nested, subject) : judge(op, subject));
    }
    any_absent_ = any_absent_ || subject.type == Subject::Type::kAbsent;
    ++count_;
  }

  bool empty() const { return count_ == 0; }

  // No item to judge: in doubt, `default` or not, but for what speaks of the list itself.
  Truth of_empty_list() const {
    Truth truth = Truth::kTrue;
    for (const Op& op : test_.ops) {
      const bool nested = op.kind == Op::Kind::kAny || op.kind == Op::Kind::kAll;
      truth = std::min(truth, nested                         ? Truth::kDoubt
                              : op.kind == Op::Kind::kLength ? judge_count(op, 0)
                                                             : judge(op, Subject{}));
    }
    return truth;
  }

  Truth result() const {
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

 private:
  // Of the list, not of its items.
  Truth length(const Op& op) const { return any_absent_ ? Truth::kDoubt : judge_count(op, count_); }

  const Test& test_;
  std::array<Tally, kMostOps> tallies_;
  size_t count_ = 0;
  bool any_absent_ = false;
};

// Calls `visit(value or null)` for what `steps` lead to, once for each item where they fan out.
// Recursion is as deep as the path is long.
template <class Visit>
void visit_values(const json::Value& value, const Step* step, const Step* end, Visit& visit) {
  if (step == end) {
    visit(&value);
  } else if (step->every) {
    if (!value.is_array()) {
      visit(nullptr);
      return;
    }
    for (const json::Value item : value.items()) visit_values(item, step + 1, end, visit);
  } else if (value.is_object()) {
    if (const auto member = value.find(step->key)) {
      visit_values(*member, step + 1, end, visit);
    } else {
      visit(nullptr);
    }
  } else if (value.is_array() && step->index && *step->index < value.size()) {
    size_t left = *step->index;
    for (const json::Value item : value.items()) {
      if (left-- > 0) continue;
      visit_values(item, step + 1, end, visit);
      break;
    }
  } else {
    visit(nullptr);
  }
}

Truth evaluate_args(const Condition::Part& part, const Call& call) {
  if (!call.args) return judge(part.test, Subject{});
  const Step* begin = part.value.steps.data();
  const Step* end = begin + part.value.steps.size();
  std::string scratch;
  if (part.value.every) {
    ListJudge list(part.test);
    auto visit = [&](const json::Value* value) {
      list.add(value ? to_subject(*value, scratch) : Subject{});
    };
    visit_values(*call.args, begin, end, visit);
    return list.empty() ? list.of_empty_list() : list.result();
  }
  Truth truth = Truth::kDoubt;
  auto visit = [&](const json::Value* value) {
    truth = judge(part.test, value ? to_subject(*value, scratch) : Subject{});
  };
  visit_values(*call.args, begin, end, visit);
  return truth;
}

// One value is itself, but a list of one to `any` and `all`; several are a list; none is absent.
class FieldJudge {
 public:
  explicit FieldJudge(const Test& test) : test_(test), list_(test) {}
  void add(std::string_view text) {
    const Subject subject = text_subject(text);
    if (++count_ == 1) first_ = judge_one(subject);
    list_.add(subject);
  }
  Truth result() const { return count_ == 1 ? first_ : list_.result(); }

 private:
  Truth judge_one(const Subject& subject) const {
    Truth truth = Truth::kTrue;
    for (const Op& op : test_.ops) {
      const bool nested = op.kind == Op::Kind::kAny || op.kind == Op::Kind::kAll;
      truth = std::min(truth, nested ? judge(*op.nested, subject) : judge(op, subject));
    }
    return truth;
  }

  const Test& test_;
  ListJudge list_;
  Truth first_ = Truth::kDoubt;
  size_t count_ = 0;
};

Truth evaluate_query(const Condition::Part& part, const Call& call) {
  FieldJudge fields(part.test);
  QueryReader reader(call.query);
  while (reader.next()) {
    if (reader.name_is(part.value.name)) fields.add(reader.value());
  }
  return reader.malformed() ? Truth::kDoubt : fields.result();
}

Truth evaluate_header(const Condition::Part& part, const Call& call) {
  FieldJudge fields(part.test);
  for (const Field& field : call.headers) {
    if (equals_ignoring_case(field.name, part.value.name)) fields.add(field.value);
  }
  return fields.result();
}

Truth evaluate_model(const Test& test, std::string_view model) {
  if (model.empty()) return judge(test, Subject{});
  return judge(test, {Subject::Type::kText, model, false, std::nullopt});
}

Truth evaluate_time(const TimeTest& test, Time now) {
  using std::chrono::minutes;
  minutes since_epoch = std::chrono::floor<minutes>(now.time_since_epoch());
  if (test.zone) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    since_epoch += std::chrono::floor<minutes>(test.zone->get_info(seconds).offset);
  }
  const auto day = std::chrono::floor<std::chrono::days>(since_epoch);
  const auto minute = static_cast<int>((since_epoch - day).count());
  const std::chrono::weekday weekday{std::chrono::sys_days(day)};
  if (!(test.days & (1u << weekday.c_encoding()))) return Truth::kFalse;
  if (!test.has_hours) return Truth::kTrue;
  const bool after = minute >= test.from_minute;
  const bool before = minute < test.to_minute;
  return to_truth(test.from_minute < test.to_minute ? after && before : after || before);
}

Truth evaluate_part(const Condition::Part& part, const Call& call) {
  switch (part.value.root) {
    case ValueRef::Root::kArgs:
      return evaluate_args(part, call);
    case ValueRef::Root::kQuery:
      return evaluate_query(part, call);
    case ValueRef::Root::kHeader:
      return evaluate_header(part, call);
    case ValueRef::Root::kModel:
      return evaluate_model(part.test, call.model);
    case ValueRef::Root::kTime:
      return evaluate_time(part.time, call.time);
  }
  return Truth::kDoubt;
}

bool meets_variant(const json::Value& value, const Step* step, const Step* end) {
  if (step == end) return false;
  if (value.is_object() && !step->every) {
    if (value.has_case_variant(step->key)) return true;
    const auto member = value.find(step->key);
    return member && meets_variant(*member, step + 1, end);
  }
  if (!value.is_array() || (!step->every && !step->index)) return false;
  size_t index = 0;
  for (const json::Value item : value.items()) {
    const bool chosen = step->every || index == *step->index;
    if (chosen && meets_variant(item, step + 1, end)) return true;
    ++index;
  }
  return false;
}

}  // namespace

bool Condition::reads(ValueRef::Root root) const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [&](const Part& part) { return part.value.root == root; });
}

Truth Condition::evaluate(const Call& call) const {
  Truth result = Truth::kTrue;
  for (const Part& part : parts_) {
    result = std::min(result, evaluate_part(part, call));
    if (result == Truth::kFalse) break;
  }
  return result;
}

bool Condition::meets_case_variant(const Call& call) const {
  for (const Part& part : parts_) {
    if (part.value.root == ValueRef::Root::kArgs && call.args) {
      const Step* begin = part.value.steps.data();
      if (meets_variant(*call.args, begin, begin + part.value.steps.size())) return true;
    } else if (part.value.root == ValueRef::Root::kQuery) {
      QueryReader reader(call.query);
      while (reader.next()) {
        if (reader.name_is_variant_of(part.value.name)) return true;
      }
    }
  }
  return false;
}

const Condition::Part* Condition::decisive_part(const Call& call, Truth truth) const {
  for (const Part& part : parts_) {
    if (evaluate_part(part, call) == truth) return &part;
  }
  return nullptr;
}

std::optional<json::Value> find_value(const json::Value& root, const ValueRef& path) {
  std::optional<json::Value> found;
  auto visit = [&](const json::Value* value) {
    if (value) found = *value;
  };
  visit_values(root, path.steps.data(), path.steps.data() + path.steps.size(), visit);
  return found;
}

bool meets_case_variant(const json::Value& root, const ValueRef& path) {
  return meets_variant(root, path.steps.data(), path.steps.data() + path.steps.size());
}

}  // namespace reeve::policy
