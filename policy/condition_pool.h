// Shares what conditions of many rules have in common. Rules that are written alike, by people or
// by a template, repeat the same tests: kept once they take less memory, and those of a call's
// rules are in the processor's cache.
#ifndef REEVE_POLICY_CONDITION_POOL_H_
#define REEVE_POLICY_CONDITION_POOL_H_

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/condition.h"

namespace reeve::policy {

class ConditionPool {
 public:
  // A condition that decides as this one, made of parts that others have, too; null for null.
  std::shared_ptr<const Condition> share(const std::shared_ptr<const Condition>& condition);

 private:
  using Part = std::shared_ptr<const Condition::Part>;

  Part share_part(const Part& part);

  std::unordered_map<std::string, Part> parts_;  // by all that they say
  std::map<std::vector<Part>, std::shared_ptr<const Condition>> conditions_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_CONDITION_POOL_H_
