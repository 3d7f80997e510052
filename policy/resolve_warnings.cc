// What a policy may say, but hardly means: rules and prices that can never decide, roles without
// agents, agents that deserve a second look. Warnings only; nothing here changes a decision.
//
// "Never" is claimed only where it is plain: one earlier rule without `until` and `when` takes in
// all that a later one selects (shadowing.h). Tested by tests/policy/resolve_test.cc.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "policy/resolve.h"
#include "policy/selector.h"
#include "policy/shadowing.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

class Warner {
 public:
  Warner(const PolicyDocument& document, const Resolution& resolution, const Wiring& wiring,
         Diagnostics& diagnostics)
      : document_(document), resolution_(resolution), wiring_(wiring), diagnostics_(diagnostics) {}

  void run() {
    for (const RoleSource& role : document_.roles) warn_shadowed(role);
    warn_shadowed_prices();
    if (budget_.is_spent()) {
      diagnostics_.warning({document_.files.front(), 0, 0},
                           "rules are too many and too alike to name all that can never decide; "
                           "split roles or lists of patterns");
    }
    warn_unused_roles();
    for (uint32_t i = 0; i < document_.agents.size(); ++i) warn_agent(i);
    warn_unnamed_upstreams();
  }

 private:
  struct RoleTraits {
    const RuleSource* write = nullptr;  // the first allow that may change something
    bool asks = false;
  };

  void warning(const At& at, std::string message) {
    diagnostics_.warning(document_.place(at), std::move(message));
  }

  static std::string name_of(const RoleSource& role, const RuleSource& rule) {
    return !rule.id.empty()
               ? rule.id.value
               : fmt::format("{}.{}[{}]", role.name.value, to_string(rule.effect), rule.index);
  }

  void warn_shadowed(const RoleSource& role) {
    std::vector<const RuleSource*> rules;
    for (const RuleSource& rule : role.rules) rules.push_back(&rule);
    std::sort(rules.begin(), rules.end(), [](const RuleSource* a, const RuleSource* b) {
      return std::pair(a->effect, a->order) < std::pair(b->effect, b->order);
    });
    Shadowing shadowing(budget_);
    std::vector<const RuleSource*> earlier;
    for (const RuleSource* rule : rules) {
      if (const auto found = shadowing.find(rule->selector)) {
        const RuleSource& by = *earlier[*found];
        warning(rule->at, fmt::format("rule `{}` can never decide: `{}` at {} always decides "
                                      "before it; remove one",
                                      shown(name_of(role, *rule)), shown(name_of(role, by)),
                                      to_string(document_.place(by.at))));
      } else if (!rule->until && !rule->when) {
        shadowing.add(rule->selector);
        earlier.push_back(rule);
      }
    }
  }

  void warn_shadowed_prices() {
    Shadowing shadowing(budget_);
    std::vector<const PriceSource*> earlier;
    for (const PriceSource& price : document_.prices) {
      const auto found = shadowing.find(price.selector);
      if (!found) {
        shadowing.add(price.selector);
        earlier.push_back(&price);
        continue;
      }
      warning(price.at, fmt::format("this price never applies: the one at {} prices all of its "
                                    "calls; move it up or remove it",
                                    to_string(document_.place(earlier[*found]->at))));
    }
  }

  void warn_unused_roles() {
    std::vector<bool> used(document_.roles.size());
    for (const auto& roles : resolution_.agent_roles) {
      for (const uint32_t role : roles) used[role] = true;
    }
    for (uint32_t i = 0; i < document_.roles.size(); ++i) {
      if (used[i]) continue;
      const Text& name = document_.roles[i].name;
      warning(name.at, fmt::format("no agent has role `{}`; give it to one or remove it",
                                   shown(name.value)));
    }
  }

