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

struct Selector {
  At at;
  std::vector<Text> upstreams;  // names and globs; empty: every upstream (budgets only)
  SelectorKind kind = SelectorKind::kAll;
  At kind_at;
  std::vector<Text> patterns;
  std::vector<Text> except;
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
};

struct RoleSource {
  Text name;
  std::vector<Text> inherits;
  std::vector<RuleSource> rules;  // in file order, of all effects
};

struct Limit {
  At at;
  Unit unit = Unit::kMoney;
  std::string currency;
  Micros amount = 0;
  Period period = Period::kDay;
};

struct IdentitySource {
  enum class Kind : uint8_t { kTokenSha256, kListener };
  Kind kind = Kind::kTokenSha256;
  Text value;
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
};

struct BudgetSource {
  enum class For : uint8_t { kAgent, kRole, kTeam, kEveryone, kEachAgent, kEachTeam };
  Text name;
  For scope = For::kEveryone;
  Text of;  // the agent, role or team
  Selector selector;
  Limit limit;
  Text zone;  // empty: UTC
};

struct PriceSource {
  At at;
  uint32_t order = 0;
  Selector selector;
  Micros cost = 0;
  Text currency;
};

struct PolicyDocument {
  std::vector<std::string> files;
  bool complete = true;                   // false: a file could not be read at all
  std::vector<std::string> marked_files;  // of `files`, those that end with `...`
  Text currency;                          // empty when not given
  std::optional<std::vector<Text>> upstreams;
  std::vector<AgentSource> agents;
  std::vector<RoleSource> roles;
  std::vector<BudgetSource> budgets;
  std::vector<PriceSource> prices;
  uint32_t rules = 0;  // of all roles: the next RuleSource::order

  Place place(const At& at) const { return {files[at.file], at.line, at.column}; }
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_DOCUMENT_H_
