// The stop: whose calls are refused now, whatever the policy says, until somebody resumes them.
//
// A stop is of an agent, a role, a team, an upstream, or of all. Each is resumed by its own name:
// to resume an agent does not lift the stop of its role. A stop of all has no name to resume it by,
// so each agent is resumed by its own; one that comes with a later policy is stopped until then.
//
// Pure: time and storage come from outside. A const object may be read by any thread.
#ifndef REEVE_POLICY_STOPS_H_
#define REEVE_POLICY_STOPS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/call.h"

namespace reeve::policy {

class PolicySet;

enum class StopScope : uint8_t { kAll, kAgent, kRole, kTeam, kUpstream };
std::string_view to_string(StopScope scope);
std::optional<StopScope> stop_scope(std::string_view name);

struct Stop {
  StopScope scope = StopScope::kAll;
  std::string name;                  // empty: of all
  std::string by, why;               // who stopped it; `why` may be empty
  Time time{};                       // when
  bool retired = false;              // an agent that has left: not to be resumed
  std::vector<std::string> resumed;  // of a stop of all: the agents that it holds no more, sorted

  friend bool operator==(const Stop&, const Stop&) = default;
};

// Whose calls a stop may be about. Views into a policy.
struct StopSubject {
  std::string_view agent, team;
  std::span<const std::string> roles;  // inherited ones included
};
StopSubject stop_subject(const PolicySet& policy, uint32_t agent);
// Of an agent that may be in the policy no more: then it has its name alone, which outlives it.
StopSubject stop_subject(const PolicySet& policy, std::string_view agent);

class Stops {
 public:
  using Key = std::pair<StopScope, std::string>;
  struct Before {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.first != b.first ? a.first < b.first
                                : std::string_view(a.second) < std::string_view(b.second);
    }
  };

  bool empty() const { return all_.empty(); }
  const std::map<Key, Stop, Before>& all() const { return all_; }
  const Stop* find(StopScope scope, std::string_view name) const;

  // The stop that refuses the agent's calls, or null. Without an upstream, those of upstreams do
  // not count. Of several, one that the agent has left by, else the widest.
  const Stop* covering(const StopSubject& subject, std::string_view upstream) const;

  // From now on; replaces a stop of the same name, but no retirement.
  void add(Stop stop);

  enum class Resumed : uint8_t {
    kResumed,
    kNotStopped,
    kOtherwise,  // an agent that other stops hold: they are to be resumed by their names
    kRetired,
    kAll,  // a stop of all is resumed agent by agent
  };
  // When all agents of the policy, the one in force, have been resumed, a stop of all has ended.
  Resumed resume(StopScope scope, std::string_view name, const PolicySet& policy);

 private:
  std::map<Key, Stop, Before> all_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_STOPS_H_
