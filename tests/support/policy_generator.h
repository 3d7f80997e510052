// Policies and calls by seed: few names and the same ones everywhere, so that rules meet often.
#ifndef REEVE_TESTS_SUPPORT_POLICY_GENERATOR_H_
#define REEVE_TESTS_SUPPORT_POLICY_GENERATOR_H_

#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/condition_generator.h"
#include "tests/support/reference_policy.h"

namespace reeve::reference {

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed), conditions_(seed ^ 0x5EED'0000u) {}

  // What policies are made of, beside roles and rules of every kind.
  struct With {
    bool conditions = true;
    bool reports = true;   // rules in report mode
    bool presence = true;  // see ConditionGenerator
    bool spend = true;     // prices and budgets
    bool time = true;      // rules that end, agents that are not active
  };

  Policy policy() { return policy(With()); }
  Policy policy(const With& with) {
    with_ = with;
    if (!with.presence) conditions_.leave_out_presence();
    Policy result;
    result.groups = {"g0", "g1"};
    result.guards = {"pii", "cards", "ids"};
    result.report = next(20) == 0;
    const size_t roles = 1 + next(5);
    for (size_t i = 0; i < roles; ++i) {
      result.roles.emplace_back("r" + std::to_string(i), role(i, i));
    }
    for (size_t i = 0; i < kAgents; ++i) result.agents.push_back(agent(i, roles));
    if (with.spend) add_spend(result, roles);
    return result;
  }

  static constexpr size_t kAgents = 3;

  Call call() {
    Call result;
    result.upstream = one({"u", "v", "uv", "w", "unheard"});
    result.kind = one({"tools", "tools", "tools", "http", "http", "http", "resources", "prompts",
                       "connect", "models", "models", "methods"});
    result.target = target(result.kind);
    if (result.kind == "connect") result.upstream.clear();
    result.day = static_cast<int>(1 + next(28));
    result.moment = static_cast<Call::Moment>(next(3));
    const bool http = result.kind == "http";
    if (http) result.method = one({"GET", "HEAD", "POST", "BREW"});
    const bool has_args = http || result.kind == "tools" || result.kind == "models";
    if (has_args && next(10) > 0) result.args = conditions_.arguments();
    for (size_t i = http ? next(4) : 0; i > 0; --i) {
      const bool variant = next(40) == 0;
      result.query.emplace_back(variant ? "A" : one({"a", "b"}), conditions_.field_value());
    }
    for (size_t i = result.kind == "connect" ? 0 : next(3); i > 0; --i) {
      // Names of headers are the same in any case.
      result.headers.emplace_back(one({"a", "b", "A"}), conditions_.field_value());
    }
    return result;
  }

  size_t next(size_t below) { return random_() % below; }

 private:
  std::string one(std::initializer_list<const char*> of) { return *(of.begin() + next(of.size())); }
  int day() { return static_cast<int>(1 + next(28)); }

  std::string target(const std::string& kind) {
    if (kind == "connect") return one({"a.b:443", "ab:443", "b:8443", "a.b:8443"});
    if (kind == "methods") return one({"ping", "tools/list", "roots/list", "x/a", "x/b"});
    const bool http = kind == "http";
    std::string text;
    const size_t parts = next(4);
    for (size_t i = 0; i < parts; ++i) {
      text += http ? "/" : i > 0 ? "." : "";
      text += one({"a", "b", "ab", "ba", "abc"});
    }
    return !text.empty() ? text : http ? "/" : "a";
  }

  std::string pattern(const std::string& kind) {
    if (kind == "connect") return one({"a.b:443", "A.b:*", "*:443", "a*:*", "?:8443", "*:*"});
    if (kind == "methods") return one({"ping", "*/list", "x/a", "x/*", "*", "tools/list"});
    const bool http = kind == "http";
    std::string text = http ? one({"GET", "GET,HEAD", "*", "POST", "BREW", "GET,BREW"}) + " " : "";
    if (next(4) == 0) return text + (http ? "/**" : "*");
    const size_t parts = 1 + next(3);
    for (size_t i = 0; i < parts; ++i) {
      text += http ? "/" : i > 0 ? "." : "";
      text += one({"a", "b", "ab", "*", "a*", "*b", "?", "a?*", "**"});
    }
    return text;
  }

  Selector selector() {
    Selector result;
    result.kind = one({"", "", "tools", "tools", "tools", "http", "http", "http", "resources",
                       "prompts", "connect", "models", "methods"});
    if (result.kind != "connect") {
      result.upstreams.push_back(one({"u", "v", "u*", "*", "*", "uv", "w"}));
      if (next(4) == 0) result.upstreams.push_back(one({"u", "v"}));
    }
    if (result.kind.empty()) return result;
    const size_t patterns = 1 + next(3);
    for (size_t i = 0; i < patterns; ++i) result.patterns.push_back(pattern(result.kind));
    if (next(4) == 0) result.except.push_back(pattern(result.kind));
    return result;
  }

  std::optional<Condition> when(const Selector& selector) {
    if (!with_.conditions || next(2) == 0) return std::nullopt;
    return conditions_.condition(selector.kind);
  }

  std::vector<std::string> some_guards() {
    std::vector<std::string> result;
    if (next(5) == 0) result.push_back(one({"pii", "cards", "ids"}));
    return result;
  }

  Rule rule(const std::string& effect, const std::string& id) {
    Rule result;
    result.effect = effect;
    result.id = id;
    result.selector = selector();
    result.when = when(result.selector);
    result.report = with_.reports && next(6) == 0;
    if (with_.time && next(8) == 0) result.until = day();
    result.guards = some_guards();
    if (effect != "ask") return result;
    result.approvers = one({"g0", "g1"});
    if (next(2) == 0) result.within = day();
    return result;
  }

  // Inherits from earlier roles only, so that there is no cycle.
  Role role(size_t number, size_t earlier) {
    Role result;
    for (size_t j = 0; j < earlier; ++j) {
      if (next(4) == 0) result.inherits.push_back("r" + std::to_string(j));
    }
    int id = 0;
    for (const char* effect : {"allow", "deny", "ask"}) {
      const size_t rules = next(effect == std::string("allow") ? 6 : effect[0] == 'a' ? 3 : 2);
      for (size_t j = 0; j < rules; ++j) {
        result.rules.push_back(
            rule(effect, "x" + std::to_string(number) + "-" + std::to_string(id++)));
      }
    }
    result.guards = next(4) == 0 ? some_guards() : std::vector<std::string>();
    if (next(3) == 0) result.limits.push_back(one({"60 calls per minute", "4 concurrent"}));
    if (next(5) == 0) result.limits.push_back(one({"3 repeats per 10m", "50 steps per session"}));
    return result;
  }

  Agent agent(size_t number, size_t roles) {
    Agent result;
    result.name = "a" + std::to_string(number);
    result.team = one({"red", "blue"});
    for (size_t j = 0; j < roles; ++j) {
      if (next(3) > 0) result.roles.push_back("r" + std::to_string(j));
    }
    if (with_.time && next(20) == 0) result.status = one({"suspended", "retired", "active"});
    if (with_.time && next(12) == 0) result.expires = day();
    if (next(4) == 0) result.probation.push_back(one({"10 calls per hour", "1 concurrent"}));
    result.probation_until = day();
    return result;
  }

  void add_spend(Policy& policy, size_t roles);
  Price price();
  void add_price_by_tokens(Price& price);

  std::mt19937 random_;
  ConditionGenerator conditions_;
  With with_;
};

