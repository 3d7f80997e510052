// Which grants of a policy a record of calls used, and the tightest policy that still allows them:
// for reviews (`reeve suggest`).
#ifndef REEVE_POLICY_USAGE_H_
#define REEVE_POLICY_USAGE_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "policy/document.h"
#include "policy/policy_set.h"
#include "policy/replay.h"

namespace reeve::policy {

// What one rule that grants was used for. Memory is bounded: beyond kMostTargets of a kind on an
// upstream, targets are no longer told apart.
struct GrantUse {
  static constexpr size_t kMostTargets = 400;
  // Targets, for HTTP with their methods. MCP's housekeeping (initialize, lists) stands under
  // kMethods.
  struct Targets {
    std::set<std::pair<std::string, std::string>> seen;  // target, and the HTTP method or nothing
    bool too_many = false;
  };

  uint64_t calls = 0;
  Time last{};
  std::vector<bool> patterns;  // those that selected a call
  std::map<std::pair<std::string, SelectorKind>, Targets> by_upstream;  // upstream and kind
};

class Usage {
 public:
  // `policy` must outlive this.
  explicit Usage(const PolicySet& policy);

  // A call that was let through. Counted for the rule that is recorded, where the policy has it and
  // it selects the call; else for each that would grant it. False when none does.
  bool add(const RecordedCall& recorded);

  // In the policy's order: allow and ask rules that are enforced.
  std::vector<std::pair<const RuleInfo*, const GrantUse*>> grants() const;
  // Null for a rule that grants nothing.
  const GrantUse* use_of(const std::string& at) const;
  // Of grants() by `rule`: the patterns that selected no call, as written.
  std::vector<std::string> unused_patterns(const RuleInfo& rule) const;
  // Agents without any call; and, of the others, roles of which no rule was used by them.
  std::vector<std::string> idle_agents() const;
  std::vector<std::pair<std::string, std::string>> idle_roles() const;  // agent, role
  // How many rules grant the agent something, inherited ones included, and how many of them its
  // own calls used.
  struct Held {
    size_t grants = 0;
    size_t used = 0;
  };
  Held held_by(AgentId agent) const;

 private:
  void count(AgentId agent, const RecordedCall& recorded, uint32_t rule);
  uint32_t index_of(const RuleInfo& rule) const;

  const PolicySet& policy_;
  std::vector<GrantUse> uses_;  // by index in Compiled::rules
  std::map<std::string, uint32_t> by_place_;
  std::vector<bool> seen_agents_;
  std::set<std::pair<AgentId, std::string>> used_roles_;  // the roles in which rules stand
  std::set<std::pair<AgentId, uint32_t>> used_rules_;
};

// The policy as YAML, one document, in which each `allow` rule grants what it was used for and no
// more, and those that were not used are gone; all else is as it was, but for comments. Paths whose
// parts look like ids keep a `*` there; a rule that was used for very many targets keeps its
// patterns. Requires the files that `usage` is of.
std::string tightest_policy(std::span<const SourceFile> files, const Usage& usage);

// A path with `*` for each segment that looks like an id (a number, a UUID, a hash, …), so that
// calls of one kind have one text.
std::string kind_of_path(std::string_view path);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_USAGE_H_
