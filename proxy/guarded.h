// The guards of one call: which are at work, what they do to its arguments, what they found.
//
// The arguments are what the agent sends besides names and the protocol's own members: of an MCP
// message its arguments and answers, of an HTTP call its body. What cannot be looked at is refused.
// Tested end to end by tests/e2e/guard_test.mjs.
#ifndef REEVE_PROXY_GUARDED_H_
#define REEVE_PROXY_GUARDED_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/guard.h"

namespace reeve {

struct Exchange;

// What was found on one side of a call, added up: kinds and counts, never a text.
struct GuardFindings {
  policy::GuardReport::Outcome outcome = policy::GuardReport::Outcome::kClean;  // the strongest
  const policy::GuardInfo* guard = nullptr;  // the first that had it
  const char* doubt = "";                    // static: why, for kDoubt
  std::vector<policy::GuardHit> hits;

  // `used`: the guards that looked, of which the first is named where nothing was found.
  void add(const policy::GuardReport& report, std::span<const policy::GuardInfo* const> used);
  // What an earlier look at the same found; what both have found counts once.
  void join(const GuardFindings& earlier);
};

struct Guarded {
  using Guards = std::vector<const policy::GuardInfo*>;
  Guards own;  // of this call
  Guards all;  // of any call on the upstream: for what an MCP server says besides its answer
  bool results = false;  // one of them looks at results
  bool report = false;   // they change and refuse nothing
  GuardFindings arguments, result;
};

// Whether what was found is refused.
bool refuses(policy::GuardReport::Outcome outcome);

// Looks at the arguments; edits the body where something is redacted, and reads the call again from
// what is then sent. Sets exchange.guarded where guards are at work. False: refused. Free where the
// policy has no guards.
bool guard_arguments(Exchange& exchange);

// guard_arguments() once more, by the policy that is then in force: what was found before counts,
// too. What that points into must outlive the exchange.
bool guard_again(Exchange& exchange);

// Whether an answer, if it has a body, must be looked at.
bool guards_results(const Exchange& exchange);

// What an agent is told: which guard, and what it looks for; never what was found.
std::string guard_detail(const GuardFindings& findings, std::string_view what);

}  // namespace reeve

#endif  // REEVE_PROXY_GUARDED_H_
