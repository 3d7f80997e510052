// What a call costs at most, and what it draws on. Prices are tried in their order; one whose
// condition is in doubt may apply, so that of those that may the dearest counts. Allocates nothing.
// Tested by tests/policy/spend_test.cc.
#include <algorithm>

#include "policy/compiled.h"
#include "policy/policy_set.h"

namespace reeve::policy {

namespace {

// The cost by one price; its fault when that cannot be told.
struct Priced {
  Micros cost = 0;
  bool by_tokens = false;
  const char* fault = nullptr;
};

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
      return {terms.of_most_tokens().value_or(0), true, nullptr};
  }
  return {0, false, "its price is of no known kind"};
}

class Pricer {
 public:
  Pricer(const PolicySet::Compiled& compiled, const Call& call)
      : compiled_(compiled), call_(call) {}

  // Nothing when the price cannot be told; fault() says why.
  std::optional<Spend> run() {
    int32_t dearest = -1;
    if (const auto upstream = compiled_.find_table(call_)) {
      const PriceTable& table = compiled_.price_tables[*upstream];
      dearest = table.dearest;
      if (table.prices.table) {
        table.prices.table->find_first(
            call_, [&](uint32_t position) { return settle_on(table.prices.rules[position]); });
        // Prices in doubt are met in any order: those behind the one that applies do not count.
        judge_doubtful();
      }
    } else {
      for (uint32_t index = 0; index < compiled_.prices.size(); ++index) {
        if (compiled_.prices[index].selector.matches(call_) && settle_on(index)) break;
      }
      judge_doubtful();
    }
    if (call_.kind == Kind::kModel && !spend_.price && !fault_) {
      if (dearest >= 0) {
        add(compiled_.dearest[static_cast<size_t>(dearest)]);
      } else {
        fault_ = "no price names the model";
      }
    }
    if (fault_) return std::nullopt;
    return spend_;
  }
  const char* fault() const { return fault_; }

 private:
  static constexpr size_t kMostDoubtful = 16;

  // Whether this price, which selects the call, surely applies.
  bool settle_on(uint32_t index) {
    const CompiledPrice& price = compiled_.prices[index];
    if (call_.time < price.since) return false;
    const Truth truth = price.when ? price.when->evaluate(call_) : Truth::kTrue;
    if (truth == Truth::kFalse) return false;
    if (truth == Truth::kTrue) {
      if (index < settled_) settled_ = index;
      return true;
    }
    const auto end = doubtful_.begin() + doubtful_count_;
    if (std::find(doubtful_.begin(), end, index) != end) return false;  // by another pattern
    if (doubtful_count_ == kMostDoubtful) {
      fault_ = "too many prices are in doubt about it";
    } else {
      doubtful_[doubtful_count_++] = index;
    }
    return false;
  }

  void judge_doubtful() {
    if (settled_ != kNone) add(compiled_.prices[settled_]);
    for (size_t i = 0; i < doubtful_count_; ++i) {
      if (doubtful_[i] < settled_) add(compiled_.prices[doubtful_[i]]);
    }
  }

  void add(const CompiledPrice& price) {
    const Priced priced = price_call(price.terms, call_);
    if (priced.fault) fault_ = priced.fault;
    spend_.by_tokens = spend_.by_tokens || priced.by_tokens;
    if (spend_.price && priced.cost <= spend_.cost) return;
    spend_.cost = priced.cost;
    spend_.price = &price.info;
  }

  static constexpr uint32_t kNone = 0xFFFFFFFF;

  const PolicySet::Compiled& compiled_;
  const Call& call_;
  Spend spend_;
  const char* fault_ = nullptr;
  uint32_t settled_ = kNone;
  std::array<uint32_t, kMostDoubtful> doubtful_;  // the first doubtful_count_
  size_t doubtful_count_ = 0;
};

}  // namespace

Result<Spend, const char*> PolicySet::spend(AgentId agent, const Call& call) const {
  Pricer pricer(*compiled_, call);
  std::optional<Spend> spend = pricer.run();
  if (!spend) return pricer.fault();
  for (const BudgetUse& use : compiled_->agent_states[agent].budgets) {
    const CompiledBudget& budget = compiled_->budgets[use.budget];
    const Micros amount = budget.unit == Unit::kCalls   ? kMicrosPerUnit
                          : budget.unit == Unit::kMoney ? spend->cost
                                                        : 0;
    // What is by tokens is listed even while the amount is not known here.
    if ((amount == 0 && !spend->by_tokens) || !budget.covers(call)) continue;
    if (spend->count == Spend::kMaxDraws) return "it draws on too many budgets";
    spend->draws[spend->count++] = {use.account, amount};
  }
  return *spend;
}

}  // namespace reeve::policy
