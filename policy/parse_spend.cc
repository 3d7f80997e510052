// Budgets and prices. Tested by tests/policy/parse_test.cc and the files of
// tests/data/policies/bad.
#include <fmt/format.h>

#include <algorithm>

#include "policy/parse_amounts.h"
#include "policy/parse_condition.h"
#include "policy/parse_sections.h"
#include "policy/parse_selector.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

// Whether `for` could be read.
bool read_scope(FileReader& reader, const yaml::Node& node, BudgetSource& budget) {
  using For = BudgetSource::For;
  if (node.is_scalar()) {
    const Text word = read_text(reader, node, "for");
    budget.scope = For::kEveryone;
    if (word.empty() || word.value == "everyone") return !word.empty();
    reader.error(node.mark, fmt::format("unknown `for` `{}`; write `everyone`, `{{agent: NAME}}`, "
                                        "`{{role: NAME}}`, `{{team: NAME}}` or `{{each: agent}}`",
                                        shown(word.value)));
    return false;
  }
  if (!node.is_mapping() || node.members.size() != 1) {
    reader.error(node.mark, "`for` takes one of `agent`, `role`, `team`, `each`, or is `everyone`");
    return false;
  }
  const Fields fields(reader, node, "scope", {"agent", "role", "team", "each"});
  for (const auto& [key, scope] :
       {std::pair{"agent", For::kAgent}, {"role", For::kRole}, {"team", For::kTeam}}) {
    if (!fields.find(key)) continue;
    budget.scope = scope;
    budget.of = fields.text(key);
    return !budget.of.empty();
  }
  const Text each = fields.text("each");
  if (each.empty()) return false;
  const std::string word = read_word(reader, each, "`each`", {"agent", "team"});
  budget.scope = word == "team" ? For::kEachTeam : For::kEachAgent;
  return !word.empty();
}

}  // namespace

void read_budget(FileReader& reader, const yaml::Node::Member& member) {
  BudgetSource budget;
  budget.name = read_name(reader, member, "budget");
  const Fields fields(
      reader, member.value, "budget",
      {"for", "limit", "zone", "warn", "then", "approvers", "within", "when", "upstream", "tools",
       "resources", "prompts", "http", "connect", "models", "methods", "except"});
  if (!fields.valid()) return;
  const yaml::Node* scope = fields.find("for");
  const bool has_scope = scope && read_scope(reader, *scope, budget);
  const Text limit = fields.text("limit");
  for (const auto& [key, missing] : {std::pair{"for", !scope}, {"limit", !fields.find("limit")}}) {
    if (missing) {
      reader.error(member.key_mark,
                   fmt::format("budget `{}` without `{}`; add it", shown(budget.name.value), key));
    }
  }
  budget.zone = fields.text("zone");
  if (const Text warn = fields.text("warn"); !warn.empty()) {
    reader.uses("warn", mark_of(warn));
    budget.warn_percent = read_percent(reader, warn).value_or(0);
  }
  const Text then = fields.text("then");
  if (!then.empty()) read_word(reader, then, "`then`", {"deny", "ask"});
  if (then.value == "ask") {
    reader.uses("then: ask", mark_of(then));
    budget.ask = read_ask(reader, fields, "a budget that asks");
  } else {
    refuse_ask(reader, fields, "write `then: ask`, or remove it");
  }
  read_selector(reader, fields, UpstreamIs::kOptional, budget.selector);
  const yaml::Node* when = fields.find("when");
  if (when) budget.when = read_condition(reader, *when, budget.selector.kind);
  if (limit.empty() || (when && !budget.when)) return;
  const std::optional<Limit> parsed = read_limit(reader, limit);
  if (!parsed || !has_scope) return;
  budget.limit = *parsed;
  reader.document.budgets.push_back(std::move(budget));
}

