// Tested by tests/policy/stops_test.cc.
#include "policy/stops.h"

#include <algorithm>
#include <array>

#include "policy/compiled.h"
#include "policy/policy_set.h"

namespace reeve::policy {
namespace {

constexpr std::array<std::string_view, 5> kScopes = {"all", "agent", "role", "team", "upstream"};

}  // namespace

std::string_view to_string(StopScope scope) { return kScopes[static_cast<size_t>(scope)]; }

std::optional<StopScope> stop_scope(std::string_view name) {
  const auto found = std::find(kScopes.begin(), kScopes.end(), name);
  if (found == kScopes.end()) return std::nullopt;
  return static_cast<StopScope>(found - kScopes.begin());
}

StopSubject stop_subject(const PolicySet& policy, uint32_t agent) {
  const AgentInfo& info = policy.agents()[agent];
  return {info.name, info.team, policy.compiled().agent_states[agent].held_roles};
}

StopSubject stop_subject(const PolicySet& policy, std::string_view agent) {
  const auto id = policy.find_agent(agent);
  return id ? stop_subject(policy, *id) : StopSubject{agent, {}, {}};
}

const Stop* Stops::find(StopScope scope, std::string_view name) const {
  const auto at = all_.find(std::pair(scope, name));
  return at == all_.end() ? nullptr : &at->second;
}

const Stop* Stops::covering(const StopSubject& subject, std::string_view upstream) const {
  const Stop* own = find(StopScope::kAgent, subject.agent);
  if (own && own->retired) return own;
  const Stop* all = find(StopScope::kAll, {});
  if (all && !std::binary_search(all->resumed.begin(), all->resumed.end(), subject.agent)) {
    return all;
  }
  if (const Stop* team = find(StopScope::kTeam, subject.team)) return team;
  for (const std::string& role : subject.roles) {
    if (const Stop* stop = find(StopScope::kRole, role)) return stop;
  }
  if (own || upstream.empty()) return own;
  return find(StopScope::kUpstream, upstream);
}

void Stops::add(Stop stop) {
  Key key(stop.scope, stop.name);
  const auto at = all_.find(key);
  if (at == all_.end()) {
    all_.emplace(std::move(key), std::move(stop));
  } else if (!at->second.retired || stop.retired) {
    at->second = std::move(stop);
  }
}

Stops::Resumed Stops::resume(StopScope scope, std::string_view name, const PolicySet& policy) {
  if (scope == StopScope::kAll) return Resumed::kAll;
  const auto at = all_.find(std::pair(scope, name));
  if (at != all_.end() && at->second.retired) return Resumed::kRetired;
  bool changed = at != all_.end();
  if (changed) all_.erase(at);
  if (scope != StopScope::kAgent) return changed ? Resumed::kResumed : Resumed::kNotStopped;
  if (const auto all = all_.find(std::pair(StopScope::kAll, std::string_view()));
      all != all_.end()) {
    std::vector<std::string>& resumed = all->second.resumed;
    const auto place = std::lower_bound(resumed.begin(), resumed.end(), name);
    if (place == resumed.end() || *place != name) {
      resumed.emplace(place, name);
      changed = true;
    }
    const auto agents = policy.agents();
    const bool ended = std::all_of(agents.begin(), agents.end(), [&](const AgentInfo& agent) {
      return std::binary_search(resumed.begin(), resumed.end(), agent.name);
    });
    if (ended) all_.erase(all);
  }
  if (changed) return Resumed::kResumed;
  const bool held = covering(stop_subject(policy, name), {}) != nullptr;
  return held ? Resumed::kOtherwise : Resumed::kNotStopped;
}

}  // namespace reeve::policy
