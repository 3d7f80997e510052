// Prices and budgets of stage 3: prices in the order in which they are tried, an account for each
// budget and scope. Tested by tests/policy/spend_test.cc.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "policy/compile.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

using Compiled = PolicySet::Compiled;

// Two prices that select alike are one price at different times.
std::string selection_of(const PriceSource& price) {
  std::string text(to_string(price.selector.kind));
  for (const auto* texts :
       {&price.selector.upstreams, &price.selector.patterns, &price.selector.except}) {
    text += '\n';
    for (const Text& one : *texts) text += fmt::format("{}:{}", one.value.size(), one.value);
  }
  return text + '\n' + price.when_text;
}

class SpendCompiler {
 public:
  SpendCompiler(const PolicyDocument& document, const Resolution& resolution, Compiled& out,
                Diagnostics& diagnostics)
      : document_(document), resolution_(resolution), out_(out), diagnostics_(diagnostics) {}

  void run() {
    compile_prices();
    compile_price_tables();
    compile_budgets();
    for (AgentId agent = 0; agent < out_.agents.size(); ++agent) check_draws(agent);
  }

 private:
  struct Dated {
    const PriceSource* price = nullptr;
    Time until = Time::max();  // when the next one that selects alike begins
  };

  static Time since(const PriceSource* price) { return price->since.value_or(Time::min()); }

  // In file order; of those that select alike, the latest first, where the first of them stands.
  std::vector<Dated> prices_in_order() const {
    std::map<std::string, uint32_t> first;  // of each selection
    std::vector<std::pair<uint32_t, const PriceSource*>> prices;
    for (uint32_t i = 0; i < document_.prices.size(); ++i) {
      const PriceSource& price = document_.prices[i];
      prices.emplace_back(first.emplace(selection_of(price), i).first->second, &price);
    }
    std::sort(prices.begin(), prices.end(), [](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      if (since(a.second) != since(b.second)) return since(a.second) > since(b.second);
      return a.second->order < b.second->order;
    });
    std::vector<Dated> result;
    for (size_t i = 0; i < prices.size(); ++i) {
      const bool is_first = i == 0 || prices[i - 1].first != prices[i].first;
      result.push_back({prices[i].second, is_first ? Time::max() : since(prices[i - 1].second)});
    }
    return result;
  }

  void compile_prices() {
    for (const auto& [source, until] : prices_in_order()) {
      CompiledPrice price;
      price.info.effect = Effect::kAllow;
      price.info.id = fmt::format("prices[{}]", source->order);
      price.info.at = document_.place(source->at);
      price.selector = CompiledSelector(source->selector, false);
      for (const Text& text : source->selector.patterns) price.pattern_texts.push_back(text.value);
      price.when = source->when;
      price.since = since(source);
      price.until = until;
      price.terms = source->cost;
      out_.prices.push_back(std::move(price));
    }
  }

  void compile_price_tables() {
    out_.unknown_model.effect = Effect::kAllow;
    out_.unknown_model.id = "unknown_model";
    out_.unknown_model.at = document_.place(document_.unknown_model.at);
    out_.unknown_model_is_highest = document_.unknown_model.value == "highest";
    std::vector<const CompiledSelector*> selectors;
    for (const CompiledPrice& price : out_.prices) selectors.push_back(&price.selector);
    for (std::vector<uint32_t>& covering : select_by_upstream(selectors, resolution_, out_)) {
      PriceTable table;
      std::vector<uint32_t> reading;
      for (const uint32_t i : covering) {
        const CompiledPrice& price = out_.prices[i];
        if (reads_names(price.when) || price.terms.from == PriceTerms::From::kArgs) {
          reading.push_back(i);
        }
      }
      if (out_.unknown_model_is_highest) table.dearest = add_dearest(covering);
      table.prices = make_index(std::move(covering), out_.prices);
      table.reading = make_index(std::move(reading), out_.prices);
      out_.price_tables.push_back(std::move(table));
    }
  }

  // Of all prices of models, the highest.
  int32_t add_dearest(const std::vector<uint32_t>& covering) {
    PriceTerms dearest;
    bool found = false;
    for (const uint32_t i : covering) {
      const CompiledPrice& price = out_.prices[i];
      if (price.selector.kind() != SelectorKind::kModels) continue;
      found = true;
      dearest.raise_to(price.terms);
    }
    if (!found) return -1;
    out_.dearest.push_back(std::move(dearest));
    return static_cast<int32_t>(out_.dearest.size() - 1);
  }

