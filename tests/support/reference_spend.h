// The oracle's costs: what a call draws on budgets, in digits, with no arithmetic of policy/.
#ifndef REEVE_TESTS_SUPPORT_REFERENCE_SPEND_H_
#define REEVE_TESTS_SUPPORT_REFERENCE_SPEND_H_

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/reference_decision.h"

namespace reeve::reference {

// Wide enough for every product that the generator can make.
using Wide = __int128;

// The whole millionths of a decimal that is not negative, a rest counting as one more. Nothing for
// a negative one.
inline std::optional<Wide> ceil_to_millionths(const std::string& number) {
  const auto [negative, digits] = plain_decimal(number);
  if (negative) return std::nullopt;
  const size_t point = digits.size() / 2;
  Wide whole = 0;
  for (const char c : digits.substr(point - 24, 24 + 6)) whole = whole * 10 + (c - '0');
  const bool is_larger = digits.substr(0, point - 24).find_first_not_of('0') != std::string::npos;
  if (is_larger) return Wide{1} << 120;
  const bool has_rest = digits.substr(point + 6).find_first_not_of('0') != std::string::npos;
  return whole + (has_rest ? 1 : 0);
}

inline std::string to_text(Wide number) {
  std::string text;
  do {
    text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
    number /= 10;
  } while (number > 0);
  return text;
}

class SpendOracle {
 public:
  SpendOracle(const Policy& policy, size_t agent, const Call& call)
      : policy_(policy), agent_(agent), call_(call), oracle_(policy, agent, call) {}

  // `refused`, or "COST; budget(scope)=AMOUNT …" in millionths, with "+tokens" behind a cost that
  // is by tokens.
  std::string spend() {
    const std::optional<Cost> cost = cost_of_call();
    if (!cost) return "refused";
    std::string result = to_text(cost->amount) + (cost->by_tokens ? "+tokens" : "") + ";";
    const auto draw = [&](const std::string& name, const std::string& scope,
                          const std::string& unit) {
      const Wide amount = unit == "calls" ? 1'000'000 : unit == "tokens" ? 0 : cost->amount;
      // What is by tokens is settled later, so its budgets are held even for nothing yet.
      const bool by_tokens = cost->by_tokens || (unit == "tokens" && call_.kind == "models");
      if (amount == 0 && !by_tokens) return;
      result += " " + name + "(" + scope + ")=" + to_text(amount);
    };
    for (const Budget& budget : policy_.budgets) {
      const std::string scope = scope_of(policy_, budget, agent_);
      if (scope.empty() || !selects(budget.selector, call_, false)) continue;
      if (oracle_.truth_of(budget.when) != Truth::kFalse) draw(budget.name, scope, budget.unit);
    }
    const std::string own = "agent:" + policy_.agents[agent_].name;
    if (!policy_.agents[agent_].budget.empty()) draw(own, own, "USD");
    return result;
  }

  bool disputed() const { return oracle_.disputed(); }

 private:
  struct Cost {
    Wide amount = 0;
    bool by_tokens = false;
  };

  // Of those prices that may apply, up to the first that surely does, the dearest.
  std::optional<Cost> cost_of_call() {
    Cost most;
    bool surely = false;
    for (const Price* price : prices_on(policy_, call_.day)) {
      if (surely || !selects(price->selector, call_, false)) continue;
      const Truth truth = oracle_.truth_of(price->when);
      if (truth == Truth::kFalse) continue;
      surely = truth == Truth::kTrue;
      const std::optional<Cost> cost = cost_of(*price);
      if (!cost) return std::nullopt;
      raise(most, *cost);
    }
    if (surely || call_.kind != "models") return most;
    const std::optional<Cost> unknown = cost_of_unknown_model();
    if (!unknown) return std::nullopt;
    raise(most, *unknown);
    return most;
  }

  static void raise(Cost& most, const Cost& cost) {
    most.amount = std::max(most.amount, cost.amount);
    most.by_tokens = most.by_tokens || cost.by_tokens;
  }

