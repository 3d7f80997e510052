// What a policy may say, but hardly means: rules and prices that can never decide, roles without
// agents, agents that deserve a second look. Warnings only; nothing here changes a decision.
//
// "Never" is claimed only where it is plain: one earlier rule without `until` and `when` takes in
// all that a later one selects (shadowing.h). Tested by tests/policy/resolve_test.cc.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <vector>

#include "policy/resolve.h"
#include "policy/selector.h"
#include "policy/shadowing.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

// Comparing each limit with each is quadratic; a role of more than this is not looked at.
constexpr size_t kMostCompared = 2000;

bool have_equal_texts(const std::vector<Text>& a, const std::vector<Text>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Text& x, const Text& y) { return x.value == y.value; });
}

bool select_alike(const Selector& a, const Selector& b) {
  return a.kind == b.kind && have_equal_texts(a.upstreams, b.upstreams) &&
         have_equal_texts(a.patterns, b.patterns) && have_equal_texts(a.except, b.except);
}

class Warner {
 public:
  Warner(const PolicyDocument& document, const Resolution& resolution, const Wiring& wiring,
         Diagnostics& diagnostics)
      : document_(document), resolution_(resolution), wiring_(wiring), diagnostics_(diagnostics) {}

  void run() {
    for (const RoleSource& role : document_.roles) {
      warn_shadowed(role);
      warn_idle_limits(role);
    }
    warn_shadowed_prices();
    if (budget_.is_spent()) {
      diagnostics_.warning({document_.files.front(), 0, 0},
                           "rules are too many and too alike to name all that can never decide; "
                           "split roles or lists of patterns");
    }
    warn_unpriced_budgets();
    warn_unused_roles();
    warn_unused_duties();
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
    std::vector<const RuleSource*> held;  // not to be found yet
    const auto add_held = [&] {
      for (const RuleSource* rule : held) {
        shadowing.add(rule->selector);
        earlier.push_back(rule);
      }
      held.clear();
    };
    for (const RuleSource* rule : rules) {
      // Every ask that matches must be satisfied, so that none stands in another's way.
      if (rule->effect == Effect::kAllow) add_held();
      // One with guards has an effect wherever it matches.
      const auto found = rule->guards.empty() ? shadowing.find(rule->selector) : std::nullopt;
      if (found) {
        const RuleSource& by = *earlier[*found];
        warning(rule->at, fmt::format("rule `{}` can never decide: `{}` at {} always decides "
                                      "before it; remove one",
                                      shown(name_of(role, *rule)), shown(name_of(role, by)),
                                      to_string(document_.place(by.at))));
      } else if (!rule->until && !rule->when && !rule->report) {
        held.push_back(rule);
        if (rule->effect != Effect::kAsk) add_held();
      }
    }
  }

  void warn_shadowed_prices() {
    Shadowing shadowing(budget_);
    std::vector<const PriceSource*> earlier;
    for (const PriceSource& price : document_.prices) {
      const auto found = shadowing.find(price.selector);
      // One that begins later leaves what went before to others.
      const bool is_next =
          price.since && found && select_alike(price.selector, earlier[*found]->selector);
      if (!found || is_next) {
        if (price.when || price.since) continue;
        shadowing.add(price.selector);
        earlier.push_back(&price);
        continue;
      }
      warning(price.at, fmt::format("this price never applies: the one at {} prices all of its "
                                    "calls; move it up or remove it",
                                    to_string(document_.place(earlier[*found]->at))));
    }
  }

  // Within one role the stricter of two limits on the same leaves the other nothing to do.
  void warn_idle_limits(const RoleSource& role) {
    if (role.limits.size() > kMostCompared) return;
    for (const RateLimitSource& idle : role.limits) {
      for (const RateLimitSource& strict : role.limits) {
        const RateLimit& a = idle.limit;
        const RateLimit& b = strict.limit;
        const bool implied = a.kind == b.kind && b.count <= a.count && b.window >= a.window;
        const bool same = a.count == b.count && a.window == b.window;
        if (&idle == &strict || !implied || (same && &idle < &strict)) continue;
        warning(idle.at, fmt::format("limit `{}` can never bind: `{}` at {} {}; remove it", a.text,
                                     b.text, to_string(document_.place(strict.at)),
                                     same ? "says the same" : "is stricter"));
        break;
      }
    }
  }

  // A budget counts money that prices tell: without one on its upstreams it never moves.
  void warn_unpriced_budgets() {
    std::vector<const Selector*> priced;
    for (const PriceSource& price : document_.prices) priced.push_back(&price.selector);
    for (const BudgetSource& budget : document_.budgets) {
      if (budget.limit.unit != Unit::kMoney || is_priced(budget.selector, priced)) continue;
      warning(budget.name.at,
              fmt::format("budget `{}` counts money, and no price is about its calls: it can never "
                          "bind; add `prices`",
                          shown(budget.name.value)));
    }
    for (const AgentSource& agent : document_.agents) {
      if (!agent.budget || agent.budget->unit != Unit::kMoney || !priced.empty()) continue;
      warning(agent.budget->at,
              fmt::format("the budget of agent `{}` counts money, and there is no price: it can "
                          "never bind; add `prices`",
                          shown(agent.name.value)));
    }
  }

  // Whether some price may be about a call of the budget, as far as upstreams and kinds tell.
  static bool is_priced(const Selector& budget, const std::vector<const Selector*>& prices) {
    return std::any_of(prices.begin(), prices.end(), [&](const Selector* price) {
      const bool kinds = budget.kind == SelectorKind::kAll || price->kind == SelectorKind::kAll ||
                         budget.kind == price->kind;
      return kinds && (budget.upstreams.empty() || price->upstreams.empty() ||
                       share_upstream(*budget.parts, *price->parts));
    });
  }

  // Whether both may cover one upstream; two globs count as if they may.
  static bool share_upstream(const SelectorParts& a, const SelectorParts& b) {
    for (const Pattern& x : a.upstreams) {
      for (const Pattern& y : b.upstreams) {
        if (x.is_exact() ? y.matches(x.prefix()) : !y.is_exact() || x.matches(y.prefix())) {
          return true;
        }
      }
    }
    return false;
  }

  // Groups that nobody is asked of, and guards that stand nowhere.
  void warn_unused_duties() {
    std::unordered_set<std::string> asked;
    std::unordered_set<std::string> guarding;
    const auto use = [](std::unordered_set<std::string>& used, const std::vector<Text>& names) {
      for (const Text& name : names) used.insert(name.value);
    };
    for (const RoleSource& role : document_.roles) {
      use(guarding, role.guards);
      for (const RuleSource& rule : role.rules) {
        use(guarding, rule.guards);
        asked.insert(rule.ask.approvers.value);
      }
    }
    for (const BudgetSource& budget : document_.budgets) {
      if (budget.ask) asked.insert(budget.ask->approvers.value);
    }
    for (const GuardSource& guard : document_.guards) {
      asked.insert(guard.ask.approvers.value);
      if (guarding.contains(guard.name.value)) continue;
      warning(guard.name.at, fmt::format("guard `{}` stands on no role and no rule; put it in "
                                         "`guards` of one, or remove it",
                                         shown(guard.name.value)));
    }
    for (const ApproversSource& group : document_.approvers) {
      if (asked.contains(group.name.value)) continue;
      warning(group.name.at, fmt::format("nothing asks the approvers `{}`; name them in an `ask`, "
                                         "or remove them",
                                         shown(group.name.value)));
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
    if (selector.kind == SelectorKind::kAll || selector.kind == SelectorKind::kConnect) return true;
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
