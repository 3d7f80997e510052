// What a call costs at most, and what it draws on. Prices are tried in their order; one whose
// condition is in doubt may apply, so that of those that may the dearest counts. Allocates nothing.
// Tested by tests/policy/spend_test.cc and price_test.cc.
#include <algorithm>
#include <functional>

#include "policy/compiled.h"
#include "policy/policy_set.h"
#include "policy/price_result.h"

namespace reeve::policy {

namespace {

// The cost by one price; its fault when that cannot be told.
struct Priced {
  Micros cost = 0;
  bool by_tokens = false;
  const char* fault = nullptr;
};

constexpr const char* kUnboundedInput =
    "the call refers to content outside it (images, files, earlier answers), and its price has no "
    "`context` to bound that";
constexpr const char* kUnboundedOutput =
    "neither the call (max_tokens) nor its price (max_output) bounds the answer";
constexpr const char* kTooLarge = "the most that it can cost is too large to count";

Priced price_tokens(const PriceTerms& terms, const Call& call) {
  std::optional<Micros> cost;
  if (call.usage) {
    cost = terms.of_usage(*call.usage);
  } else if (call.tokens) {
    const auto input = terms.most_input(*call.tokens);
    const auto output = terms.most_output(*call.tokens);
    if (!input) return {0, true, kUnboundedInput};
    if (!output) return {0, true, kUnboundedOutput};
    cost = terms.of_tokens(*input, *output);
  } else if (terms.bounds_tokens()) {
    cost = terms.of_most_tokens();
  } else {
    return {terms.amount, true, nullptr};
  }
  if (cost) return {*cost, true, nullptr};
  return {0, true, kTooLarge};
}

// What counts against budgets in tokens, in millionths; 0 when it is not known here.
Result<Micros, const char*> tokens_of(const PriceTerms& terms, const Call& call) {
  if (!call.tokens && !call.usage) return Micros{0};
  uint64_t input = 0, output = 0;
  if (call.usage) {
    input = call.usage->input;
    output = call.usage->output;
  } else {
    const auto most_input = terms.most_input(*call.tokens);
    const auto most_output = terms.most_output(*call.tokens);
    if (!most_input) return kUnboundedInput;
    if (!most_output) return kUnboundedOutput;
    input = *most_input;
    output = *most_output;
  }
  constexpr uint64_t kMost = uint64_t{1} << 42;  // as millionths, twice that still fits
  if (input > kMost || output > kMost) return kTooLarge;
  return static_cast<Micros>(input + output) * kMicrosPerUnit;
}

Priced price_call(const PriceTerms& terms, const Call& call) {
  switch (terms.from) {
    case PriceTerms::From::kFixed:
    case PriceTerms::From::kResult:
      return {terms.amount, false, nullptr};
    case PriceTerms::From::kArgs: {
      const std::optional<Micros> cost = terms.of_arguments(call);
      if (cost) return {*cost, false, nullptr};
      return {0, false, "what it costs is absent from its arguments, negative or above the most"};
    }
    case PriceTerms::From::kTokens:
      return price_tokens(terms, call);
  }
  return {0, false, "its price is of no known kind"};
}

class Pricer {
 public:
  Pricer(const PolicySet::Compiled& compiled, const Call& call, ArgsReader& args)
      : compiled_(compiled), call_(call), args_(args) {}

  // Nothing when the price cannot be told; fault() says why.
  std::optional<Spend> run() {
    const auto upstream = compiled_.find_table(call_);
    each_price(upstream, [&](uint32_t index) {
      const Truth truth = truth_of(index);
      met_doubt_ = met_doubt_ || truth == Truth::kDoubt;
      if (truth == Truth::kTrue) settled_ = std::min(settled_, index);
      return truth == Truth::kTrue;
    });
    if (settled_ != kNone) {
      const CompiledPrice& price = compiled_.prices[settled_];
      add(price);
      if (price.terms.from == PriceTerms::From::kResult) by_result_ = &price.terms;
    }
    // Those in doubt are met in any order: only now is it known which stand before the settled one.
    if (met_doubt_) {
      each_price(upstream, [&](uint32_t index) {
        const CompiledPrice& price = compiled_.prices[index];
        if (index < settled_ && truth_of(index) == Truth::kDoubt) add(price);
        return false;
      });
    }
    // No price surely names it, so it may be one that none names.
    if (call_.kind == Kind::kModel && settled_ == kNone) add_unknown_model(upstream);
    if (fault_) return std::nullopt;
    return spend_;
  }
  const char* fault() const { return fault_; }
  // Where another may apply, what the result says may not be what the call costs.
  const PriceTerms* by_result() const { return met_doubt_ ? nullptr : by_result_; }
  // Millionths of tokens, or why they cannot be told.
  const Result<Micros, const char*>& tokens() const { return tokens_; }

 private:
  // Calls `visit(index)` for each price that selects the call, maybe more than once, until one that
  // it takes; then for some of those behind it too.
  template <class Visit>
  void each_price(std::optional<uint32_t> upstream, Visit&& visit) const {
    if (upstream) {
      const RuleIndex& prices = compiled_.price_tables[*upstream].prices;
      if (!prices.table) return;
      prices.table->find_first(call_,
                               [&](uint32_t position) { return visit(prices.rules[position]); });
      return;
    }
    for (uint32_t index = 0; index < compiled_.prices.size(); ++index) {
      if (compiled_.prices[index].selector.matches(call_) && visit(index)) return;
    }
  }