  std::optional<Cost> cost_of(const Price& price) const {
    const Wide amount = price.amount.empty() ? 0 : *ceil_to_millionths(price.amount);
    if (price.from == Price::From::kTokens) return cost_of_tokens(price);
    if (price.from != Price::From::kArgs) return Cost{amount, false};
    if (!call_.args) return std::nullopt;
    const Value value = Judge::reach(*call_.args, price.value, 0);
    if (value.type != Value::Type::kNumber) return std::nullopt;
    const std::optional<Wide> cost = ceil_to_millionths(value.text);
    if (!cost || *cost > amount) return std::nullopt;
    return Cost{*cost, false};
  }

  // A full context at the dearest of the input's prices and the longest answer; 0 where a price
  // does not bound them.
  static Cost cost_of_tokens(const Price& price) {
    if (price.context.empty() || price.max_output.empty()) return {0, true};
    Wide input = *ceil_to_millionths(price.input);
    for (const std::string& other : {price.cached_input, price.cache_write}) {
      if (!other.empty()) input = std::max(input, *ceil_to_millionths(other));
    }
    const auto of = [](Wide per_million, const std::string& tokens) {
      return per_million * std::stoll(tokens);
    };
    // Rounded up once, for both together.
    const Wide sum =
        of(input, price.context) + of(*ceil_to_millionths(price.output), price.max_output);
    return {(sum + 999'999) / 1'000'000, true};
  }

  // The highest of each, over the upstream's prices of models; nothing where it is refused.
  std::optional<Cost> cost_of_unknown_model() const {
    if (policy_.unknown_model != "highest") return std::nullopt;
    Price highest;
    Wide fixed = 0;
    bool found = false;
    for (const Price& price : policy_.prices) {
      if (price.selector.kind != "models") continue;
      if (!covers_upstream(price.selector, call_.upstream)) continue;
      found = true;
      if (price.from == Price::From::kTokens) {
        highest.from = Price::From::kTokens;
        for (const auto part : {&Price::input, &Price::cached_input, &Price::cache_write,
                                &Price::output, &Price::context, &Price::max_output}) {
          if ((price.*part).empty()) continue;
          std::string& most = highest.*part;
          if (most.empty() || *ceil_to_millionths(most) < *ceil_to_millionths(price.*part)) {
            most = price.*part;
          }
        }
      } else {
        fixed = std::max(fixed, *ceil_to_millionths(price.amount));
      }
    }
    if (!found) return std::nullopt;
    if (highest.from != Price::From::kTokens) return Cost{fixed, false};
    Cost cost = cost_of_tokens(highest);
    cost.amount = std::max(cost.amount, fixed);
    return cost;
  }

  const Policy& policy_;
  const size_t agent_;
  const Call& call_;
  Oracle oracle_;
};

// Whether a rule of any agent, a price or a budget may read an HTTP body on this upstream.
inline bool reads_body(const Policy& policy, const std::string& upstream) {
  const auto reads = [](const std::optional<Condition>& when) {
    return when && std::any_of(when->begin(), when->end(),
                               [](const Part& part) { return part.root == "args"; });
  };
  const auto there = [&](const Selector& selector) {
    const bool bodies =
        selector.kind.empty() || selector.kind == "http" || selector.kind == "models";
    const bool everything = selector.upstreams.empty() && selector.kind.empty();
    return bodies && (everything || covers_upstream(selector, upstream));
  };
  for (const auto& [name, role] : policy.roles) {
    for (const Rule& rule : role.rules) {
      if (there(rule.selector) && reads(rule.when)) return true;
    }
  }
  for (const Price& price : policy.prices) {
    const bool read = reads(price.when) || price.from == Price::From::kArgs;
    if (read && there(price.selector)) return true;
  }
  return std::any_of(policy.budgets.begin(), policy.budgets.end(), [&](const Budget& budget) {
    return there(budget.selector) && reads(budget.when);
  });
}

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_REFERENCE_SPEND_H_
