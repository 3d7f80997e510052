// Stage 2, resolve: looks every name up and reports, in one run, all that a policy may not say.
//
// Inheritance is walked with an explicit stack: a policy may chain as many roles as it likes.
// Tested by tests/policy/resolve_test.cc and the files of tests/data/policies/bad.
#include "policy/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "policy/calendar.h"
#include "policy/selector.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

class Resolver {
 public:
  Resolver(const PolicyDocument& document, const Wiring& wiring, Diagnostics& diagnostics)
      : document_(document), wiring_(wiring), diagnostics_(diagnostics) {}

  Resolution run() {
    index_names();
    check_inheritance();
    check_agents();
    check_identities();
    check_rule_ids();
    check_currency();
    check_upstreams();
    for (const BudgetSource& budget : document_.budgets) check_budget(budget);
    check_asks();
    check_guards();
    return std::move(resolution_);
  }

 private:
  void error(const At& at, std::string message) {
    diagnostics_.error(document_.place(at), std::move(message));
  }

  void unknown(const Text& name, std::string_view what, const std::vector<std::string>& known) {
    // Looking through all names for each of very many unknown ones would take minutes.
    constexpr size_t kMostSuggestions = 100;
    const std::string suggestion =
        ++unknown_ > kMostSuggestions ? std::string() : nearest(name.value, known);
    error(name.at, suggestion.empty()
                       ? fmt::format("unknown {} `{}`; define it, or correct the name", what,
                                     shown(name.value))
                       : fmt::format("unknown {} `{}`; did you mean `{}`?", what, shown(name.value),
                                     suggestion));
  }

  template <class Map>
  static std::vector<std::string> names_of(const Map& map) {
    std::vector<std::string> names;
    for (const auto& [name, index] : map) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
  }

  // Within one file a name defined twice is a duplicate key; here it is across files.
  template <class Entry>
  void index(const std::vector<Entry>& entries, std::string_view what,
             std::unordered_map<std::string, uint32_t>& names) {
    for (uint32_t i = 0; i < entries.size(); ++i) {
      const Text& name = entries[i].name;
      const auto [known, is_new] = names.emplace(name.value, i);
      if (is_new || entries[known->second].name.at.file == name.at.file) continue;
      error(name.at,
            fmt::format("{} `{}` is defined twice, first at {}; keep one", what, shown(name.value),
                        to_string(document_.place(entries[known->second].name.at))));
    }
  }

  void index_names() {
    index(document_.agents, "agent", resolution_.agents);
    index(document_.roles, "role", resolution_.roles);
    std::unordered_map<std::string, uint32_t> budgets;
    index(document_.budgets, "budget", budgets);
    index(document_.approvers, "approvers", resolution_.approvers);
    index(document_.guards, "guard", resolution_.guards);
    std::unordered_map<std::string, uint32_t> servers;
    index(document_.servers, "server", servers);
    role_names_ = names_of(resolution_.roles);
    std::unordered_set<std::string> teams;
    for (const AgentSource& agent : document_.agents) {
      if (teams.insert(agent.team).second) resolution_.teams.push_back(agent.team);
    }
  }

  std::optional<uint32_t> role(const std::string& name) const {
    const auto found = resolution_.roles.find(name);
    if (found == resolution_.roles.end()) return std::nullopt;
    return found->second;
  }

  struct Step {
    uint32_t role;
    size_t next = 0;
  };

  // "`a` -> `b` -> ", from `first` on; the middle of a long one is left out.
  std::string cycle_of(const std::vector<Step>& path, uint32_t first) const {
    constexpr size_t kMostShown = 10;
    size_t begin = 0;
    while (path[begin].role != first) ++begin;
    std::string cycle;
    for (size_t i = begin; i < path.size(); ++i) {
      if (path.size() - begin > kMostShown && i == begin + kMostShown / 2) {
        cycle += fmt::format("… {} more … -> ", path.size() - begin - kMostShown);
        i = path.size() - kMostShown / 2;
      }
      cycle += fmt::format("`{}` -> ", shown(document_.roles[path[i].role].name.value));
    }
    return cycle;
  }

  // Depth first; a role that is met while it is still on the path closes a cycle.
  void check_inheritance() {
    enum class Color : uint8_t { kNew, kOnPath, kDone };
    std::vector<Color> colors(document_.roles.size(), Color::kNew);
    for (const RoleSource& source : document_.roles) {
      for (const Text& name : source.inherits) {
        if (!role(name.value)) unknown(name, "role", role_names_);
      }
    }
    for (uint32_t start = 0; start < document_.roles.size(); ++start) {
      if (colors[start] != Color::kNew) continue;
      std::vector<Step> path = {{start}};
      colors[start] = Color::kOnPath;
      while (!path.empty()) {
        Step& step = path.back();
        const std::vector<Text>& inherits = document_.roles[step.role].inherits;
        if (step.next == inherits.size()) {
          colors[step.role] = Color::kDone;
          path.pop_back();
          continue;
        }
        const Text& name = inherits[step.next++];
        const std::optional<uint32_t> parent = role(name.value);
        if (!parent || colors[*parent] == Color::kDone) continue;
        if (colors[*parent] == Color::kOnPath) {
          error(name.at, fmt::format("inheritance cycle {}`{}`; remove one of them",
                                     cycle_of(path, *parent), shown(name.value)));
          continue;
        }
        colors[*parent] = Color::kOnPath;
        path.push_back({*parent});
      }
    }
  }

