// Stage 1, parse: the sections of one policy file, in file order, into the symbolic form.
//
// Each section has one function that reads one entry of it; what a value may be is in
// parse_fields.cc, what a rule selects in parse_selector.cc. Names are not looked up here.
// Tested by tests/policy/parse_test.cc and tests/fuzz/policy_fuzz.cc.
#include "policy/parse.h"

#include <fmt/format.h>

#include <memory>

#include "policy/parse_condition.h"
#include "policy/parse_fields.h"
#include "policy/parse_selector.h"
#include "policy/text.h"
#include "policy/yaml.h"

namespace reeve::policy {

namespace {

yaml::Mark mark_of(const Text& text) { return {text.at.line, text.at.column}; }

// The key of an entry as its name: shown in messages, records and labels.
Text read_name(FileReader& reader, const yaml::Node::Member& member, std::string_view what) {
  constexpr size_t kLongestName = 200;
  const yaml::Mark& mark = member.key_mark;
  if (member.key.empty() || member.key.size() > kLongestName) {
    reader.error(mark, fmt::format("name of {} must have 1 to {} bytes", what, kLongestName));
  } else if (const char* fault = hidden_character(member.key)) {
    reader.error(mark, fmt::format("name of {} holds {}; remove it", what, fault));
  }
  return {member.key, reader.at(mark)};
}

// ---- agents

bool is_hex_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

void read_identity_entry(FileReader& reader, const yaml::Node& node, AgentSource& agent) {
  const Fields fields(reader, node, "identity", {"token_sha256", "listener"});
  if (!fields.valid()) return;
  if (node.members.size() != 1) {
    reader.error(node.mark, "an identity must hold exactly one proof, such as `token_sha256`");
    return;
  }
  if (fields.find("token_sha256")) {
    Text hash = fields.text("token_sha256");
    if (hash.empty()) return;
    if (!is_hex_sha256(hash.value)) {
      reader.error(mark_of(hash),
                   "`token_sha256` must be the SHA-256 of the token, 64 hexadecimal digits (and "
                   "never the token itself); `reeve token` makes both");
      return;
    }
    agent.identity.push_back({IdentitySource::Kind::kTokenSha256, std::move(hash)});
  } else if (fields.find("listener")) {
    Text listener = fields.text("listener");
    if (!listener.empty()) {
      agent.identity.push_back({IdentitySource::Kind::kListener, std::move(listener)});
    }
  }
}

void read_identity(FileReader& reader, const yaml::Node& node, AgentSource& agent) {
  if (!node.is_sequence()) {
    reader.error(node.mark, "`identity` must be a list; write `- token_sha256: …` below it");
    return;
  }
  for (const yaml::Node& item : node.items) read_identity_entry(reader, item, agent);
}

void read_agent(FileReader& reader, const yaml::Node::Member& member) {
  AgentSource agent;
  agent.name = read_name(reader, member, "agent");
  const Fields fields(
      reader, member.value, "agent",
      {"owner", "purpose", "team", "risk", "roles", "identity", "status", "expires", "budget"});
  if (!fields.valid()) return;
  for (const auto& [key, value] :
       {std::pair{"owner", &agent.owner}, {"purpose", &agent.purpose}, {"team", &agent.team}}) {
    *value = fields.text(key).value;
    if (value->empty() && !fields.find(key)) {
      reader.error(member.key_mark,
                   fmt::format("agent `{}` without `{}`; add it", shown(agent.name.value), key));
    }
  }
  if (const Text risk = fields.text("risk"); !risk.empty()) {
    agent.risk = read_word(reader, risk, "risk", {"minimal", "limited", "high"});
  }
  if (const Text status = fields.text("status"); !status.empty()) {
    agent.status = read_word(reader, status, "status", {"active", "suspended", "retired"});
  }
  if (const Text expires = fields.text("expires"); !expires.empty()) {
    agent.expires = expires.value;
    agent.expires_at = read_day_end(reader, expires);
  }
  if (const yaml::Node* roles = fields.find("roles")) {
    agent.roles = read_texts(reader, *roles, "roles");
  }
  if (const yaml::Node* identity = fields.find("identity")) {
    read_identity(reader, *identity, agent);
  }
  if (const Text budget = fields.text("budget"); !budget.empty()) {
    agent.budget = read_limit(reader, budget);
  }
  reader.document.agents.push_back(std::move(agent));
}

// ---- roles

void read_rule(FileReader& reader, const yaml::Node& node, Effect effect, uint32_t index,
               RoleSource& role) {
  RuleSource rule;
  rule.at = reader.at(node.mark);
  rule.effect = effect;
  rule.index = index;
  rule.order = reader.document.rules++;
  const Fields fields(reader, node, "rule",
                      {"id", "because", "until", "hidden", "when", "upstream", "tools", "resources",
                       "prompts", "http", "methods", "except"});
  if (!fields.valid()) return;
  rule.id = fields.text("id");
  rule.because = fields.text("because").value;
  if (const Text until = fields.text("until"); !until.empty()) {
    rule.until = read_day_end(reader, until);
  }
  rule.hidden = fields.boolean("hidden");
  if (rule.hidden && effect != Effect::kDeny) {
    reader.error(fields.find("hidden")->mark, "`hidden` is for `deny` rules; remove it");
  }
  const bool selects = read_selector(reader, fields, UpstreamIs::kRequired, rule.selector);
  const yaml::Node* when = fields.find("when");
  if (when) rule.when = read_condition(reader, *when, rule.selector.kind);
  if (selects && (!when || rule.when)) role.rules.push_back(std::move(rule));
}

void read_rules(FileReader& reader, const yaml::Node& node, Effect effect, RoleSource& role) {
  const std::string_view name = to_string(effect);
  if (node.is_mapping()) {  // one rule, as a text is a list of one
    read_rule(reader, node, effect, 0, role);
    return;
  }
  if (!node.is_sequence() || node.items.empty()) {
    reader.error(node.mark,
                 fmt::format("`{}` must be a list of rules; add one or remove it", name));
    return;
  }
  uint32_t index = 0;
  for (const yaml::Node& item : node.items) read_rule(reader, item, effect, index++, role);
}

void read_role(FileReader& reader, const yaml::Node::Member& member) {
  RoleSource role;
  role.name = read_name(reader, member, "role");
  const Fields fields(reader, member.value, "role", {"inherits", "allow", "deny", "ask"});
  if (fields.valid()) {
    for (const yaml::Node::Member& entry : member.value.members) {
      if (fields.find(entry.key) != &entry.value) continue;
      if (entry.key == "inherits") {
        role.inherits = read_texts(reader, entry.value, "inherits");
      } else {
        const Effect effect = entry.key == "deny"  ? Effect::kDeny
                              : entry.key == "ask" ? Effect::kAsk
                                                   : Effect::kAllow;
        read_rules(reader, entry.value, effect, role);
      }
    }
  }
  reader.document.roles.push_back(std::move(role));
}

// ---- budgets and prices

void read_scope(FileReader& reader, const yaml::Node& node, BudgetSource& budget) {
  using For = BudgetSource::For;
  if (node.is_scalar()) {
    const Text word = read_text(reader, node, "for");
    if (!word.empty()) read_word(reader, word, "`for`", {"everyone"});
    budget.scope = For::kEveryone;
    return;
  }
  const Fields fields(reader, node, "scope", {"agent", "role", "team", "each"});
  if (!fields.valid()) return;
  if (node.members.size() != 1) {
    reader.error(node.mark, "`for` takes one of `agent`, `role`, `team`, `each`, or is `everyone`");
    return;
  }
  for (const auto& [key, scope] :
       {std::pair{"agent", For::kAgent}, {"role", For::kRole}, {"team", For::kTeam}}) {
    if (!fields.find(key)) continue;
    budget.scope = scope;
    budget.of = fields.text(key);
  }
  if (fields.find("each")) {
    const Text each = fields.text("each");
    if (each.empty()) return;
    const std::string word = read_word(reader, each, "`each`", {"agent", "team"});
    budget.scope = word == "team" ? For::kEachTeam : For::kEachAgent;
  }
}

void read_budget(FileReader& reader, const yaml::Node::Member& member) {
  BudgetSource budget;
  budget.name = read_name(reader, member, "budget");
  const Fields fields(reader, member.value, "budget",
                      {"for", "limit", "zone", "then", "upstream", "tools", "resources", "prompts",
                       "http", "methods", "except"});
  if (!fields.valid()) return;
  const yaml::Node* scope = fields.find("for");
  if (scope) read_scope(reader, *scope, budget);
  const Text limit = fields.text("limit");
  for (const auto& [key, missing] : {std::pair{"for", !scope}, {"limit", !fields.find("limit")}}) {
    if (missing) {
      reader.error(member.key_mark,
                   fmt::format("budget `{}` without `{}`; add it", shown(budget.name.value), key));
    }
  }
  budget.zone = fields.text("zone");
  if (const Text then = fields.text("then"); then.value == "ask") {
    report_not_yet(reader, mark_of(then), "then: ask");
  } else if (!then.empty()) {
    read_word(reader, then, "`then`", {"deny"});
  }
  const bool selects = read_selector(reader, fields, UpstreamIs::kOptional, budget.selector);
  if (limit.empty()) return;
  const std::optional<Limit> parsed = read_limit(reader, limit);
  if (!parsed || !scope || !selects) return;
  budget.limit = *parsed;
  reader.document.budgets.push_back(std::move(budget));
}

void read_price(FileReader& reader, const yaml::Node& node) {
  const Fields fields(
      reader, node, "price",
      {"upstream", "tools", "resources", "prompts", "http", "methods", "except", "cost"});
  if (!fields.valid()) return;
  PriceSource price;
  price.at = reader.at(node.mark);
  price.order = static_cast<uint32_t>(reader.document.prices.size());
  const bool selects = read_selector(reader, fields, UpstreamIs::kRequired, price.selector);
  const yaml::Node* cost = fields.find("cost");
  if (!cost && !fields.complete()) return;
  if (!cost) {
    reader.error(node.mark, "price without `cost`; write `cost: 0.005 USD`");
    return;
  }
  if (cost->is_mapping()) {
    report_not_yet(reader, cost->mark, "cost: {from: …}");
    return;
  }
  const Text text = fields.text("cost");
  if (text.empty()) return;
  const std::optional<Amount> amount = read_money(reader, text);
  if (!amount || !selects) return;
  price.cost = amount->amount;
  price.currency = {amount->currency, text.at};
  reader.document.prices.push_back(std::move(price));
}

// ---- the file

void read_version(FileReader& reader, const yaml::Node& node) {
  if (!node.is_scalar() || node.text != "1") {
    reader.error(node.mark,
                 fmt::format("version `{}` is not known; write `version: 1`", shown(node.text)));
  }
}

void read_mode(FileReader& reader, const Text& mode) {
  if (mode.value == "report") {
    report_not_yet(reader, mark_of(mode), "mode: report");
  } else if (!mode.empty()) {
    read_word(reader, mode, "mode", {"enforce", "report"});
  }
}

void read_currency(FileReader& reader, const Text& currency) {
  if (currency.empty()) return;
  Text& known = reader.document.currency;
  if (currency.value.size() != 3 ||
      currency.value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
    reader.error(mark_of(currency), fmt::format("`{}` is no currency; write its three letters, "
                                                "such as `USD`",
                                                shown(currency.value)));
  } else if (!known.empty() && known.value != currency.value) {
    reader.error(mark_of(currency),
                 fmt::format("currency `{}` differs from `{}` in {}; keep one", currency.value,
                             known.value, to_string(reader.document.place(known.at))));
  } else {
    known = currency;
  }
}

using EntryReader = void (*)(FileReader&, const yaml::Node::Member&);

void read_entries(FileReader& reader, const yaml::Node& node, std::string_view section,
                  EntryReader read_entry) {
  if (node.is_null()) return;  // a section whose entries are all comments
  if (!node.is_mapping()) {
    reader.error(node.mark, fmt::format("`{}` must be a mapping of names", section));
    return;
  }
  for (const yaml::Node::Member& member : node.members) read_entry(reader, member);
}

void read_prices(FileReader& reader, const yaml::Node& node) {
  if (node.is_null()) return;
  if (!node.is_sequence()) {
    reader.error(node.mark, "`prices` must be a list; begin each price with `-`");
    return;
  }
  for (const yaml::Node& item : node.items) read_price(reader, item);
}

}  // namespace

void parse_file(const SourceFile& file, PolicyDocument& document, Diagnostics& diagnostics) {
  const auto index = static_cast<uint32_t>(document.files.size());
  document.files.push_back(file.name);
  yaml::Limits limits;
  limits.duplicates_are_fatal = false;  // so that the other errors are found in the same run
  const std::unique_ptr<yaml::Document> yaml =
      yaml::parse(file.text, file.name, diagnostics, limits);
  if (!yaml) {
    document.complete = false;
    return;
  }
  if (yaml->ends_with_marker) document.marked_files.push_back(file.name);
  FileReader reader{*yaml, document, diagnostics, index};
  if (yaml->root.is_null()) {
    reader.error({}, "empty policy; write at least `agents` and `roles`");
    return;
  }
  const Fields fields(
      reader, yaml->root, "policy",
      {"version", "mode", "upstreams", "currency", "agents", "roles", "budgets", "prices"});
  if (const yaml::Node* version = fields.find("version")) read_version(reader, *version);
  read_mode(reader, fields.text("mode"));
  read_currency(reader, fields.text("currency"));
  if (const yaml::Node* upstreams = fields.find("upstreams")) {
    auto& names = document.upstreams ? *document.upstreams : document.upstreams.emplace();
    for (Text& name : read_texts(reader, *upstreams, "upstreams")) names.push_back(std::move(name));
  }
  if (const yaml::Node* node = fields.find("agents"))
    read_entries(reader, *node, "agents", read_agent);
  if (const yaml::Node* node = fields.find("roles"))
    read_entries(reader, *node, "roles", read_role);
  if (const yaml::Node* node = fields.find("budgets")) {
    read_entries(reader, *node, "budgets", read_budget);
  }
  if (const yaml::Node* node = fields.find("prices")) read_prices(reader, *node);
}

}  // namespace reeve::policy
