// Tested end to end by tests/e2e/agents_test.mjs.
#include "proxy/agents/roster.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>

#include "policy/compiled.h"
#include "proxy/budget_view.h"
#include "proxy/clock.h"
#include "proxy/log.h"

namespace reeve {
namespace {

namespace bj = boost::json;

constexpr std::chrono::seconds kKeepEvery{30};
// Who has not called for so long does nothing that it is needed for.
constexpr std::chrono::hours kUnused{30 * 24};

bj::object stop_json(const policy::Stop& stop) {
  bj::object out{{"scope", policy::to_string(stop.scope)}};
  if (!stop.name.empty()) out["name"] = stop.name;
  out["state"] = stop.retired ? "retired" : "stopped";
  out["by"] = stop.by;
  if (!stop.why.empty()) out["why"] = stop.why;
  out["time"] = format_time(stop.time);
  if (!stop.resumed.empty()) out["resumed"] = bj::array(stop.resumed.begin(), stop.resumed.end());
  return out;
}

bool is_unused(const store::Life& life, policy::Time now) { return now - life.last > kUnused; }

// What its own budgets have; what it shares with others is no account of its.
bj::array spend_json(const RosterView& view, const std::string& agent) {
  bj::array list;
  for (const policy::AccountState& account : view.accounts) {
    if (account.key.scope == "agent:" + agent) list.push_back(account_json(account));
  }
  return list;
}

// The first moment after it; where there is none, long ago.
policy::Time probation_end(const policy::PolicySet& policy, policy::AgentId agent) {
  policy::Time end = policy::Time::min();
  for (const policy::RateLimit& limit : policy.limits(agent)) {
    if (limit.until != policy::Time::max()) end = std::max(end, limit.until);
  }
  return end;
}

bj::object to_json(const RosterView& view, policy::AgentId id) {
  const policy::AgentInfo& agent = view.policy.agents()[id];
  const store::Life& life = view.roster.life(agent.name);
  bj::object out{{"agent", agent.name},
                 {"owner", agent.owner},
                 {"purpose", agent.purpose},
                 {"team", agent.team},
                 {"risk", agent.risk},
                 {"roles", bj::array(agent.roles.begin(), agent.roles.end())},
                 {"state", agent_state(view.policy, id, view.stops, view.now)},
                 {"unused", is_unused(life, view.now)},
                 {"expires", agent.expires}};
  const policy::Time probation = probation_end(view.policy, id);
  if (probation > view.now) out["probation_until"] = format_time(probation);
  const auto subject = policy::stop_subject(view.policy, id);
  if (const policy::Stop* stop = view.stops.covering(subject, {})) out["stop"] = stop_json(*stop);
  if (life.hired != policy::Time{}) out["hired"] = format_time(life.hired);
  if (life.last != policy::Time{}) out["last_call"] = format_time(life.last);
  if (life.reviewed != policy::Time{}) {
    out["reviewed"] = format_time(life.reviewed);
    out["reviewed_by"] = life.reviewed_by;
  }
  if (const auto review = view.policy.compiled().agent_states[id].review) {
    const policy::Time next = std::max(life.hired, life.reviewed) + *review;
    out["next_review"] = format_time(next);
    out["review_due"] = next <= view.now;
  }
  out["spend"] = spend_json(view, agent.name);
  return out;
}

// A role is used when somebody who has it, itself or by inheritance, is.
bj::array roles_json(const RosterView& view) {
  struct Use {
    uint64_t agents = 0;
    bool used = false;
  };
  std::map<std::string, Use> uses;
  for (policy::AgentId id = 0; id < view.policy.agents().size(); ++id) {
    const bool unused = is_unused(view.roster.life(view.policy.agents()[id].name), view.now);
    for (const std::string& role : policy::stop_subject(view.policy, id).roles) {
      Use& use = uses[role];
      ++use.agents;
      use.used = use.used || !unused;
    }
  }
  bj::array list;
  for (const auto& [role, use] : uses) {
    const bool stopped = view.stops.find(policy::StopScope::kRole, role) != nullptr;
    list.push_back(bj::object{{"role", role},
                              {"agents", use.agents},
                              {"unused", !use.used},
                              {"state", stopped ? "stopped" : "active"}});
  }
  return list;
}

}  // namespace

std::string_view agent_state(const policy::PolicySet& policy, policy::AgentId agent,
                             const policy::Stops& stops, policy::Time now) {
  const policy::AgentInfo& info = policy.agents()[agent];
  const policy::Stop* stop = stops.covering(policy::stop_subject(policy, agent), {});
  if (info.status == "retired" || (stop && stop->retired)) return "retired";
  if (stop) return "stopped";
  if (info.status == "suspended") return "suspended";
  if (now >= policy.compiled().agent_states[agent].expires) return "expired";
  return now < probation_end(policy, agent) ? "probation" : "active";
}

void Roster::look(const policy::PolicySet& policy, policy::Time now, bool at_once) {
  for (const policy::AgentInfo& agent : policy.agents()) {
    const int64_t last = calls_.counter(agent.name).last.load(std::memory_order_relaxed);
    const policy::Time called{std::chrono::microseconds{last}};
    store::Life& life = lives_[agent.name];
    const store::Life before = life;
    if (life.hired == policy::Time{}) life.hired = now;
    life.last = std::max(life.last, called);
    if (life != before) changed_[agent.name] = life;
  }
  if (changed_.empty() || (!at_once && now - kept_at_ < kKeepEvery && now >= kept_at_)) return;
  kept_at_ = now;
  if (const auto kept = store_.save_lives(changed_); !kept) {
    log(LogLevel::kError, kept.error().message);
    return;
  }
  changed_.clear();
}

const store::Life& Roster::life(const std::string& agent) const {
  static const store::Life kNone;
  const auto at = lives_.find(agent);
  return at == lives_.end() ? kNone : at->second;
}

Result<store::Done> Roster::reviewed(const std::string& agent, const std::string& by,
                                     policy::Time now) {
  store::Life next = life(agent);
  next.reviewed = now;
  next.reviewed_by = by;
  if (auto kept = store_.save_lives({{agent, next}}); !kept) return kept.error();
  changed_.erase(agent);
  lives_[agent] = std::move(next);
  return store::Done{};
}

std::string agents_json(const RosterView& view) {
  bj::array agents;
  for (policy::AgentId id = 0; id < view.policy.agents().size(); ++id) {
    agents.push_back(to_json(view, id));
  }
  return bj::serialize(bj::object{{"agents", std::move(agents)}, {"roles", roles_json(view)}});
}

std::optional<std::string> agent_json(const RosterView& view, std::string_view name) {
  const auto agent = view.policy.find_agent(name);
  if (!agent) return std::nullopt;
  return bj::serialize(to_json(view, *agent));
}

std::string stops_json(const policy::Stops& stops) {
  bj::array list;
  for (const auto& [key, stop] : stops.all()) list.push_back(stop_json(stop));
  return bj::serialize(bj::object{{"stops", std::move(list)}});
}

}  // namespace reeve