  void check_agents() {
    for (const AgentSource& agent : document_.agents) {
      std::set<uint32_t> roles;
      std::vector<uint32_t> open;
      for (const Text& name : agent.roles) {
        if (const auto index = role(name.value)) {
          open.push_back(*index);
        } else {
          unknown(name, "role", role_names_);
        }
      }
      while (!open.empty()) {
        const uint32_t next = open.back();
        open.pop_back();
        if (!roles.insert(next).second) continue;
        for (const Text& name : document_.roles[next].inherits) {
          if (const auto index = role(name.value)) open.push_back(*index);
        }
      }
      resolution_.agent_roles.emplace_back(roles.begin(), roles.end());
    }
  }

  void check_identities() {
    struct Owner {
      const AgentSource* agent;
      At at;
    };
    std::unordered_map<std::string, Owner> proofs;
    for (const AgentSource& agent : document_.agents) {
      for (const IdentitySource& identity : agent.identity) {
        const std::string proof = proof_of(identity);
        const auto [known, is_new] = proofs.emplace(proof, Owner{&agent, identity.value.at});
        if (!is_new) {
          error(identity.value.at,
                fmt::format("agent `{}` has the proof of identity of agent `{}` at {}; give each "
                            "its own",
                            shown(agent.name.value), shown(known->second.agent->name.value),
                            to_string(document_.place(known->second.at))));
        }
        if (identity.kind != IdentitySource::Kind::kListener || !wiring_.listeners) continue;
        const auto& listeners = *wiring_.listeners;
        if (std::find(listeners.begin(), listeners.end(), identity.value.value) ==
            listeners.end()) {
          unknown(identity.value, "listener", listeners);
        }
      }
    }
  }

  // Two identities with the same text prove the same caller.
  static std::string proof_of(const IdentitySource& identity) {
    using Kind = IdentitySource::Kind;
    std::string value = identity.value.value;
    switch (identity.kind) {
      case Kind::kTokenSha256:
        std::transform(value.begin(), value.end(), value.begin(), to_lower);
        return "token " + value;
      case Kind::kListener:
        return "listener " + value;
      case Kind::kSpiffe:
        return "spiffe " + value;
      case Kind::kUnixUid:
        return "unix_uid " + value;
      case Kind::kJwt:  // lengths keep the parts apart
        return fmt::format("jwt {}:{} {}:{} {}", identity.issuer.value.size(),
                           identity.issuer.value, identity.audience.value.size(),
                           identity.audience.value, value);
    }
    return value;
  }

  static char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

  // Given ids and those made of role, effect and number share one space of names.
  void check_rule_ids() {
    std::unordered_map<std::string, At> ids;
    for (const bool given : {false, true}) {
      for (const RoleSource& source : document_.roles) {
        for (const RuleSource& rule : source.rules) {
          if (rule.id.empty() == given) continue;
          const std::string id = given ? rule.id.value
                                       : fmt::format("{}.{}[{}]", source.name.value,
                                                     to_string(rule.effect), rule.index);
          const At at = given ? rule.id.at : rule.at;
          const auto [known, is_new] = ids.emplace(id, at);
          if (is_new) continue;
          if (!given) continue;  // its role is defined twice, which is reported
          error(at, fmt::format("rule id `{}` is given twice, first at {}; rename one", shown(id),
                                to_string(document_.place(known->second))));
        }
      }
    }
  }

  void check_one_currency(const std::string& currency, const At& at) {
    if (currency.empty()) return;
    if (resolution_.currency.empty()) {
      resolution_.currency = currency;
    } else if (resolution_.currency != currency) {
      error(at, fmt::format("`{}` in a policy in `{}`; a policy has one currency", currency,
                            resolution_.currency));
    }
  }

  void check_currency() {
    resolution_.currency = document_.currency.value;
    for (const AgentSource& agent : document_.agents) {
      if (agent.budget) check_one_currency(agent.budget->currency, agent.budget->at);
    }
    for (const BudgetSource& budget : document_.budgets) {
      check_one_currency(budget.limit.currency, budget.limit.at);
    }
    for (const PriceSource& price : document_.prices) {
      check_one_currency(price.currency.value, price.currency.at);
    }
    if (resolution_.currency.empty()) resolution_.currency = "USD";
  }