inline void Generator::add_price_by_tokens(Price& price) {
  price.from = Price::From::kTokens;
  price.input = one({"2.50", "0.15", "0"});
  price.output = one({"10", "0.60", "0.000001"});
  if (next(3) == 0) price.cached_input = one({"1.25", "0.075"});
  if (next(3) == 0) price.cache_write = one({"3.125", "1"});
  if (next(3) > 0) price.context = one({"128000", "1", "333"});
  if (next(3) > 0) price.max_output = one({"16384", "7"});
}

inline Price Generator::price() {
  Price result;
  result.selector = selector();
  if (next(3) == 0) result.selector = {{"*"}, one({"tools", "tools", "models"}), {"*"}, {}};
  result.when = when(result.selector);
  const bool reads = result.selector.kind.empty() || result.selector.kind == "tools" ||
                     result.selector.kind == "http" || result.selector.kind == "models";
  const size_t pick = next(8);
  if (result.selector.kind == "models" && pick < 5) {
    add_price_by_tokens(result);
    return result;
  }
  result.amount = one({"0.5", "3", "0", "0.000001", "5.000001", "100"});
  if (pick < 2 && reads) {
    result.from = Price::From::kArgs;
    result.value = {one({"a", "b"})};
    if (next(3) == 0) result.value.push_back(one({"a", "b", "0", "1"}));
  } else if (pick == 2 && result.selector.kind != "connect") {
    result.from = Price::From::kResult;
    result.value = {"cost"};
  }
  return result;
}

inline void Generator::add_spend(Policy& policy, size_t roles) {
  policy.unknown_model = one({"", "deny", "highest", "highest"});
  for (size_t i = next(8); i > 0; --i) {
    Price added = price();
    if (!policy.prices.empty() && next(3) == 0) {  // the same selection at another time
      const Price& other = policy.prices[next(policy.prices.size())];
      if (other.from == added.from || added.from == Price::From::kFixed) {
        added.selector = other.selector;
        added.when = other.when;
      }
    }
    if (next(2) == 0) added.since = day();
    policy.prices.push_back(std::move(added));
  }
  for (size_t i = next(5); i > 0; --i) {
    Budget budget;
    budget.name = "b" + std::to_string(i);
    budget.scope = one({"everyone", "agent", "role", "team", "each", "each"});
    if (budget.scope == "agent") budget.of = "a" + std::to_string(next(kAgents));
    if (budget.scope == "role") budget.of = "r" + std::to_string(next(roles));
    if (budget.scope == "team") budget.of = policy.agents[next(kAgents)].team;
    if (budget.scope == "each") budget.of = one({"agent", "team"});
    budget.unit = one({"USD", "USD", "calls", "tokens"});
    if (next(2) == 0) budget.selector = selector();
    budget.when = when(budget.selector);
    policy.budgets.push_back(std::move(budget));
  }
  for (Agent& agent : policy.agents) {
    if (next(4) == 0) agent.budget = "2 USD per day";
  }
}

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_POLICY_GENERATOR_H_
