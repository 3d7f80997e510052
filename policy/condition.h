// `when`: what the values of a call must be for a rule to match, in three-valued logic.
//
// A test that fails makes the condition false, whatever else is in doubt; otherwise one in doubt
// puts it in doubt. A value that is absent, null or of a type that the test cannot judge is in
// doubt, so is an empty list; a plain test on a list is in doubt where the items differ. What doubt
// does to a rule is not decided here (evaluate.cc).
//
// Values are read from the call's bytes, only those that are asked for; numbers compare exactly.
#ifndef REEVE_POLICY_CONDITION_H_
#define REEVE_POLICY_CONDITION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/pattern.h"

namespace date {
class time_zone;
}

namespace reeve::policy {

enum class Truth : uint8_t { kFalse, kDoubt, kTrue };

// A step into a value: a key of an object, an index of a list, or every item.
struct Step {
  std::string key;  // of an object, also when it looks like a number
  std::optional<size_t> index;
  bool every = false;
  uint32_t hash = 0;  // json::key_hash() of `key`; set by add_step()
};

struct ValueRef {
  enum class Root : uint8_t { kArgs, kQuery, kHeader, kModel, kTime };
  Root root = Root::kArgs;
  std::string text;         // as written
  std::string name;         // of a query parameter or header
  std::vector<Step> steps;  // of args
  bool every = false;       // a step is `*`
  uint32_t hash = 0;        // of `steps`, for ArgsReader; set by add_step()
};

// What a test says is written by condition_pool.cc, field by field, to find tests that say the
// same: a field that is added here is added there.

// A scalar of the policy: text, a number or a truth value.
struct Scalar {
  enum class Type : uint8_t { kText, kNumber, kTrue, kFalse };
  Type type = Type::kText;
  std::string text;
};

class ArgsReader;
struct Test;

struct Op {
  enum class Kind : uint8_t {
    kIs,  // one of `scalars`
    kMin,
    kMax,
    kAbove,
    kBelow,
    kPattern,  // matches, glob
    kPrefix,
    kNot,  // of `nested`
    kPresent,
    kLength,  // `nested`, of the count
    kUnder,
    kHost,  // one of `patterns`
    kAny,   // `nested`, of an item
    kAll,
  };
  Kind kind = Kind::kIs;
  std::vector<Scalar> scalars;  // kMin to kBelow: one number
  std::vector<Pattern> patterns;
  std::string text;  // kPrefix, kUnder
  bool present = false;
  std::unique_ptr<Test> nested;
};

struct Test {
  std::vector<Op> ops;           // all must hold
  std::optional<Scalar> absent;  // `default`
};

struct TimeTest {
  uint8_t days = 0x7F;  // bit 0 is Sunday
  bool has_hours = false;
  int from_minute = 0;                    // of the day, included
  int to_minute = 0;                      // excluded; not after `from_minute`: over midnight
  const date::time_zone* zone = nullptr;  // null: UTC
};

class Condition {
 public:
  struct Part {
    ValueRef value;
    Test test;      // of all but kTime
    TimeTest time;  // of kTime
  };

  void add(Part part) { parts_.push_back(std::move(part)); }
  const std::vector<Part>& parts() const { return parts_; }
  bool reads(ValueRef::Root root) const;

  // Allocates only to unescape a long string. `args` reads the arguments of this call.
  Truth evaluate(const Call& call, ArgsReader& args) const;
  Truth evaluate(const Call& call) const;
  // Whether a key of the call equals, but for case folding, one that this condition reads: such a
  // call has two readings.
  bool meets_case_variant(const Call& call, ArgsReader& args) const;
  // The part that decided for `truth`, which is not kTrue: the first with that result.
  const Part* decisive_part(const Call& call, Truth truth) const;

 private:
  std::vector<Part> parts_;
};

// Appends a step to a path, the only way by which one grows.
void add_step(ValueRef& ref, Step step);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_CONDITION_H_