  uint32_t add_account(std::string budget, std::string scope, const Limit& limit,
                       const BudgetSource* source) {
    AccountSpec account;
    account.budget = std::move(budget);
    account.scope = std::move(scope);
    account.unit = limit.unit;
    account.currency = limit.currency;
    account.limit = limit.amount;
    account.period = limit.period;
    if (source && !source->zone.empty()) account.zone = source->zone.value;
    if (source) account.warn_percent = source->warn_percent;
    if (source && source->ask) account.ask = terms_of(*source->ask, resolution_);
    account.at = document_.place(limit.at);
    out_.accounts.push_back(std::move(account));
    return static_cast<uint32_t>(out_.accounts.size() - 1);
  }

  bool has_role(AgentId agent, const std::string& role) const {
    const auto& roles = resolution_.agent_roles[agent];
    return std::binary_search(roles.begin(), roles.end(), resolution_.roles.at(role));
  }

  void compile_budgets() {
    for (const BudgetSource& source : document_.budgets) compile_budget(source);
    for (AgentId agent = 0; agent < document_.agents.size(); ++agent) {
      const AgentSource& source = document_.agents[agent];
      if (!source.budget) continue;
      const std::string name = "agent:" + source.name.value;
      const auto budget = static_cast<uint32_t>(out_.budgets.size());
      out_.budgets.push_back({name, CompiledSelector(), nullptr, source.budget->unit});
      out_.agent_states[agent].budgets.push_back(
          {budget, add_account(name, name, *source.budget, nullptr)});
    }
  }

  void compile_budget(const BudgetSource& source) {
    using For = BudgetSource::For;
    const auto budget = static_cast<uint32_t>(out_.budgets.size());
    out_.budgets.push_back({source.name.value, CompiledSelector(source.selector, false),
                            source.when, source.limit.unit});
    std::map<std::string, uint32_t> accounts;  // by scope
    const auto account = [&](const std::string& scope) {
      const auto known = accounts.find(scope);
      if (known != accounts.end()) return known->second;
      const uint32_t index = add_account(source.name.value, scope, source.limit, &source);
      accounts.emplace(scope, index);
      return index;
    };
    // A scope of one account has it even while no agent is covered: its state is shown.
    if (source.scope == For::kEveryone) account("everyone");
    if (source.scope == For::kRole) account("role:" + source.of.value);
    for (AgentId agent = 0; agent < out_.agents.size(); ++agent) {
      const AgentInfo& info = out_.agents[agent];
      std::string scope;
      switch (source.scope) {
        case For::kEveryone:
          scope = "everyone";
          break;
        case For::kAgent:
          if (info.name == source.of.value) scope = "agent:" + info.name;
          break;
        case For::kRole:
          if (has_role(agent, source.of.value)) scope = "role:" + source.of.value;
          break;
        case For::kTeam:
          if (info.team == source.of.value) scope = "team:" + info.team;
          break;
        case For::kEachAgent:
          scope = "agent:" + info.name;
          break;
        case For::kEachTeam:
          scope = "team:" + info.team;
          break;
      }
      if (scope.empty()) continue;
      out_.agent_states[agent].budgets.push_back({budget, account(scope)});
      if (reads_names(source.when)) out_.agent_states[agent].budgets_read_names = true;
    }
  }

  // An upper bound on the accounts that one call can draw on, for each upstream.
  void check_draws(AgentId agent) {
    const auto& uses = out_.agent_states[agent].budgets;
    if (uses.size() <= Spend::kMaxDraws) return;
    for (const std::string& upstream : resolution_.upstreams) {
      size_t any = 0;
      size_t most = 0;
      std::map<std::pair<SelectorKind, std::string>, size_t> exact;
      for (const BudgetUse& use : uses) {
        const CompiledSelector& selector = out_.budgets[use.budget].selector;
        if (!selector.covers_upstream(upstream)) continue;
        const auto& patterns = selector.patterns();
        const bool is_exact =
            !patterns.empty() && std::all_of(patterns.begin(), patterns.end(),
                                             [](const auto& p) { return p.pattern().is_exact(); });
        if (!is_exact) {
          ++any;
          continue;
        }
        for (const TargetPattern& pattern : patterns) {
          size_t& count = exact[{selector.kind(), std::string(pattern.pattern().prefix())}];
          most = std::max(most, ++count);
        }
      }
      if (any + most <= Spend::kMaxDraws) continue;
      diagnostics_.error(out_.agents[agent].at,
                         fmt::format("too many budgets cover one call of agent `{}` on upstream "
                                     "`{}`, {} where {} fit; merge some",
                                     shown(out_.agents[agent].name), shown(upstream), any + most,
                                     Spend::kMaxDraws));
      return;
    }
  }

  const PolicyDocument& document_;
  const Resolution& resolution_;
  Compiled& out_;
  Diagnostics& diagnostics_;
};

}  // namespace

void compile_spend(const PolicyDocument& document, const Resolution& resolution,
                   PolicySet::Compiled& compiled, Diagnostics& diagnostics) {
  SpendCompiler(document, resolution, compiled, diagnostics).run();
}

}  // namespace reeve::policy
