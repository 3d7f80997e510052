// Generated policies with conditions, and calls with arguments: what the oracle and the real
// evaluator are both given.
//
// A case is a policy of reference_policy.h in which some rules have a condition of
// reference_condition.h, known by the rule's id. A seed makes the same case everywhere.
#ifndef REEVE_TESTS_SUPPORT_GENERATED_CASE_H_
#define REEVE_TESTS_SUPPORT_GENERATED_CASE_H_

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/call.h"
#include "policy/json.h"
#include "policy/written_call.h"
#include "tests/support/condition_generator.h"
#include "tests/support/reference_condition.h"
#include "tests/support/reference_policy.h"

namespace reeve::testing {

// REEVE_SEED, or what every run starts from.
inline unsigned first_seed() {
  const char* given = std::getenv("REEVE_SEED");
  return given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20'261'122;
}

// REEVE_ROUNDS; else `large` with REEVE_TEST_LONG=1 and `small` without.
inline size_t rounds(size_t small, size_t large) {
  if (const char* given = std::getenv("REEVE_ROUNDS")) return std::strtoul(given, nullptr, 10);
  const char* is_long = std::getenv("REEVE_TEST_LONG");
  return is_long && std::string_view(is_long) == "1" ? large : small;
}

struct ConditionalPolicy {
  reference::Policy rules;
  std::map<std::string, reference::Condition> conditions;  // by rule id
};

// The text of `policy`, with the conditions in the rules that have one.
inline std::string write_yaml(const ConditionalPolicy& policy) {
  std::string text = reference::write_yaml(policy.rules);
  for (const auto& [id, condition] : policy.conditions) {
    const std::string rule = "{id: " + id + ", ";
    const size_t at = text.find(rule);
    if (at == text.npos) continue;
    text.insert(at + rule.size(), "when: " + reference::write_condition(condition) + ", ");
  }
  return text;
}

// A call as both sides see it.
struct GeneratedCall {
  reference::Call target;
  std::optional<reference::Value> args;
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string query_text() const {
    std::string text;
    for (const auto& [name, value] : query) {
      text += (text.empty() ? "" : "&") + name + "=";
      for (const char c : value) text += c == '+' ? std::string("%2B") : std::string(1, c);
    }
    return text;
  }
  std::string shown() const {
    std::string text = target.upstream + " " + target.kind + " " + target.method + " " +
                       target.target + "?" + query_text();
    for (const auto& [name, value] : headers) text += " " + name + ": " + value;
    return text + " " + (args ? reference::write_json(*args) : "(no arguments)");
  }
};

inline policy::Kind to_kind(std::string_view kind) {
  return kind == "tools"       ? policy::Kind::kTool
         : kind == "http"      ? policy::Kind::kHttp
         : kind == "resources" ? policy::Kind::kResource
                               : policy::Kind::kPrompt;
}

// The Call of a GeneratedCall, and what it looks at.
class RealCall {
 public:
  explicit RealCall(const GeneratedCall& from) : from_(from), query_(from.query_text()) {
    call_.upstream = from_.target.upstream;
    call_.kind = to_kind(from_.target.kind);
    call_.action = call_.kind == policy::Kind::kHttp ? std::string_view(from_.target.method) : "x";
    call_.target = from_.target.target;
    call_.query = query_;
    for (const auto& [name, value] : from_.headers) fields_.push_back({name, value});
    call_.headers = fields_;
    if (from_.args) {
      text_ = reference::write_json(*from_.args);
      args_ = parser_.parse(text_);
      if (args_) call_.args = &*args_;
    }
  }
  RealCall(const RealCall&) = delete;
  RealCall& operator=(const RealCall&) = delete;

  // Whether the arguments were taken as JSON.
  bool parsed() const { return args_.has_value() == from_.args.has_value(); }
  const policy::Call& call() const { return call_; }

