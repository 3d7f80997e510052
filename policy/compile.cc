// Stage 3, compile: interns agents, role sets and upstreams, and builds a table for each role set
// and upstream that meet. Tested by tests/policy/evaluate_test.cc and spend_test.cc.
#include "policy/compile.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <map>

#include "policy/condition_pool.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

using Compiled = PolicySet::Compiled;

std::string hash_files(std::span<const SourceFile> files) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Sha256 digest{};
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  const auto add = [&](std::string_view text) {  // with its length, so that no two lists are alike
    const std::string size = fmt::format("{}:", text.size());
    good = good && EVP_DigestUpdate(context.get(), size.data(), size.size()) &&
           EVP_DigestUpdate(context.get(), text.data(), text.size());
  };
  for (const SourceFile& file : files) {
    add(file.name);
    add(file.text);
  }
  good = good && EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  if (!good) throw std::bad_alloc();  // the library has no other reason to fail
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

Sha256 parse_hex(std::string_view hex) {
  const auto digit = [](char c) {
    return static_cast<uint8_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  };
  Sha256 bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  }
  return bytes;
}

std::vector<std::string> values_of(const std::vector<Text>& texts) {
  std::vector<std::string> values;
  for (const Text& text : texts) values.push_back(text.value);
  return values;
}

class Compiler {
 public:
  Compiler(const PolicyDocument& document, const Resolution& resolution, Diagnostics& diagnostics)
      : document_(document), resolution_(resolution), diagnostics_(diagnostics) {}

  std::unique_ptr<const Compiled> run(std::span<const SourceFile> files) {
    out_->sha256 = hash_files(files);
    out_->currency = resolution_.currency;
    out_->ends_with_marker = document_.ends_with_marker;
    for (const std::string& name : resolution_.upstreams) {
      const auto id = static_cast<uint32_t>(out_->upstream_ids.size());
      if (out_->upstream_ids.emplace(name, id).second) out_->upstream_index.add(name, id);
    }
    compile_rules();
    compile_agents();
    find_body_readers();
    compile_tokens();
    compile_prices();
    compile_budgets();
    for (AgentId agent = 0; agent < out_->agents.size(); ++agent) check_draws(agent);
    return std::move(out_);
  }

