// The oracle's policies and calls as plain structs, and what selects what: slowly and obviously.
//
// Shares no code with policy/: globs are matched by recursion over characters, roles by following
// names. reference_decision.h decides, reference_spend.h prices, policy_writer.h gives the same
// policy as text, for the real one, and policy_generator.h makes them by seed. Days are days of
// January 2026, from 1; calls happen at the first moment, at noon or at the last microsecond of
// one.
#ifndef REEVE_TESTS_SUPPORT_REFERENCE_POLICY_H_
#define REEVE_TESTS_SUPPORT_REFERENCE_POLICY_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/reference_condition.h"

namespace reeve::reference {

struct Selector {
  std::vector<std::string> upstreams;  // of budgets and `connect` none
  std::string kind;                    // the key, or empty: everything there
  std::vector<std::string> patterns;
  std::vector<std::string> except;
  friend bool operator==(const Selector&, const Selector&) = default;
};

struct Rule {
  std::string effect;  // deny | ask | allow
  Selector selector;
  std::string id;
  std::optional<Condition> when;
  bool report = false;
  int until = 0;                    // the last day; 0: for ever
  std::vector<std::string> guards;  // as names
  std::string approvers;            // of ask
  int within = 0;                   // of ask, in minutes; 0: not given
};

struct Role {
  std::vector<std::string> inherits;
  std::vector<Rule> rules;  // of one effect in file order
  std::vector<std::string> guards;
  std::vector<std::string> limits;
};

struct Agent {
  std::string name;
  std::vector<std::string> roles;
  std::string team = "t";
  std::string status;  // empty: active
  int expires = 0;     // the last day; 0: never
  std::vector<std::string> probation;
  int probation_until = 1;
  std::string budget;  // its own, such as `2 USD per day`
};

struct Price {
  Selector selector;
  std::optional<Condition> when;
  int since = 0;  // the first day; 0: from ever
  enum class From : uint8_t { kFixed, kArgs, kResult, kTokens };
  From from = From::kFixed;
  std::string amount;              // fixed, `max` or `reserve`: a decimal
  std::vector<std::string> value;  // the steps of kArgs and kResult
  // Of kTokens: amounts for a million, and counts; empty when not given.
  std::string input, cached_input, cache_write, output, context, max_output;
};

struct Budget {
  std::string name;
  std::string scope;  // everyone | agent | role | team | each
  std::string of;     // of `each`: agent or team
  Selector selector;
  std::optional<Condition> when;
  std::string unit;  // USD | calls | tokens
};

struct Policy {
  std::vector<std::pair<std::string, Role>> roles;  // in file order
  std::vector<Agent> agents;
  std::vector<std::string> groups;  // of approvers
  std::vector<std::string> guards;
  std::vector<Price> prices;
  std::vector<Budget> budgets;
  bool report = false;
  std::string unknown_model;  // empty: not given
};

struct Call {
  std::string upstream;
  std::string kind;    // the selector that speaks about it
  std::string method;  // of http
  std::string target;  // of `methods` the method
  std::optional<Value> args;
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;
  int day = 1;
  enum class Moment : uint8_t { kFirst, kNoon, kLast };
  Moment moment = Moment::kNoon;
};

// ---- selecting

inline bool match_text(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return match_text(pattern.substr(1), text) ||
           (!text.empty() && match_text(pattern, text.substr(1)));
  }
  if (text.empty()) return false;
  return (pattern[0] == '?' || pattern[0] == text[0]) &&
         match_text(pattern.substr(1), text.substr(1));
}

inline std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> result;
  std::string current;
  for (const char c : path.substr(1)) {
    if (c == '/') {
      result.push_back(current);
      current.clear();
    } else {
      current += c;
    }
  }
  if (path.size() > 1) result.push_back(current);
  return result;
}

inline bool match_segments(const std::vector<std::string>& pattern, size_t p,
                           const std::vector<std::string>& path, size_t s) {
  if (p == pattern.size()) return s == path.size();
  if (pattern[p] == "**") {
    return match_segments(pattern, p + 1, path, s) ||
           (s < path.size() && match_segments(pattern, p, path, s + 1));
  }
  return s < path.size() && match_text(pattern[p], path[s]) &&
         match_segments(pattern, p + 1, path, s + 1);
}

