// Stage 3, compile: interns agents, role sets and upstreams, and builds a table for each role set
// and upstream that meet. Tested by tests/policy/evaluate_test.cc and spend_test.cc.
#include "policy/compile.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>

#include "policy/guard_program.h"
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

}  // namespace

AskTerms terms_of(const AskSource& ask, const Resolution& resolution) {
  if (ask.approvers.empty()) return {};
  return {resolution.approvers.at(ask.approvers.value), ask.within};
}

std::vector<std::vector<uint32_t>> select_by_upstream(
    const std::vector<const CompiledSelector*>& selectors, const Resolution& resolution,
    const PolicySet::Compiled& compiled) {
  const size_t tunnels = resolution.upstreams.size();
  std::vector<std::vector<uint32_t>> by_upstream(tunnels + 1);
  const auto add = [&](size_t upstream, uint32_t selector) {
    std::vector<uint32_t>& list = by_upstream[upstream];
    if (list.empty() || list.back() != selector) list.push_back(selector);
  };
  for (uint32_t i = 0; i < selectors.size(); ++i) {
    if (selectors[i]->kind() == SelectorKind::kConnect) add(tunnels, i);
    for (const Pattern& pattern : selectors[i]->upstreams()) {
      if (pattern.is_exact()) {
        if (const auto id = compiled.find_upstream(pattern.prefix())) add(*id, i);
        continue;
      }
      for (size_t upstream = 0; upstream < tunnels; ++upstream) {
        if (pattern.matches(resolution.upstreams[upstream])) add(upstream, i);
      }
    }
  }
  return by_upstream;
}

namespace {

class Compiler {
 public:
  Compiler(const PolicyDocument& document, const Resolution& resolution, Diagnostics& diagnostics)
      : document_(document), resolution_(resolution), diagnostics_(diagnostics) {}

  std::unique_ptr<const Compiled> run(std::span<const SourceFile> files) {
    out_->sha256 = hash_files(files);
    out_->currency = resolution_.currency;
    out_->marked_files = document_.marked_files;
    out_->report = document_.mode.value == "report";
    for (const std::string& name : resolution_.upstreams) {
      const auto id = static_cast<uint32_t>(out_->upstream_ids.size());
      if (out_->upstream_ids.emplace(name, id).second) out_->upstream_index.add(name, id);
    }
    compile_duties();
    compile_rules();
    compile_agents();
    compile_tokens();
    compile_spend(document_, resolution_, *out_, diagnostics_);
    find_body_readers();
    return std::move(out_);
  }

 private:
  // Approvers, guards and servers keep their order in the document, as the resolution's indexes.
  void compile_duties() {
    for (const ApproversSource& source : document_.approvers) {
      out_->approvers.push_back({source.name.value, values_of(source.members), source.need,
                                 source.not_owner, document_.place(source.name.at)});
    }
    for (const GuardSource& source : document_.guards) {
      GuardInfo guard = source.guard;
      guard.ask = terms_of(source.ask, resolution_);
      guard.at = document_.place(source.name.at);
      guard.program = compile_guard(guard);
      out_->guards_read_places =
          out_->guards_read_places || (reads_arguments(guard) && !guard.program->places.empty());
      out_->guards.push_back(std::move(guard));
    }
    for (const ServerSource& source : document_.servers) {
      out_->servers.push_back(source.server);
      out_->servers.back().at = document_.place(source.name.at);
    }
    for (const FeatureUse& use : document_.features) {
      out_->features.push_back({use.name, document_.place(use.at)});
    }
  }

