// What a decision obliges the caller to do for an allow to hold (XACML's obligations): people to
// ask, limits to keep, guards to run. Data only; owned by the PolicySet and as long-lived.
//
// A caller that cannot fulfil one must refuse the call.
#ifndef REEVE_POLICY_OBLIGATION_H_
#define REEVE_POLICY_OBLIGATION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "policy/call.h"
#include "policy/condition.h"
#include "policy/diagnostic.h"

namespace reeve::policy {

// Who may say yes. `need` distinct members must.
struct ApproverGroup {
  std::string name;
  std::vector<std::string> members;
  uint32_t need = 1;
  bool not_owner = false;  // the owner of the asking agent does not count
  Place at;
};

inline constexpr std::chrono::seconds kDefaultWithin{15 * 60};

// Ask this group; no answer in time is a no.
struct AskTerms {
  uint32_t group = 0;  // index into PolicySet::approver_groups()
  std::chrono::seconds within = kDefaultWithin;
};

// A bound on the calls of one agent, counted over all of its calls; windows slide.
struct RateLimit {
  enum class Kind : uint8_t {
    kCalls,       // `count` calls per `window`
    kConcurrent,  // `count` at once
    kRepeats,     // `count` of the same call per `window`
    kSteps,       // `count` forwarded calls per session
  };
  Kind kind = Kind::kCalls;
  uint32_t count = 0;
  std::chrono::seconds window{0};
  Time until = Time::max();  // of probation: the first moment at which it no longer holds
  std::string text;          // as written
  Place at;
};

struct GuardProgram;  // guard_program.h

// What is looked for in arguments and results, and what is then done; guard.h does it.
struct GuardInfo {
  enum class On : uint8_t { kArguments, kResult, kBoth };
  enum class Then : uint8_t { kRedact, kDeny, kAsk };
  struct Finder {
    std::string name;   // built in: email, phone, us-ssn, credit-card, iban; or the policy's own
    std::string regex;  // RE2, unanchored; empty for what is built in
  };
  std::string name;
  std::vector<Finder> finders;
  std::vector<std::string> fields;  // dotted paths; `*` is any one key or item
  On on = On::kResult;
  Then then = Then::kRedact;
  AskTerms ask;  // of kAsk
  Place at;
  std::shared_ptr<const GuardProgram> program;  // all of this compiled; never null in a PolicySet
};

// A tool that calls tools: where its arguments name the inner one.
struct DispatchInfo {
  std::string tool;     // the outer one
  ValueRef inner_tool;  // in its arguments: the inner one's name
  ValueRef inner_args;  // the inner one's arguments; no steps: it has none
};

// What an MCP server may be.
struct ServerInfo {
  std::string upstream;
  std::string pin;  // path of its lock as written, relative to the file that names it; or empty
  bool deny_drift = true;  // else drift is reported
  std::vector<DispatchInfo> dispatch;
  Place at;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_OBLIGATION_H_