 private:
  void compile_rules() {
    struct Source {
      const RuleSource* rule;
      const RoleSource* role;
    };
    std::vector<Source> sources;
    for (const RoleSource& role : document_.roles) {
      out_->role_names.push_back(role.name.value);
      for (const RuleSource& rule : role.rules) sources.push_back({&rule, &role});
    }
    std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) {
      return std::pair(a.rule->effect, a.rule->order) < std::pair(b.rule->effect, b.rule->order);
    });
    rules_of_role_.resize(document_.roles.size());
    for (const auto& [rule, role] : sources) {
      const auto index = static_cast<uint32_t>(out_->rules.size());
      rules_of_role_[resolution_.roles.at(role->name.value)].push_back(index);
      CompiledRule compiled;
      RuleInfo& info = compiled.info;
      info.effect = rule->effect;
      info.id = !rule->id.empty() ? rule->id.value
                                  : fmt::format("{}.{}[{}]", role->name.value,
                                                to_string(rule->effect), rule->index);
      info.role = role->name.value;
      info.because = rule->because;
      info.at = document_.place(rule->at);
      info.hidden = rule->hidden;
      compiled.selector = CompiledSelector(rule->selector, rule->effect == Effect::kAllow);
      if (rule->until) compiled.until = *rule->until;
      compiled.when = conditions_.share(rule->when);
      compiled.upstream_texts = values_of(rule->selector.upstreams);
      compiled.pattern_texts = values_of(rule->selector.patterns);
      compiled.except_texts = values_of(rule->selector.except);
      out_->rules.push_back(std::move(compiled));
    }
  }

  void compile_agents() {
    for (uint32_t i = 0; i < document_.agents.size(); ++i) {
      const AgentSource& source = document_.agents[i];
      AgentInfo info;
      info.name = source.name.value;
      info.owner = source.owner;
      info.purpose = source.purpose;
      info.team = source.team;
      info.risk = source.risk;
      info.status = source.status;
      info.expires = source.expires;
      info.roles = values_of(source.roles);
      info.roles_joined = fmt::format("{}", fmt::join(info.roles, ","));
      info.at = document_.place(source.name.at);
      CompiledAgent agent;
      agent.role_set = role_set(resolution_.agent_roles[i]);
      if (source.status == "suspended") agent.refused = Reason::kSuspended;
      if (source.status == "retired") agent.refused = Reason::kRetired;
      if (source.expires_at) agent.expires = *source.expires_at;
      for (const IdentitySource& identity : source.identity) {
        if (identity.kind == IdentitySource::Kind::kListener) {
          out_->listeners.emplace(identity.value.value, i);
        }
      }
      out_->agent_ids.emplace(info.name, i);
      out_->agents.push_back(std::move(info));
      out_->agent_states.push_back(std::move(agent));
    }
  }

  uint32_t role_set(const std::vector<uint32_t>& roles) {
    const auto [known, is_new] =
        role_set_ids_.emplace(roles, static_cast<uint32_t>(out_->role_sets.size()));
    if (!is_new) return known->second;
    RoleSet set;
    set.roles = roles;
    for (const uint32_t role : roles) {
      const auto& rules = rules_of_role_[role];
      set.rules.insert(set.rules.end(), rules.begin(), rules.end());
    }
    std::sort(set.rules.begin(), set.rules.end());
    std::vector<const CompiledSelector*> selectors;
    for (const uint32_t rule : set.rules) selectors.push_back(&out_->rules[rule].selector);
    std::vector<std::vector<uint32_t>> by_upstream = select_by_upstream(selectors);
    set.tables.assign(by_upstream.size(), -1);
    for (size_t upstream = 0; upstream < by_upstream.size(); ++upstream) {
      if (by_upstream[upstream].empty()) continue;
      set.tables[upstream] = static_cast<int32_t>(out_->tables.size());
      RuleTable table;
      std::vector<const CompiledSelector*> covering;
      std::vector<bool> inspected;
      for (const uint32_t i : by_upstream[upstream]) {
        table.rules.push_back(set.rules[i]);
        covering.push_back(selectors[i]);
        inspected.push_back(reads_names(out_->rules[set.rules[i]]));
      }
      table.table = std::make_unique<const Table>(std::move(covering), inspected);
      out_->tables.push_back(std::move(table));
    }
    out_->role_sets.push_back(std::move(set));
    return known->second;
  }

  void find_body_readers() {
    std::vector<const CompiledSelector*> readers;
    for (const CompiledRule& rule : out_->rules) {
      if (reads_body(rule)) readers.push_back(&rule.selector);
    }
    for (const std::vector<uint32_t>& covering : select_by_upstream(readers)) {
      out_->reads_body.push_back(!covering.empty());
    }
  }

  // For each upstream the indexes of the selectors that cover it. Exact names are looked up, so
  // that many rules over many upstreams do not multiply.
  std::vector<std::vector<uint32_t>> select_by_upstream(
      const std::vector<const CompiledSelector*>& selectors) const {
    std::vector<std::vector<uint32_t>> by_upstream(resolution_.upstreams.size());
    const auto add = [&](size_t upstream, uint32_t selector) {
      std::vector<uint32_t>& list = by_upstream[upstream];
      if (list.empty() || list.back() != selector) list.push_back(selector);
    };
    for (uint32_t i = 0; i < selectors.size(); ++i) {
      for (const Pattern& pattern : selectors[i]->upstreams()) {
        if (pattern.is_exact()) {
          if (const auto id = out_->find_upstream(pattern.prefix())) add(*id, i);
          continue;
        }
        for (size_t upstream = 0; upstream < by_upstream.size(); ++upstream) {
          if (pattern.matches(resolution_.upstreams[upstream])) add(upstream, i);
        }
      }
    }
    return by_upstream;
  }

  // Buckets of about eight, chosen by the leading bits; within one, all hashes are compared.
  void compile_tokens() {
    for (uint32_t i = 0; i < document_.agents.size(); ++i) {
      for (const IdentitySource& identity : document_.agents[i].identity) {
        if (identity.kind != IdentitySource::Kind::kTokenSha256) continue;
        out_->tokens.push_back({parse_hex(identity.value.value), i});
      }
    }
    std::sort(out_->tokens.begin(), out_->tokens.end(),
              [](const TokenEntry& a, const TokenEntry& b) { return a.hash < b.hash; });
    constexpr size_t kPerBucket = 8;
    const size_t buckets = std::bit_ceil(out_->tokens.size() / kPerBucket + 1);
    out_->token_bucket_bits = std::min(16u, static_cast<uint32_t>(std::bit_width(buckets) - 1));
    size_t next = 0;
    for (size_t bucket = 0; bucket < (size_t{1} << out_->token_bucket_bits); ++bucket) {
      out_->token_buckets.push_back(static_cast<uint32_t>(next));
      while (next < out_->tokens.size() && token_bucket(out_->tokens[next].hash) == bucket) ++next;
    }
    out_->token_buckets.push_back(static_cast<uint32_t>(next));
  }

  size_t token_bucket(const Sha256& hash) const {
    return static_cast<size_t>(hash[0] << 8 | hash[1]) >> (16 - out_->token_bucket_bits);
  }

  void compile_prices() {
    for (const PriceSource& source : document_.prices) {
      CompiledPrice price;
      price.info.effect = Effect::kAllow;
      price.info.id = fmt::format("prices[{}]", source.order);
      price.info.at = document_.place(source.at);
      price.selector = CompiledSelector(source.selector, false);
      price.cost = source.cost;
      out_->prices.push_back(std::move(price));
    }
    std::vector<const CompiledSelector*> selectors;
    for (const CompiledPrice& price : out_->prices) selectors.push_back(&price.selector);
    for (const std::vector<uint32_t>& covering : select_by_upstream(selectors)) {
      RuleTable table;
      table.rules = covering;
      std::vector<const CompiledSelector*> chosen;
      for (const uint32_t i : covering) chosen.push_back(selectors[i]);
      table.table = std::make_unique<const Table>(std::move(chosen));
      out_->price_tables.push_back(std::move(table));
    }
  }

  uint32_t add_account(std::string budget, std::string scope, const Limit& limit,
                       const std::string& zone) {
    AccountSpec account;
    account.budget = std::move(budget);
    account.scope = std::move(scope);
    account.unit = limit.unit;
    account.currency = limit.currency;
    account.limit = limit.amount;
    account.period = limit.period;
    if (!zone.empty()) account.zone = zone;
    account.at = document_.place(limit.at);
    out_->accounts.push_back(std::move(account));
    return static_cast<uint32_t>(out_->accounts.size() - 1);
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
      const auto budget = static_cast<uint32_t>(out_->budgets.size());
      out_->budgets.push_back({name, CompiledSelector(), source.budget->unit});
      out_->agent_states[agent].budgets.push_back(
          {budget, add_account(name, name, *source.budget, "")});
    }
  }

  void compile_budget(const BudgetSource& source) {
    using For = BudgetSource::For;
    const auto budget = static_cast<uint32_t>(out_->budgets.size());
    out_->budgets.push_back(
        {source.name.value, CompiledSelector(source.selector, false), source.limit.unit});
    std::map<std::string, uint32_t> accounts;  // by scope
    const auto account = [&](const std::string& scope) {
      const auto known = accounts.find(scope);
      if (known != accounts.end()) return known->second;
      const uint32_t index = add_account(source.name.value, scope, source.limit, source.zone.value);
      accounts.emplace(scope, index);
      return index;
    };
    // A scope of one account has it even while no agent is covered: its state is shown.
    if (source.scope == For::kEveryone) account("everyone");
    if (source.scope == For::kRole) account("role:" + source.of.value);
    for (AgentId agent = 0; agent < out_->agents.size(); ++agent) {
      const AgentInfo& info = out_->agents[agent];
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
      out_->agent_states[agent].budgets.push_back({budget, account(scope)});
    }
  }

  // An upper bound on the accounts that one call can draw on, for each upstream.
  void check_draws(AgentId agent) {
    const auto& uses = out_->agent_states[agent].budgets;
    if (uses.size() <= Spend::kMaxDraws) return;
    for (const std::string& upstream : resolution_.upstreams) {
      size_t any = 0;
      size_t most = 0;
      std::map<std::pair<SelectorKind, std::string>, size_t> exact;
      for (const BudgetUse& use : uses) {
        const CompiledSelector& selector = out_->budgets[use.budget].selector;
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
      diagnostics_.error(out_->agents[agent].at,
                         fmt::format("too many budgets cover one call of agent `{}` on upstream "
                                     "`{}`, {} where {} fit; merge some",
                                     shown(out_->agents[agent].name), shown(upstream), any + most,
                                     Spend::kMaxDraws));
      return;
    }
  }

  const PolicyDocument& document_;
  const Resolution& resolution_;
  Diagnostics& diagnostics_;
  std::unique_ptr<Compiled> out_ = std::make_unique<Compiled>();
  ConditionPool conditions_;
  std::vector<std::vector<uint32_t>> rules_of_role_;
  std::map<std::vector<uint32_t>, uint32_t> role_set_ids_;
};

}  // namespace

std::unique_ptr<const PolicySet::Compiled> compile(const PolicyDocument& document,
                                                   const Resolution& resolution,
                                                   std::span<const SourceFile> files,
                                                   Diagnostics& diagnostics) {
  return Compiler(document, resolution, diagnostics).run(files);
}

}  // namespace reeve::policy
