// check_against_locks() of pin.h: rules beside what servers really have. Tested by
// tests/proxy/pin_test.cc.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "policy/compiled.h"
#include "policy/text.h"
#include "proxy/mcp/pin.h"

namespace reeve::mcp {

namespace {

using policy::CompiledRule;
using policy::CompiledSelector;
using policy::SelectorKind;

// Whether a schema may have a value at these steps: false only where it plainly has none.
bool may_have(const json::Value& schema, const policy::Step* step, const policy::Step* end) {
  if (step == end || !schema.is_object()) return true;
  for (const std::string_view key :
       {"$ref", "anyOf", "oneOf", "allOf", "if", "patternProperties"}) {
    if (schema.find(key)) return true;
  }
  if (const auto more = schema.find("additionalProperties");
      more && (more->is_object() || more->type() == json::Type::kTrue)) {
    return true;
  }
  const auto items = schema.find("items");
  if (items && (step->every || step->index) && may_have(*items, step + 1, end)) return true;
  const auto properties = schema.find("properties");
  if (!properties || !properties->is_object()) return !items;  // it says nothing of them
  if (step->every) return false;
  const auto next = properties->find(step->key);
  return next && may_have(*next, step + 1, end);
}

class Checker {
 public:
  Checker(const policy::PolicySet& policy, const std::vector<LockOf>& locks,
          Diagnostics& diagnostics)
      : policy_(policy), locks_(locks), diagnostics_(diagnostics) {}

  void run() {
    for (const CompiledRule& rule : policy_.compiled().rules) {
      check(rule.selector, rule.pattern_texts, rule.when.get(), rule.info.at, rule.info.id);
    }
    for (const policy::ServerInfo& server : policy_.compiled().servers) check_dispatch(server);
  }

 private:
  // The locks of the upstreams that the selector covers; nothing where one has none.
  std::optional<std::vector<const LockOf*>> locks_of(const CompiledSelector& selector) const {
    std::vector<const LockOf*> covered;
    for (const policy::Pattern& pattern : selector.upstreams()) {
      bool found = false;
      for (const LockOf& lock : locks_) {
        if (!pattern.matches(lock.upstream)) continue;
        covered.push_back(&lock);
        found = true;
      }
      if (!pattern.is_exact()) {  // upstreams that it covers and that are known elsewhere
        for (const auto& [name, id] : policy_.compiled().upstream_ids) {
          if (pattern.matches(name) && !lock_of(name)) return std::nullopt;
        }
      } else if (!found) {
        return std::nullopt;
      }
    }
    if (covered.empty()) return std::nullopt;
    return covered;
  }

  const LockOf* lock_of(std::string_view upstream) const {
    const auto found = std::find_if(locks_.begin(), locks_.end(),
                                    [&](const LockOf& lock) { return lock.upstream == upstream; });
    return found == locks_.end() ? nullptr : &*found;
  }

  static std::string names_of(const std::vector<const LockOf*>& locks) {
    std::string names;
    for (const LockOf* lock : locks) names += (names.empty() ? "`" : ", `") + lock->upstream + "`";
    return names;
  }

  void warn_of_tool(const Place& at, std::string_view what, const std::string& tool,
                    const std::vector<const LockOf*>& locks) {
    std::vector<std::string> known;
    for (const LockOf* lock : locks) {
      for (const PinnedTool& entry : lock->lock->tools) known.push_back(entry.name);
    }
    const std::string near = nearest(tool, known);
    diagnostics_.warning(
        at, fmt::format("{} names tool `{}`, which the lock of {} does not have{}", what,
                        policy::shown(tool), names_of(locks),
                        near.empty() ? "; remove it, or run `reeve pin`"
                                     : fmt::format("; did you mean `{}`?", policy::shown(near))));
  }

  void check(const CompiledSelector& selector, const std::vector<std::string>& texts,
             const policy::Condition* when, const Place& at, const std::string& id) {
    if (selector.kind() != SelectorKind::kTools) return;
    const auto locks = locks_of(selector);
    if (!locks) return;
    const std::string what = fmt::format("rule `{}`", id);
    for (size_t i = 0; i < selector.patterns().size() && i < texts.size(); ++i) {
      const policy::Pattern& pattern = selector.patterns()[i].pattern();
      const bool found = std::any_of(locks->begin(), locks->end(), [&](const LockOf* lock) {
        return std::any_of(lock->lock->tools.begin(), lock->lock->tools.end(),
                           [&](const PinnedTool& tool) { return pattern.matches(tool.name); });
      });
      if (!found) warn_of_tool(at, what, texts[i], *locks);
    }
    if (when) check_arguments(selector, *when, *locks, at, what);
  }

  void check_arguments(const CompiledSelector& selector, const policy::Condition& when,
                       const std::vector<const LockOf*>& locks, const Place& at,
                       const std::string& what) {
    for (const policy::Condition::Part& part : when.parts()) {
      if (part.value.root != policy::ValueRef::Root::kArgs) continue;
      bool selected = false;
      bool found = false;
      for (const LockOf* lock : locks) {
        for (const PinnedTool& tool : lock->lock->tools) {
          policy::Call call;
          call.upstream = lock->upstream;
          call.kind = policy::Kind::kTool;
          call.action = "tools/call";
          call.target = tool.name;
          if (!selector.matches(call)) continue;
          selected = true;
          found = found || takes(tool, part.value);
        }
      }
      if (selected && !found) {
        diagnostics_.warning(
            at, fmt::format("{} reads `{}`, which no tool that it selects takes by the lock of {}; "
                            "correct it, or run `reeve pin`",
                            what, part.value.text, names_of(locks)));
      }
    }
  }

  static bool takes(const PinnedTool& tool, const policy::ValueRef& value) {
    const std::string& schema = tool.part(PinPart::kInputSchema);
    if (schema.empty()) return true;
    json::Parser parser;
    const policy::Step* const first = value.steps.data();
    return may_have(*parser.parse(schema), first, first + value.steps.size());
  }

  void check_dispatch(const policy::ServerInfo& server) {
    const LockOf* const lock = lock_of(server.upstream);
    if (!lock) return;
    for (const policy::DispatchInfo& dispatch : server.dispatch) {
      const PinnedTool* const tool = lock->lock->find(dispatch.tool);
      if (!tool) {
        warn_of_tool(server.at, "`dispatch`", dispatch.tool, {lock});
        continue;
      }
      for (const policy::ValueRef* value : {&dispatch.inner_tool, &dispatch.inner_args}) {
        if (value->steps.empty() || takes(*tool, *value)) continue;
        diagnostics_.warning(
            server.at, fmt::format("`dispatch` of `{}` reads `{}`, which it does not take by the "
                                   "lock of `{}`; correct it, or run `reeve pin`",
                                   dispatch.tool, value->text, lock->upstream));
      }
    }
  }

  const policy::PolicySet& policy_;
  const std::vector<LockOf>& locks_;
  Diagnostics& diagnostics_;
};

}  // namespace

void check_against_locks(const policy::PolicySet& policy, const std::vector<LockOf>& locks,
                         Diagnostics& diagnostics) {
  if (!locks.empty()) Checker(policy, locks, diagnostics).run();
}

}  // namespace reeve::mcp