inline std::string folded(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

inline bool match_pattern(const Call& call, const std::string& pattern) {
  if (call.kind == "connect") return match_text(folded(pattern), call.target);
  if (call.kind != "http") return match_text(pattern, call.target);
  const size_t space = pattern.find(' ');
  const std::string methods = "," + pattern.substr(0, space) + ",";
  if (methods != ",*," && methods.find("," + call.method + ",") == std::string::npos) return false;
  return match_segments(segments(pattern.substr(space + 1)), 0, segments(call.target), 0);
}

// Of the few that the generator writes.
inline bool is_unknown_method(const Call& call) {
  return call.kind == "methods" && call.target.starts_with("x/");
}

inline bool covers_upstream(const Selector& selector, const std::string& upstream) {
  return std::any_of(selector.upstreams.begin(), selector.upstreams.end(),
                     [&](const std::string& u) { return match_text(u, upstream); });
}

// `grants`: of an allow, which covers methods that reeve does not know by their exact name alone.
inline bool selects(const Selector& selector, const Call& call, bool grants) {
  const bool everything = selector.upstreams.empty() && selector.kind.empty();  // of budgets
  if (everything) return true;
  if (selector.kind != "connect" && !covers_upstream(selector, call.upstream)) return false;
  if (selector.kind.empty()) {
    return call.kind != "connect" && !(grants && is_unknown_method(call));
  }
  if (selector.kind != call.kind) return false;
  const bool exactly = grants && is_unknown_method(call);
  const bool selected = std::any_of(
      selector.patterns.begin(), selector.patterns.end(),
      [&](const std::string& p) { return exactly ? p == call.target : match_pattern(call, p); });
  return selected && std::none_of(selector.except.begin(), selector.except.end(),
                                  [&](const std::string& p) { return match_pattern(call, p); });
}

inline bool selects(const Rule& rule, const Call& call) {
  return selects(rule.selector, call, rule.effect == "allow");
}

inline bool holds_on(const Rule& rule, int day) { return rule.until == 0 || day <= rule.until; }

// ---- roles

inline void add_roles(const Policy& policy, const std::string& name, std::set<std::string>& roles) {
  if (!roles.insert(name).second) return;
  for (const auto& [known, role] : policy.roles) {
    if (known != name) continue;
    for (const std::string& parent : role.inherits) add_roles(policy, parent, roles);
  }
}

// The agent's roles, inherited ones included, in file order.
inline std::vector<const Role*> roles_of(const Policy& policy, size_t agent) {
  std::set<std::string> names;
  for (const std::string& role : policy.agents[agent].roles) add_roles(policy, role, names);
  std::vector<const Role*> result;
  for (const auto& [name, role] : policy.roles) {
    if (names.contains(name)) result.push_back(&role);
  }
  return result;
}

// The agent's rules in the order in which they decide: deny, ask, allow, each in file order.
inline std::vector<const Rule*> rules_of(const Policy& policy, size_t agent) {
  std::vector<const Rule*> result;
  for (const char* effect : {"deny", "ask", "allow"}) {
    for (const Role* role : roles_of(policy, agent)) {
      for (const Rule& rule : role->rules) {
        if (rule.effect == effect) result.push_back(&rule);
      }
    }
  }
  return result;
}

// ---- prices and budgets

// In the order in which they are tried. Those that select alike are one, at the place of the first
// of them: the latest that has begun.
inline std::vector<const Price*> prices_on(const Policy& policy, int day) {
  std::vector<const Price*> result;
  for (const Price& first : policy.prices) {
    const auto alike = [&](const Price& other) {
      return other.selector == first.selector && other.when == first.when;
    };
    const auto place = std::find_if(policy.prices.begin(), policy.prices.end(), alike);
    if (&*place != &first) continue;
    const Price* latest = nullptr;
    for (const Price& price : policy.prices) {
      if (!alike(price) || price.since > day) continue;
      if (!latest || price.since > latest->since) latest = &price;
    }
    if (latest) result.push_back(latest);
  }
  return result;
}

// The account of this budget that the agent draws on, or empty.
inline std::string scope_of(const Policy& policy, const Budget& budget, size_t agent) {
  const Agent& is = policy.agents[agent];
  if (budget.scope == "everyone") return "everyone";
  if (budget.scope == "agent" && budget.of != is.name) return "";
  if (budget.scope == "team" && budget.of != is.team) return "";
  if (budget.scope == "role") {
    std::set<std::string> roles;
    for (const std::string& role : is.roles) add_roles(policy, role, roles);
    if (!roles.contains(budget.of)) return "";
  }
  if (budget.scope == "each") {
    return budget.of == "agent" ? "agent:" + is.name : "team:" + is.team;
  }
  return budget.scope + ":" + budget.of;
}

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_REFERENCE_POLICY_H_
