// /v1/agents and /v1/stops: who works here, and the stop.
#ifndef REEVE_PROXY_AGENTS_ADMIN_H_
#define REEVE_PROXY_AGENTS_ADMIN_H_

#include "proxy/admin.h"
#include "proxy/agents/roster.h"
#include "proxy/config.h"
#include "proxy/spend.h"
#include "proxy/stops/stopper.h"

namespace reeve {

// What serves it; all of it outlives the call, and the policy is the one in force at its begin.
struct AgentsDesk {
  const Config& config;
  Stopper& stopper;
  Roster& roster;
  Treasury& treasury;
};

// GET /v1/agents, GET /v1/agents/ID, GET /v1/stops; for operators POST
// /v1/agents/ID/stop|resume|retire|review, /v1/stops/all/stop and /v1/stops/SCOPE/NAME/stop|resume
// with SCOPE agent, role, team or upstream, and an optional body {"as": PERSON, "why": TEXT,
// "dry_run": true}. 503: it is in force, but not everything was done that belongs to it.
net::Task<AdminReply> serve_agents(AgentsDesk desk, Stopper::Policy policy, AdminCall call);

// What GET /v1/agents says.
std::string list_agents(AgentsDesk desk, const policy::PolicySet& policy);

}  // namespace reeve

#endif  // REEVE_PROXY_AGENTS_ADMIN_H_
