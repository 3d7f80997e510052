// The compiled policy: immutable, shared by all threads without locks, replaced whole on reload.
//
// Text becomes decisions in four stages: parse (parse.cc, YAML to PolicyDocument), resolve
// (resolve.cc, names, inheritance, everything a policy may not say), compile (compile.cc, to
// tables) and evaluate (evaluate.cc). All errors of all files are reported in one run.
#ifndef REEVE_POLICY_POLICY_SET_H_
#define REEVE_POLICY_POLICY_SET_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/budget.h"
#include "policy/call.h"
#include "policy/decision.h"
#include "policy/diagnostic.h"
#include "policy/obligation.h"
#include "policy/result.h"

namespace reeve::policy {

// A policy file, already read: this library does no I/O.
struct SourceFile {
  std::string name;  // as messages show it
  std::string text;
};

// What is wired, from reeve.yaml; what is absent is not checked.
struct Wiring {
  std::optional<std::vector<std::string>> upstreams;
  std::optional<std::vector<std::string>> metered;  // of the upstreams, those with `meter`
  std::optional<std::vector<std::string>> listeners;
  bool fleet = false;  // budgets are shared with other sidecars
};

using AgentId = uint32_t;  // index into PolicySet::agents()

struct AgentInfo {
  std::string name;
  std::string owner;
  std::string purpose;
  std::string team;
  std::string risk;                // minimal | limited | high, or empty
  std::string status;              // active | suspended | retired
  std::string expires;             // YYYY-MM-DD, or empty
  std::vector<std::string> roles;  // as written, without inherited ones
  std::string roles_joined;        // "a,b", for records
  Place at;
};

// A key of the policy whose effect is its reader's duty (`ask`, `limits`, `guards`, …): whoever
// enforces the policy must act on each, or refuse the policy.
struct FeaturePlace {
  std::string_view name;  // static
  Place at;
};

using Sha256 = std::array<uint8_t, 32>;

class PolicySet {
 public:
  // Null when there is an error. Warnings are added in either case.
  static std::shared_ptr<const PolicySet> load(std::span<const SourceFile> files,
                                               const Wiring& wiring, Diagnostics& diagnostics);
  ~PolicySet();
  PolicySet(const PolicySet&) = delete;
  PolicySet& operator=(const PolicySet&) = delete;

  // SHA-256 over the names and texts of the files, in hex.
  std::string_view sha256() const;
  std::string_view currency() const;
  // The names of the files that end with the marker line `...`, so that a cut can be told.
  std::span<const std::string> marked_files() const;

  // The policy says `mode: report`: what it would refuse or hold is let through and recorded.
  bool report() const;
  // In file order, each use.
  std::span<const FeaturePlace> features() const;

  std::span<const AgentInfo> agents() const;
  std::optional<AgentId> find_agent(std::string_view name) const;
  // Compared in constant time with respect to the stored hashes.
  std::optional<AgentId> agent_by_token(const Sha256& token_sha256) const;
  std::optional<AgentId> agent_by_listener(std::string_view listener) const;
  std::optional<AgentId> agent_by_spiffe(std::string_view id) const;
  std::optional<AgentId> agent_by_unix_uid(uint32_t uid) const;

  // The decision for one call: no system call, no allocation and no lock, but that RE2, which has
  // the expressions that are not plain (state_table.h), locks its cache on a text of over 16 bytes
  // and allocates when a text needs new states. In report mode it is the same: what is done about
  // it is the caller's.
  Decision decide(AgentId agent, const Call& call) const;
  // The same for an MCP method that is_housekeeping() (selector.h): who may use an upstream may
  // speak its protocol. A deny decides, and an ask whose `methods` selects it; else may_use() does.
  Decision decide_housekeeping(AgentId agent, const Call& call) const;
  // The same for a call that a dispatch tool makes: `inner` is decided as if made itself; `outer`
  // must not be denied, needs no allow, and is asked for where an ask matches it.
  Decision decide_dispatched(AgentId agent, const Call& outer, const Call& inner) const;

  // Every ask that must be satisfied before a call with this decision may go out, in file order;
  // of a dispatched call those of both. Allocates. Requires Verdict::kAsk.
  std::vector<const RuleInfo*> asks(AgentId agent, const Call& call) const;
  // The rule in report mode that would have decided otherwise, had it been enforced; or null.
  const RuleInfo* reported(AgentId agent, const Call& call, const Decision& decision) const;
  bool has_guards() const;
  // The guards of the agent's roles and of every rule that matches the call. Allocates.
  std::vector<const GuardInfo*> guards(AgentId agent, const Call& call) const;
  // Those that any call of the agent on this upstream may have. Allocates.
  std::vector<const GuardInfo*> guards_on(AgentId agent, std::string_view upstream) const;
  // Those of the agent's roles, and of its probation while it lasts: see RateLimit::until.
  std::span<const RateLimit> limits(AgentId agent) const;
  std::span<const ApproverGroup> approver_groups() const;
  // What the policy says of an MCP server, or null.
  const ServerInfo* server(std::string_view upstream) const;

  // Whether the agent's rules let it use the upstream at all: an allow or ask rule covers
  // something there and no deny covers everything. Decides MCP's housekeeping (initialize, ping,
  // lists, streams). The rule named is the first that grants, or the deny.
  Decision may_use(AgentId agent, std::string_view upstream, Time now) const;

  // Whether some call on this target could be allowed or asked for: what a list may show.
  // Conditions never hide a target; a deny without conditions does.
  bool could_allow(AgentId agent, const Call& call) const;

  // Whether a rule, price or guard on this upstream reads the JSON body of an HTTP call.
  bool reads_body(std::string_view upstream) const;

  // What the call draws on budgets, at most. An error, a static sentence, when its price cannot be
  // told: the call must be refused.
  Result<Spend, const char*> spend(AgentId agent, const Call& call) const;
  std::span<const AccountSpec> accounts() const;

  // For explain, access, tests and the admin side; see explain.h.
  struct Compiled;
  const Compiled& compiled() const { return *compiled_; }

 private:
  explicit PolicySet(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_POLICY_SET_H_