 private:
  GeneratedCall from_;
  std::string query_;
  std::string text_;
  std::vector<policy::Field> fields_;
  json::Parser parser_;
  std::optional<json::Value> args_;
  policy::Call call_;
};

class CaseGenerator {
 public:
  explicit CaseGenerator(unsigned seed) : rules_(seed), conditions_(seed ^ 0x5EED'0000u) {}

  ConditionalPolicy policy() {
    ConditionalPolicy result;
    result.rules = rules_.policy();
    for (const auto& [name, role] : result.rules.roles) {
      for (const reference::Rule& rule : role.rules) {
        if (next(3) == 0) continue;
        result.conditions[rule.id] = conditions_.condition(rule.kind);
      }
    }
    return result;
  }

  GeneratedCall call() {
    GeneratedCall result;
    result.target = rules_.call();
    const bool http = result.target.kind == "http";
    if ((http || result.target.kind == "tools") && next(10) > 0) {
      result.args = conditions_.arguments();
    }
    for (size_t i = http ? next(4) : 0; i > 0; --i) {
      const bool variant = next(40) == 0;
      result.query.emplace_back(variant ? "A" : conditions_.one({"a", "b"}),
                                conditions_.field_value());
    }
    for (size_t i = next(3); i > 0; --i) {
      // Names of headers are the same in any case.
      result.headers.emplace_back(conditions_.one({"a", "b", "A"}), conditions_.field_value());
    }
    return result;
  }

  size_t next(size_t below) { return conditions_.next(below); }

 private:
  reference::Generator rules_;
  reference::ConditionGenerator conditions_;
};

// ---- the oracle's decision

struct OracleDecision {
  std::string text;       // `deny ID`, `allow ID`, `deny` or `malformed`
  bool disputed = false;  // the description leaves it open
  size_t doubts = 0;      // conditions that came out in doubt, on the way
};

class Oracle {
 public:
  Oracle(const ConditionalPolicy& policy, size_t agent, const GeneratedCall& call)
      : policy_(policy), call_(call) {
    for (const std::string& role : policy.rules.agents[agent].second) {
      reference::add_roles(policy.rules, role, roles_);
    }
  }

  OracleDecision decide() {
    if (has_two_readings()) return {"malformed", false, 0};
    OracleDecision result;
    result.text = first("deny", result);
    if (result.text.empty()) result.text = first("allow", result);
    if (result.text.empty()) result.text = "deny";
    return result;
  }

 private:
  // Every rule of the agent's that selects the call; stops where `visit` returns true.
  template <class Visit>
  void each_rule(Visit visit) const {
    for (const auto& [name, role] : policy_.rules.roles) {
      if (!roles_.contains(name)) continue;
      for (const reference::Rule& rule : role.rules) {
        if (!reference::selects(rule, call_.target)) continue;
        const auto found = policy_.conditions.find(rule.id);
        if (visit(rule, found == policy_.conditions.end() ? nullptr : &found->second)) return;
      }
    }
  }

  bool has_two_readings() const {
    bool result = false;
    each_rule([&](const reference::Rule&, const reference::Condition* condition) {
      if (!condition) return false;
      for (const reference::Part& part : *condition) {
        if (part.root == "args" && call_.args) {
          result = result || reference::has_variant(*call_.args, part.steps, 0);
        }
        if (part.root != "query") continue;
        for (const auto& [name, value] : call_.query) {
          const std::string& read = part.steps[0];
          result = result || (name != read && reference::folded(name) == reference::folded(read));
        }
      }
      return result;
    });
    return result;
  }

  // A query parameter or header: absent, one, or a list of several.
  reference::Value field(const reference::Part& part) const {
    reference::Value list;
    list.type = reference::Value::Type::kList;
    list.fanned = true;
    const bool header = part.root == "header";
    for (const auto& [name, text] : header ? call_.headers : call_.query) {
      if ((header ? reference::folded(name) : name) != part.steps[0]) continue;
      reference::Value item;
      item.type = reference::Value::Type::kText;
      item.text = text;
      item.from_field = true;
      list.items.push_back(item);
    }
    if (list.items.empty()) return {};
    if (list.items.size() > 1) return list;
    list.items[0].alone = true;
    return list.items[0];
  }

  std::string first(const std::string& effect, OracleDecision& result) const {
    std::string named;
    each_rule([&](const reference::Rule& rule, const reference::Condition* condition) {
      if (rule.effect != effect) return false;
      reference::Truth truth = reference::Truth::kTrue;
      if (condition) {
        reference::Judge judge;
        truth = judge.all_of(*condition, call_.args ? *call_.args : reference::Value{},
                             [&](const reference::Part& part) { return field(part); });
        result.disputed = result.disputed || judge.disputed();
      }
      result.doubts += truth == reference::Truth::kDoubt;
      // Doubt never widens access.
      if (truth == reference::Truth::kFalse) return false;
      if (truth == reference::Truth::kDoubt && effect == "allow") return false;
      named = effect + " " + rule.id;
      return true;
    });
    return named;
  }

  const ConditionalPolicy& policy_;
  const GeneratedCall& call_;
  std::set<std::string> roles_;
};

}  // namespace reeve::testing

#endif  // REEVE_TESTS_SUPPORT_GENERATED_CASE_H_
