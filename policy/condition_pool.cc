// See condition_pool.h. Tested by tests/policy/condition_sharing_test.cc.
#include "policy/condition_pool.h"

#include <cstdint>
#include <string_view>

namespace reeve::policy {

namespace {

// Writes all that a part says, so that equal parts, and no others, have equal text.
class PartWriter {
 public:
  // False for a part with patterns, which do not tell what they were made of.
  bool write(const Condition::Part& part) {
    number(static_cast<uint64_t>(part.value.root));
    text(part.value.text);
    number(part.time.days);
    number(part.time.has_hours);
    number(static_cast<uint64_t>(part.time.from_minute));
    number(static_cast<uint64_t>(part.time.to_minute));
    number(reinterpret_cast<uintptr_t>(part.time.zone));
    write(part.test);
    return !has_pattern_;
  }
  std::string& out() { return out_; }

 private:
  void number(uint64_t value) { out_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  void write(const Scalar& scalar) {
    number(static_cast<uint64_t>(scalar.type));
    text(scalar.text);
  }
  void write(const Test& test) {
    number(test.absent.has_value());
    if (test.absent) write(*test.absent);
    number(test.ops.size());
    for (const Op& op : test.ops) {
      number(static_cast<uint64_t>(op.kind));
      number(op.scalars.size());
      for (const Scalar& scalar : op.scalars) write(scalar);
      has_pattern_ = has_pattern_ || !op.patterns.empty();
      text(op.text);
      number(op.present);
      number(op.nested != nullptr);
      if (op.nested) write(*op.nested);
    }
  }

  std::string out_;
  bool has_pattern_ = false;
};

}  // namespace

ConditionPool::Part ConditionPool::share_part(const Part& part) {
  PartWriter writer;
  if (!writer.write(*part)) return part;
  return parts_.try_emplace(std::move(writer.out()), part).first->second;
}

std::shared_ptr<const Condition> ConditionPool::share(
    const std::shared_ptr<const Condition>& condition) {
  if (!condition) return nullptr;
  std::vector<Part> parts;
  for (const Part& part : condition->parts()) parts.push_back(share_part(part));
  std::shared_ptr<const Condition>& shared = conditions_[parts];
  if (!shared) shared = std::make_shared<const Condition>(std::move(parts));
  return shared;
}

}  // namespace reeve::policy