namespace {

// Whether a call that this selects can have arguments, or a result, to take its cost from.
bool can_have_cost(SelectorKind kind, bool of_args) {
  if (!of_args) return kind != SelectorKind::kConnect;
  return kind == SelectorKind::kAll || kind == SelectorKind::kTools ||
         kind == SelectorKind::kHttp || kind == SelectorKind::kModels;
}

// `{from: args.amount, max: 500 USD}` or `{from: result._meta.cost, reserve: 0.05 USD}`.
bool read_cost_from(FileReader& reader, const yaml::Node& node, PriceSource& price) {
  const Fields fields(reader, node, "cost", {"from", "max", "reserve"});
  if (!fields.valid()) return false;
  const Text from = fields.text("from");
  if (from.empty()) {
    if (!fields.find("from")) {
      reader.error(node.mark, "a cost without `from`; write `{from: args.amount, max: 500 USD}`");
    }
    return false;
  }
  const bool of_args = from.value.starts_with("args.");
  ValueRef& value = price.cost.value;
  value.text = from.value;
  const size_t dot = from.value.find('.');
  const bool known = of_args || from.value.starts_with("result.");
  if (!known || !read_steps(std::string_view(from.value).substr(dot + 1), value) || value.every) {
    reader.error(mark_of(from), fmt::format("`{}` is no value that a cost can come from; write "
                                            "`args.amount` or `result._meta.cost`",
                                            shown(from.value)));
    return false;
  }
  if (!can_have_cost(price.selector.kind, of_args)) {
    reader.error(mark_of(from), fmt::format("`{}` is nothing that a call that `{}` selects can "
                                            "have; write a fixed cost",
                                            shown(from.value), to_string(price.selector.kind)));
    return false;
  }
  const std::string_view bound = of_args ? "max" : "reserve";
  const std::string_view other = of_args ? "reserve" : "max";
  if (const yaml::Node* misplaced = fields.find(other)) {
    reader.error(misplaced->mark, fmt::format("`{}` beside a cost from `{}`; write `{}`", other,
                                              shown(from.value), bound));
    return false;
  }
  price.cost.from = of_args ? PriceTerms::From::kArgs : PriceTerms::From::kResult;
  if (!of_args) reader.uses("cost: {from: result…}", mark_of(from));
  const Text amount = fields.text(bound);
  if (!fields.find(bound)) {
    reader.error(node.mark, fmt::format("a cost from `{}` without `{}`; say the most that a call "
                                        "may cost, as `{}: 500 USD`",
                                        shown(from.value), bound, bound));
    return false;
  }
  const auto money = amount.empty() ? std::nullopt : read_money(reader, amount);
  if (!money) return false;
  price.cost.amount = money->amount;
  price.currency = {money->currency, amount.at};
  return true;
}

constexpr std::string_view kTokenKeys[] = {"input", "cached_input", "cache_write", "output"};

// `input`, `output` and their kin: a price by tokens.
bool read_token_prices(FileReader& reader, const Fields& fields, PriceSource& price) {
  PriceTerms::Tokens& tokens = price.cost.tokens;
  price.cost.from = PriceTerms::From::kTokens;
  bool good = true;
  for (const auto& [key, part] : {std::pair{kTokenKeys[0], &tokens.input},
                                  {kTokenKeys[1], &tokens.cached_input},
                                  {kTokenKeys[2], &tokens.cache_write},
                                  {kTokenKeys[3], &tokens.output}}) {
    const Text text = fields.text(key);
    if (text.empty()) {
      good = good && !fields.find(key);
      continue;
    }
    const std::optional<Amount> amount = read_token_price(reader, text);
    good = good && amount;
    if (!amount) continue;
    reader.uses(key, mark_of(text));
    *part = amount->amount;
    if (!price.currency.empty() && price.currency.value != amount->currency) {
      reader.error(mark_of(text), fmt::format("`{}` beside `{}`; a policy has one currency",
                                              amount->currency, price.currency.value));
      good = false;
    }
    price.currency = {amount->currency, text.at};
  }
  for (const std::string_view key : {kTokenKeys[0], kTokenKeys[3]}) {
    if (fields.find(key)) continue;
    reader.error(fields.node().mark,
                 fmt::format("a price of tokens without `{}`; write `{}: 2.50 USD per 1M tokens`",
                             key, key));
    good = false;
  }
  tokens.context = fields.whole_number("context", 1);
  tokens.max_output = fields.whole_number("max_output", 1);
  return good;
}

// Exactly one of a fixed cost, a cost from a value, and prices of tokens.
bool read_cost(FileReader& reader, const Fields& fields, PriceSource& price) {
  const yaml::Node* cost = fields.find("cost");
  const yaml::Node* by_tokens = nullptr;
  for (const std::string_view key : {kTokenKeys[0], kTokenKeys[1], kTokenKeys[2], kTokenKeys[3],
                                     std::string_view("context"), std::string_view("max_output")}) {
    if (!by_tokens) by_tokens = fields.find(key);
  }
  if (!cost && !by_tokens) {
    reader.error(fields.node().mark, "price without `cost`; write `cost: 0.005 USD`");
    return false;
  }
  if (cost && by_tokens) {
    reader.error(by_tokens->mark, "a price of tokens beside `cost`; a price has one of them");
    return false;
  }
  const SelectorKind kind = price.selector.kind;
  if (by_tokens && kind != SelectorKind::kModels && kind != SelectorKind::kAll) {
    reader.error(by_tokens->mark,
                 fmt::format("a price of tokens beside `{}`; only calls of `models` "
                             "have tokens, write `cost`",
                             to_string(kind)));
    return false;
  }
  if (by_tokens) return read_token_prices(reader, fields, price);
  if (cost->is_mapping()) return read_cost_from(reader, *cost, price);
  const Text text = fields.text("cost");
  const std::optional<Amount> amount = text.empty() ? std::nullopt : read_money(reader, text);
  if (!amount) return false;
  price.cost.amount = amount->amount;
  price.currency = {amount->currency, text.at};
  return true;
}

}  // namespace

void read_price(FileReader& reader, const yaml::Node& node) {
  const Fields fields(reader, node, "price",
                      {"upstream", "tools", "resources", "prompts", "http", "connect", "models",
                       "methods", "except", "when", "since", "cost", "input", "cached_input",
                       "cache_write", "output", "context", "max_output"});
  if (!fields.valid()) return;
  PriceSource price;
  price.at = reader.at(node.mark);
  price.order = reader.document.price_entries++;
  const bool selects = read_selector(reader, fields, UpstreamIs::kRequired, price.selector);
  const yaml::Node* when = fields.find("when");
  if (when) price.when = read_condition(reader, *when, price.selector.kind);
  if (when) price.when_text = yaml::form_of(*when);
  if (const Text since = fields.text("since"); !since.empty()) {
    price.since = read_day(reader, since);
  }
  if (!read_cost(reader, fields, price) || !selects || (when && !price.when)) return;
  reader.document.prices.push_back(std::move(price));
}

}  // namespace reeve::policy
