// The symbolic form of a policy: what the files say, each part with its place, nothing looked up.
//
// parse.cc fills it, resolve.cc judges it as a whole, compile.cc turns it into tables. Internal to
// the library. Parts stand in file order, and `order` of rules and prices counts through all files.
#ifndef REEVE_POLICY_DOCUMENT_H_
#define REEVE_POLICY_DOCUMENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/budget.h"
#include "policy/call.h"
#include "policy/condition.h"
#include "policy/decision.h"
#include "policy/diagnostic.h"
#include "policy/money.h"
#include "policy/obligation.h"
#include "policy/price.h"

namespace reeve::policy {

// A place, small: `file` is an index into PolicyDocument::files.
struct At {
  uint32_t file = 0;
  uint32_t line = 0;
  uint32_t column = 0;
};

struct Text {
  std::string value;
  At at;

  bool empty() const { return value.empty(); }
};

enum class SelectorKind : uint8_t {
  kAll,  // no selector: everything on the upstream
  kTools,
  kResources,
  kPrompts,
  kHttp,
  kConnect,
  kModels,
  kMethods,
};

// The selector's name in the language; empty for kAll.
std::string_view to_string(SelectorKind kind);

struct SelectorParts;

struct Selector {
  At at;
  std::vector<Text> upstreams;  // names and globs; empty: every upstream (budgets, tunnels)
  SelectorKind kind = SelectorKind::kAll;
  At kind_at;
  std::vector<Text> patterns;
  std::vector<Text> except;
  std::shared_ptr<const SelectorParts> parts;  // of all these texts, compiled (selector.h)
};

// Whom to ask, and for how long.
struct AskSource {
  Text approvers;  // a group
  std::chrono::seconds within = kDefaultWithin;
};

struct RuleSource {
  At at;
  Effect effect = Effect::kDeny;
  uint32_t index = 0;  // within its role and effect
  uint32_t order = 0;
  Text id;  // empty when not given
  std::string because;
  Selector selector;
  std::optional<Time> until;              // the first moment at which it no longer holds
  std::shared_ptr<const Condition> when;  // null: always
  bool hidden = false;
  bool report = false;  // `mode: report`: recorded, not enforced
  AskSource ask;        // of kAsk
  std::vector<Text> guards;
  std::string audit;  // digest | redacted | full, or empty
};

struct RateLimitSource {
  RateLimit limit;  // its place not filled in
  At at;
};

struct RoleSource {
  Text name;
  std::vector<Text> inherits;
  std::vector<RuleSource> rules;  // in file order, of all effects
  std::vector<RateLimitSource> limits;
  std::vector<Text> guards;
};

struct Limit {
  At at;
  Unit unit = Unit::kMoney;
  std::string currency;
  Micros amount = 0;
  Period period = Period::kDay;
};

struct IdentitySource {
  enum class Kind : uint8_t { kTokenSha256, kListener, kSpiffe, kJwt, kUnixUid };
  Kind kind = Kind::kTokenSha256;
  Text value;     // of kJwt the subject
  Text issuer;    // of kJwt
  Text audience;  // of kJwt
};

struct AgentSource {
  Text name;
  std::string owner;
  std::string purpose;
  std::string team;
  std::string risk;
  std::string status = "active";
  std::string expires;             // as written, or empty
  std::optional<Time> expires_at;  // the first moment at which it is refused
  std::vector<Text> roles;
  std::vector<IdentitySource> identity;
  std::optional<Limit> budget;
  std::vector<RateLimitSource> probation;      // each with its `until`
  std::optional<std::chrono::seconds> review;  // how often its owner looks at it
};

struct BudgetSource {
  enum class For : uint8_t { kAgent, kRole, kTeam, kEveryone, kEachAgent, kEachTeam };
  Text name;
  For scope = For::kEveryone;
  Text of;  // the agent, role or team
  Selector selector;
  std::shared_ptr<const Condition> when;  // null: always
  Limit limit;
  Text zone;                     // empty: UTC
  int warn_percent = 0;          // 0: no warning
  std::optional<AskSource> ask;  // `then: ask`
};

struct PriceSource {
  At at;
  uint32_t order = 0;
  Selector selector;
  std::shared_ptr<const Condition> when;  // null: always
  std::string when_text;                  // tells equal conditions; empty: none
  std::optional<Time> since;              // the first moment at which it holds
  PriceTerms cost;
  Text currency;
};

struct ApproversSource {
  Text name;
  std::vector<Text> members;
  uint32_t need = 1;
  bool not_owner = false;
};

struct GuardSource {
  Text name;
  GuardInfo guard;  // its group and place not filled in
  AskSource ask;    // of Then::kAsk
};

struct ServerSource {
  Text name;
  ServerInfo server;  // its place not filled in
};

// See FeaturePlace.
struct FeatureUse {
  std::string_view name;
  At at;
};

struct PolicyDocument {
  std::vector<std::string> files;
  bool complete = true;                   // false: a file could not be read at all
  std::vector<std::string> marked_files;  // of `files`, those that end with `...`
  Text mode;                              // enforce | report; empty when not given
  Text unknown_model;                     // deny | highest; empty when not given
  Text currency;                          // empty when not given
  std::optional<std::vector<Text>> upstreams;
  std::vector<AgentSource> agents;
  std::vector<RoleSource> roles;
  std::vector<BudgetSource> budgets;
  std::vector<PriceSource> prices;
  std::vector<ApproversSource> approvers;
  std::vector<GuardSource> guards;
  std::vector<ServerSource> servers;
  std::vector<FeatureUse> features;
  uint32_t rules = 0;          // of all roles: the next RuleSource::order
  uint32_t price_entries = 0;  // the next PriceSource::order

  Place place(const At& at) const { return {files[at.file], at.line, at.column}; }
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_DOCUMENT_H_