  void add_guards(const std::vector<Text>& names, std::vector<uint32_t>& guards) const {
    for (const Text& name : names) guards.push_back(resolution_.guards.at(name.value));
  }

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
    out_->rules.reserve(sources.size());
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
      info.report = rule->report;
      info.audit = rule->audit;
      info.ask = terms_of(rule->ask, resolution_);
      add_guards(rule->guards, compiled.guards);
      compiled.selector = CompiledSelector(rule->selector, rule->effect == Effect::kAllow);
      if (rule->until) compiled.until = *rule->until;
      compiled.when = rule->when;
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
      for (const uint32_t role : resolution_.agent_roles[i]) {
        agent.held_roles.push_back(document_.roles[role].name.value);
      }
      agent.review = source.review;
      compile_limits(source, resolution_.agent_roles[i], agent);
      if (source.status == "suspended") agent.refused = Reason::kSuspended;
      if (source.status == "retired") agent.refused = Reason::kRetired;
      if (source.expires_at) agent.expires = *source.expires_at;
      for (const IdentitySource& identity : source.identity) {
        const std::string& value = identity.value.value;
        if (identity.kind == IdentitySource::Kind::kListener) out_->listeners.emplace(value, i);
        if (identity.kind == IdentitySource::Kind::kSpiffe) out_->spiffe_ids.emplace(value, i);
        if (identity.kind == IdentitySource::Kind::kUnixUid) {
          uint32_t uid = 0;  // the parser has seen to it that it is one
          std::from_chars(value.data(), value.data() + value.size(), uid);
          out_->unix_uids.emplace(uid, i);
        }
      }
      out_->agent_ids.emplace(info.name, i);
      out_->agents.push_back(std::move(info));
      out_->agent_states.push_back(std::move(agent));
    }
  }

  void compile_limits(const AgentSource& source, const std::vector<uint32_t>& roles,
                      CompiledAgent& agent) const {
    const auto add = [&](const std::vector<RateLimitSource>& limits) {
      for (const RateLimitSource& limit : limits) {
        agent.limits.push_back(limit.limit);
        agent.limits.back().at = document_.place(limit.at);
      }
    };
    for (const uint32_t role : roles) add(document_.roles[role].limits);
    add(source.probation);
  }

  uint32_t role_set(const std::vector<uint32_t>& roles) {
    const auto [known, is_new] =
        role_set_ids_.emplace(roles, static_cast<uint32_t>(out_->role_sets.size()));
    if (!is_new) return known->second;
    RoleSet set;
    set.roles = roles;
    std::vector<uint32_t> rules;
    for (const uint32_t role : roles) {
      rules.insert(rules.end(), rules_of_role_[role].begin(), rules_of_role_[role].end());
      add_guards(document_.roles[role].guards, set.guards);
    }
    std::sort(rules.begin(), rules.end());
    for (const uint32_t rule : rules) {
      (out_->rules[rule].info.report ? set.reporting : set.rules).push_back(rule);
    }
    std::vector<const CompiledSelector*> selectors;
    for (const uint32_t rule : rules) selectors.push_back(&out_->rules[rule].selector);
    std::vector<std::vector<uint32_t>> by_upstream =
        select_by_upstream(selectors, resolution_, *out_);
    set.tables.assign(by_upstream.size(), -1);
    std::map<std::vector<uint32_t>, int32_t> tables;
    for (size_t upstream = 0; upstream < by_upstream.size(); ++upstream) {
      if (by_upstream[upstream].empty()) continue;
      // Upstreams that the same rules cover have one table.
      const auto [table, is_new_table] =
          tables.emplace(by_upstream[upstream], static_cast<int32_t>(out_->tables.size()));
      set.tables[upstream] = table->second;
      if (!is_new_table) continue;
      for (uint32_t& i : by_upstream[upstream]) i = rules[i];
      out_->tables.push_back(rule_table(by_upstream[upstream]));
    }
    out_->role_sets.push_back(std::move(set));
    return known->second;
  }

  RuleTable rule_table(const std::vector<uint32_t>& covering) const {
    std::vector<uint32_t> enforced, reporting, guarding;
    for (const uint32_t index : covering) {
      const CompiledRule& rule = out_->rules[index];
      (rule.info.report ? reporting : enforced).push_back(index);
      if (!rule.info.report && !rule.guards.empty()) guarding.push_back(index);
    }
    RuleTable table;
    std::vector<bool> inspected;
    for (const uint32_t index : enforced) inspected.push_back(reads_names(out_->rules[index].when));
    table.enforced = make_index(std::move(enforced), out_->rules, inspected);
    table.reporting = make_index(std::move(reporting), out_->rules);
    table.guarding = make_index(std::move(guarding), out_->rules);
    return table;
  }

  // Rules whose calls have their arguments guarded. Whether all calls have: those that no rule
  // grants go through in report mode, and the guards of a role are for them, too.
  bool mark_guarded_rules() {
    const auto is_of_arguments = [&](uint32_t guard) {
      return reads_arguments(out_->guards[guard]);
    };
    for (CompiledRule& rule : out_->rules) {
      rule.guards_arguments = std::any_of(rule.guards.begin(), rule.guards.end(), is_of_arguments);
    }
    bool any = false;
    for (const RoleSet& set : out_->role_sets) {
      if (std::none_of(set.guards.begin(), set.guards.end(), is_of_arguments)) continue;
      any = true;
      for (const uint32_t rule : set.rules) out_->rules[rule].guards_arguments = true;
    }
    return any && out_->report;
  }

  void find_body_readers() {
    std::vector<const CompiledSelector*> readers;
    bool everywhere = mark_guarded_rules();
    for (const CompiledRule& rule : out_->rules) {
      if (reads_body(rule)) readers.push_back(&rule.selector);
    }
    for (const CompiledPrice& price : out_->prices) {
      if (selects_bodies(price.selector.kind()) && price.reads_args()) {
        readers.push_back(&price.selector);
      }
    }
    for (const CompiledBudget& budget : out_->budgets) {
      if (!selects_bodies(budget.selector.kind()) || !reads_args(budget.when)) continue;
      readers.push_back(&budget.selector);
      everywhere = everywhere || budget.selector.is_everything();
    }
    out_->reads_body_elsewhere = everywhere;
    for (const std::vector<uint32_t>& covering : select_by_upstream(readers, resolution_, *out_)) {
      out_->reads_body.push_back(everywhere || !covering.empty());
    }
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

  const PolicyDocument& document_;
  const Resolution& resolution_;
  Diagnostics& diagnostics_;
  std::unique_ptr<Compiled> out_ = std::make_unique<Compiled>();
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
