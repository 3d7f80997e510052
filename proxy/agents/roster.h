// The agents at work, as people see them: what the policy says, what is stopped, what each did
// last.
//
// On the admin side's thread. When an agent last called is counted beside its calls, and kept on
// disk now and then: a crash may forget the last minute of it.
#ifndef REEVE_PROXY_AGENTS_ROSTER_H_
#define REEVE_PROXY_AGENTS_ROSTER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/ledger.h"
#include "policy/policy_set.h"
#include "policy/stops.h"
#include "proxy/services.h"
#include "proxy/store/agent_store.h"

namespace reeve {

// active | probation | stopped | suspended | expired | retired
std::string_view agent_state(const policy::PolicySet& policy, policy::AgentId agent,
                             const policy::Stops& stops, policy::Time now);

class Roster {
 public:
  // `calls` and `store` outlive it; `kept` is what the store has.
  Roster(AgentCalls& calls, store::AgentStore& store, store::Lives kept)
      : calls_(calls), store_(store), lives_(std::move(kept)) {}

  // Notes who is new and who called; keeps what has changed, when it has been a while since or with
  // `at_once`.
  void look(const policy::PolicySet& policy, policy::Time now, bool at_once);

  const store::Life& life(const std::string& agent) const;
  // Somebody has looked at how the agent does. Kept first.
  Result<store::Done> reviewed(const std::string& agent, const std::string& by, policy::Time now);

 private:
  AgentCalls& calls_;
  store::AgentStore& store_;
  store::Lives lives_;
  store::Lives changed_;  // since they were kept
  policy::Time kept_at_{};
};

// What the admin side shows of them needs.
struct RosterView {
  const policy::PolicySet& policy;
  const policy::Stops& stops;
  const Roster& roster;
  std::vector<policy::AccountState> accounts;
  policy::Time now;
};
// {"agents":[…],"roles":[…]}
std::string agents_json(const RosterView& view);
// One of them; nothing where there is none of this name.
std::optional<std::string> agent_json(const RosterView& view, std::string_view name);
// {"stops":[…]}
std::string stops_json(const policy::Stops& stops);

}  // namespace reeve

#endif  // REEVE_PROXY_AGENTS_ROSTER_H_