  // Collects exact names; checks them, and globs where `globs_must_match`, if all are known.
  void check_upstreams() {
    std::set<std::string> known;
    const bool is_complete = document_.upstreams || wiring_.upstreams;
    if (document_.upstreams) {
      for (const Text& name : *document_.upstreams) known.insert(name.value);
    }
    if (wiring_.upstreams) known.insert(wiring_.upstreams->begin(), wiring_.upstreams->end());
    const std::vector<std::string> known_names(known.begin(), known.end());
    std::set<std::string> all = known;
    const auto check = [&](const Selector& selector, bool globs_must_match) {
      if (!selector.parts) return;  // it has a fault, which is reported
      check_metered(selector);
      const CompiledSelector compiled(selector, false);
      for (size_t i = 0; i < selector.upstreams.size(); ++i) {
        const Text& upstream = selector.upstreams[i];
        const Pattern& pattern = compiled.upstreams()[i];
        if (pattern.is_exact()) all.emplace(pattern.prefix());
        if (!is_complete || (!pattern.is_exact() && !globs_must_match)) continue;
        const bool found = std::any_of(known.begin(), known.end(),
                                       [&](const std::string& n) { return pattern.matches(n); });
        if (!found) unknown(upstream, "upstream", known_names);
      }
    };
    for (const RoleSource& source : document_.roles) {
      for (const RuleSource& rule : source.rules) {
        check(rule.selector, rule.effect != Effect::kAllow);
      }
    }
    for (const BudgetSource& budget : document_.budgets) check(budget.selector, true);
    for (const PriceSource& price : document_.prices) check(price.selector, true);
    for (const ServerSource& server : document_.servers) {
      all.insert(server.name.value);
      if (is_complete && !known.contains(server.name.value)) {
        unknown(server.name, "upstream", known_names);
      }
    }
    resolution_.upstreams.assign(all.begin(), all.end());
  }

  // Where nothing is metered no call has a model, and a `deny` on one would never match.
  void check_metered(const Selector& selector) {
    if (selector.kind != SelectorKind::kModels || !wiring_.metered || selector.upstreams.empty()) {
      return;
    }
    const CompiledSelector compiled(selector, false);
    const auto covers = [&](const std::string& name) { return compiled.covers_upstream(name); };
    const auto& all = *wiring_.upstreams;
    const auto wired = std::find_if(all.begin(), all.end(), covers);
    if (wired == all.end() ||
        std::any_of(wiring_.metered->begin(), wiring_.metered->end(), covers)) {
      return;
    }
    error(selector.kind_at,
          fmt::format("`models` on upstream `{}`, where no call has a model; write `meter: openai` "
                      "or `meter: anthropic` there in reeve.yaml",
                      shown(*wired)));
  }

  void check_budget(const BudgetSource& budget) {
    using For = BudgetSource::For;
    if (budget.scope == For::kAgent && !resolution_.agents.contains(budget.of.value)) {
      unknown(budget.of, "agent", names_of(resolution_.agents));
    } else if (budget.scope == For::kRole && !resolution_.roles.contains(budget.of.value)) {
      unknown(budget.of, "role", role_names_);
    } else if (budget.scope == For::kTeam) {
      const auto& teams = resolution_.teams;
      if (std::find(teams.begin(), teams.end(), budget.of.value) == teams.end()) {
        const std::string suggestion = nearest(budget.of.value, teams);
        error(budget.of.at,
              fmt::format("no agent is of team `{}`; {}", shown(budget.of.value),
                          suggestion.empty() ? std::string("correct the name")
                                             : fmt::format("did you mean `{}`?", suggestion)));
      }
    }
    if (!budget.zone.empty() && !find_zone(budget.zone.value)) {
      error(budget.zone.at, fmt::format("unknown time zone `{}`; write it as `Europe/Berlin`",
                                        shown(budget.zone.value)));
    }
  }

  void check_group(const AskSource& ask) {
    if (ask.approvers.empty() || resolution_.approvers.contains(ask.approvers.value)) return;
    unknown(ask.approvers, "approvers", names_of(resolution_.approvers));
  }

  void check_asks() {
    for (const RoleSource& role : document_.roles) {
      for (const RuleSource& rule : role.rules) check_group(rule.ask);
    }
    for (const BudgetSource& budget : document_.budgets) {
      if (budget.ask) check_group(*budget.ask);
    }
    for (const GuardSource& guard : document_.guards) check_group(guard.ask);
  }

  void check_guards() {
    const std::vector<std::string> names = names_of(resolution_.guards);
    const auto check = [&](const std::vector<Text>& guards) {
      for (const Text& guard : guards) {
        if (!resolution_.guards.contains(guard.value)) unknown(guard, "guard", names);
      }
    };
    for (const RoleSource& role : document_.roles) {
      check(role.guards);
      for (const RuleSource& rule : role.rules) check(rule.guards);
    }
  }

  const PolicyDocument& document_;
  const Wiring& wiring_;
  Diagnostics& diagnostics_;
  Resolution resolution_;
  size_t unknown_ = 0;  // names
  std::vector<std::string> role_names_;
};

}  // namespace

Resolution resolve(const PolicyDocument& document, const Wiring& wiring, Diagnostics& diagnostics) {
  return Resolver(document, wiring, diagnostics).run();
}

}  // namespace reeve::policy