  // Whether this price, which selects the call, applies.
  Truth truth_of(uint32_t index) {
    const CompiledPrice& price = compiled_.prices[index];
    if (!price.holds_at(call_.time)) return Truth::kFalse;
    return price.when ? price.when->evaluate(call_, args_) : Truth::kTrue;
  }

  void add_unknown_model(std::optional<uint32_t> upstream) {
    if (upstream) {
      const int32_t dearest = compiled_.price_tables[*upstream].dearest;
      if (dearest >= 0) {
        add(compiled_.dearest[static_cast<size_t>(dearest)], compiled_.unknown_model);
        return;
      }
    } else if (compiled_.unknown_model_is_highest) {  // named nowhere: only globs can cover it
      PriceTerms dearest;
      bool found = false;
      for (const CompiledPrice& price : compiled_.prices) {
        if (price.selector.kind() != SelectorKind::kModels) continue;
        if (!price.selector.covers_upstream(call_.upstream)) continue;
        found = true;
        dearest.raise_to(price.terms);
      }
      if (found) {
        add(dearest, compiled_.unknown_model);
        return;
      }
    }
    if (!fault_) fault_ = "no price names the model";
  }

  void add(const CompiledPrice& price) {
    const bool counted = add(price.terms, price.info);
    if (!counted || call_.kind != Kind::kModel) return;
    const auto& patterns = price.selector.patterns();
    const auto names =
        std::find_if(patterns.begin(), patterns.end(),
                     [&](const TargetPattern& pattern) { return pattern.matches(call_); });
    spend_.model_pattern = names == patterns.end()
                               ? std::string_view()
                               : price.pattern_texts[static_cast<size_t>(names - patterns.begin())];
  }

  // One price more that may apply: the dearest counts. Whether it is the dearest.
  bool add(const PriceTerms& terms, const RuleInfo& info) {
    const Priced priced = price_call(terms, call_);
    const auto tokens = tokens_of(terms, call_);
    if (tokens_ && (!tokens || *tokens > *tokens_)) tokens_ = tokens;
    if (priced.fault) fault_ = priced.fault;
    spend_.by_tokens = spend_.by_tokens || priced.by_tokens;
    if (spend_.price && priced.cost <= spend_.cost) return false;
    spend_.cost = priced.cost;
    spend_.price = &info;
    return true;
  }

  static constexpr uint32_t kNone = 0xFFFFFFFF;

  const PolicySet::Compiled& compiled_;
  const Call& call_;
  ArgsReader& args_;
  Spend spend_;
  Result<Micros, const char*> tokens_ = Micros{0};
  const char* fault_ = nullptr;
  uint32_t settled_ = kNone;  // the first price that surely applies
  bool met_doubt_ = false;
  const PriceTerms* by_result_ = nullptr;  // the terms of that price, where they are by the result
};

}  // namespace

Result<Spend, const char*> PolicySet::spend(AgentId agent, const Call& call) const {
  ArgsReader args(call);
  Pricer pricer(*compiled_, call, args);
  std::optional<Spend> spend = pricer.run();
  if (!spend) return pricer.fault();
  for (const BudgetUse& use : compiled_->agent_states[agent].budgets) {
    const CompiledBudget& budget = compiled_->budgets[use.budget];
    const bool in_tokens = budget.unit == Unit::kTokens && call.kind == Kind::kModel;
    const Micros amount = budget.unit == Unit::kCalls         ? kMicrosPerUnit
                          : budget.unit == Unit::kMoney       ? spend->cost
                          : in_tokens && pricer.tokens().ok() ? *pricer.tokens()
                                                              : 0;
    // What is by tokens is listed even while the amount is not known here.
    const bool by_tokens = spend->by_tokens || in_tokens;
    if ((amount == 0 && !by_tokens) || !budget.covers(call, args)) continue;
    if (in_tokens && !pricer.tokens()) return pricer.tokens().error();
    if (spend->count == Spend::kMaxDraws) return "it draws on too many budgets";
    spend->draws[spend->count++] = {use.account, amount};
  }
  return *spend;
}

const PriceTerms* price_by_result(const PolicySet& policy, const Call& call, const Spend& spend) {
  if (spend.price == nullptr) return nullptr;
  // Most prices are others, and are not looked for again: it is found by its place among them.
  const auto& prices = policy.compiled().prices;
  const auto found = std::lower_bound(prices.begin(), prices.end(), spend.price,
                                      [](const CompiledPrice& one, const RuleInfo* info) {
                                        return std::less<const RuleInfo*>()(&one.info, info);
                                      });
  if (found == prices.end() || &found->info != spend.price) return nullptr;
  if (found->terms.from != PriceTerms::From::kResult) return nullptr;
  ArgsReader args(call);
  Pricer pricer(policy.compiled(), call, args);
  return pricer.run() ? pricer.by_result() : nullptr;
}

std::optional<Micros> cost_of_result(const PriceTerms& terms, const json::Value& result) {
  Call call;
  call.args = &result;
  ArgsReader reader(call);
  const ArgsReader::Found& found = reader.read(terms.value);
  if (found.has_variant || !found.value || !found.value->is_number()) return std::nullopt;
  const std::optional<Micros> cost = ceil_to_micros(found.value->raw());
  return cost && *cost <= terms.amount ? cost : std::nullopt;
}

}  // namespace reeve::policy