  bool has_budget(const AgentSource& agent, uint32_t index) const {
    using For = BudgetSource::For;
    if (agent.budget) return true;
    return std::any_of(document_.budgets.begin(), document_.budgets.end(),
                       [&](const BudgetSource& budget) {
                         switch (budget.scope) {
                           case For::kAgent:
                             return budget.of.value == agent.name.value;
                           case For::kTeam:
                             return budget.of.value == agent.team;
                           case For::kRole: {
                             const auto& roles = resolution_.agent_roles[index];
                             return std::binary_search(roles.begin(), roles.end(),
                                                       resolution_.roles.at(budget.of.value));
                           }
                           default:
                             return true;
                         }
                       });
  }

  // Whether an allow may change something, as far as the selector tells: an HTTP method that is
  // not safe, tools by a pattern, or everything.
  static bool may_write(const Selector& selector) {
    if (selector.kind == SelectorKind::kAll) return true;
    const CompiledSelector compiled(selector, true);
    for (const TargetPattern& pattern : compiled.patterns()) {
      if (selector.kind == SelectorKind::kTools && !pattern.pattern().is_exact()) return true;
      constexpr uint16_t kSafe = 0x43;  // GET, HEAD, OPTIONS
      if (selector.kind == SelectorKind::kHttp && (pattern.methods() & ~kSafe)) return true;
    }
    return false;
  }

  // Looked at once, however many agents have the role.
  const RoleTraits& traits_of(uint32_t role) {
    traits_.resize(document_.roles.size());
    if (!traits_[role]) {
      RoleTraits& traits = traits_[role].emplace();
      for (const RuleSource& rule : document_.roles[role].rules) {
        traits.asks = traits.asks || rule.effect == Effect::kAsk;
        if (rule.effect != Effect::kAllow || traits.write) continue;
        if (may_write(rule.selector)) traits.write = &rule;
      }
    }
    return *traits_[role];
  }

  void warn_agent(uint32_t index) {
    const AgentSource& agent = document_.agents[index];
    if (agent.status == "retired") return;
    const std::string name = shown(agent.name.value);
    if (agent.expires.empty()) {
      warning(agent.name.at, fmt::format("agent `{}` never expires; add `expires`", name));
    }
    if (agent.identity.empty()) {
      warning(agent.name.at, fmt::format("agent `{}` has no identity and can never call; add "
                                         "`identity`",
                                         name));
    }
    if (agent.risk != "high") return;
    if (!has_budget(agent, index)) {
      warning(agent.name.at,
              fmt::format("agent `{}` is of high risk and has no budget; add one", name));
    }
    const RuleSource* write = nullptr;
    bool asks = false;
    for (const uint32_t role : resolution_.agent_roles[index]) {
      const RoleTraits& traits = traits_of(role);
      asks = asks || traits.asks;
      if (!write) write = traits.write;
    }
    if (write && !asks) {
      warning(agent.name.at,
              fmt::format("agent `{}` is of high risk and may write by the rule at {}, without "
                          "`ask`; narrow the rule",
                          name, to_string(document_.place(write->at))));
    }
  }

  void warn_unnamed_upstreams() {
    if (!wiring_.upstreams) return;
    std::vector<Pattern> named;
    for (const RoleSource& role : document_.roles) {
      for (const RuleSource& rule : role.rules) {
        for (const Text& text : rule.selector.upstreams) {
          named.push_back(*Pattern::compile(text.value));
        }
      }
    }
    for (const std::string& upstream : *wiring_.upstreams) {
      const bool found = std::any_of(named.begin(), named.end(),
                                     [&](const Pattern& p) { return p.matches(upstream); });
      if (found || document_.files.empty()) continue;
      diagnostics_.warning(
          {document_.files.front(), 0, 0},
          fmt::format("no rule names the upstream `{}`; nobody can use it", shown(upstream)));
    }
  }

  const PolicyDocument& document_;
  const Resolution& resolution_;
  const Wiring& wiring_;
  Diagnostics& diagnostics_;
  SearchBudget budget_;  // of all searches of this policy
  std::vector<std::optional<RoleTraits>> traits_;
};

}  // namespace

void warn(const PolicyDocument& document, const Resolution& resolution, const Wiring& wiring,
          Diagnostics& diagnostics) {
  Warner(document, resolution, wiring, diagnostics).run();
}

}  // namespace reeve::policy
