// Evaluating `when`: finds the values that it reads, and has judge.h judge them. Tested by
// tests/policy/condition_test.cc.
#include "policy/condition.h"

#include <date/tz.h>

#include <algorithm>
#include <bit>

#include "policy/args_reader.h"
#include "policy/judge.h"
#include "policy/number.h"
#include "policy/query.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

Truth evaluate_args(const Condition::Part& part, ArgsReader& args) {
  if (args.is_unread()) return Truth::kDoubt;
  if (!args.has_args()) return judge(part.test, Subject{});
  std::string scratch;
  if (!part.value.every) {
    const std::optional<json::Value>& value = args.read(part.value).value;
    return judge(part.test, value ? to_subject(*value, scratch) : Subject{});
  }
  ListJudge list(part.test);
  auto visit = [&](const json::Value* value) {
    list.add(value ? to_subject(*value, scratch) : Subject{});
  };
  args.visit(part.value, visit);
  if (args.is_exhausted()) return Truth::kDoubt;
  return list.empty() ? list.of_empty_list() : list.result();
}

// One value is itself, but a list of one to `any` and `all`; several are a list; none is absent.
class FieldJudge {
 public:
  explicit FieldJudge(const Test& test) : test_(test), list_(test) {}
  void add(std::string_view text) {
    const Subject subject{Subject::Type::kText, text, is_number(text), std::nullopt};
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

Truth evaluate_part(const Condition::Part& part, const Call& call, ArgsReader& args) {
  switch (part.value.root) {
    case ValueRef::Root::kArgs:
      return evaluate_args(part, args);
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

bool meets_variant(const ValueRef& ref, const Call& call, ArgsReader& args) {
  if (ref.root == ValueRef::Root::kArgs && args.has_args()) {
    if (!ref.every) return args.read(ref).has_variant;
    auto ignore = [](const json::Value*) {};
    return args.visit(ref, ignore);
  }
  if (ref.root == ValueRef::Root::kQuery && !call.query.empty()) {
    QueryReader reader(call.query);
    while (reader.next()) {
      if (reader.name_is_variant_of(ref.name)) return true;
    }
  }
  return false;
}

}  // namespace

void add_step(ValueRef& ref, Step step) {
  step.hash = json::key_hash(step.key);
  ref.hash = (std::rotl(ref.hash, 5) ^ step.hash) * 0x9E3779B1u;
  ref.every = ref.every || step.every;
  ref.steps.push_back(std::move(step));
}

bool Condition::reads(ValueRef::Root root) const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [&](const Part& part) { return part.value.root == root; });
}

Truth Condition::evaluate(const Call& call, ArgsReader& args) const {
  Truth result = Truth::kTrue;
  for (const Part& part : parts_) {
    result = std::min(result, evaluate_part(part, call, args));
    if (result == Truth::kFalse) break;
  }
  return result;
}

Truth Condition::evaluate(const Call& call) const {
  ArgsReader args(call);
  return evaluate(call, args);
}

bool Condition::meets_case_variant(const Call& call, ArgsReader& args) const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [&](const Part& part) { return meets_variant(part.value, call, args); });
}

const Condition::Part* Condition::decisive_part(const Call& call, Truth truth) const {
  ArgsReader args(call);
  for (const Part& part : parts_) {
    if (evaluate_part(part, call, args) == truth) return &part;
  }
  return nullptr;
}

}  // namespace reeve::policy
