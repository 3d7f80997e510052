// A guard compiled: the built-in kinds as a set, the policy's own expressions, the places as steps.
// Built once with the policy, never changes, shared by all threads.
#ifndef REEVE_POLICY_GUARD_PROGRAM_H_
#define REEVE_POLICY_GUARD_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/condition.h"
#include "policy/guard_kind.h"
#include "policy/json.h"
#include "policy/obligation.h"

namespace re2 {
class RE2;
}

namespace reeve::policy {

// An expression that is looked for anywhere in a text.
class GuardExpression {
 public:
  // Requires a text that Pattern::compile() takes.
  GuardExpression(std::string name, const std::string& regex);
  ~GuardExpression();
  GuardExpression(const GuardExpression&) = delete;
  GuardExpression& operator=(const GuardExpression&) = delete;

  const std::string& name() const { return name_; }
  // The first match that is not empty and begins at `from` or behind it. Linear in the text.
  bool find(std::string_view text, size_t from, size_t& begin, size_t& end) const;

 private:
  std::string name_;
  std::unique_ptr<const re2::RE2> regex_;
};

struct GuardProgram {
  GuardKinds kinds = 0;
  std::vector<std::unique_ptr<const GuardExpression>> expressions;
  std::vector<ValueRef> places;
};

std::shared_ptr<const GuardProgram> compile_guard(const GuardInfo& guard);

// Whether a key in `value` equals, but for case folding, one on the way of a place. Takes a step
// off `steps` for each value that it looks at, and ends when none is left.
bool meets_case_variant(const std::vector<ValueRef>& places, const json::Value& value,
                        uint64_t& steps);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_PROGRAM_H_
