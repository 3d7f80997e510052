// Roles and their rules. Tested by tests/policy/parse_test.cc and the files of
// tests/data/policies/bad.
#include <fmt/format.h>

#include "policy/parse_condition.h"
#include "policy/parse_sections.h"
#include "policy/parse_selector.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

void read_rule(FileReader& reader, const yaml::Node& node, Effect effect, uint32_t index,
               RoleSource& role) {
  RuleSource rule;
  rule.at = reader.at(node.mark);
  rule.effect = effect;
  rule.index = index;
  rule.order = reader.document.rules++;
  const Fields fields(reader, node, "rule",
                      {"id", "because", "until", "hidden", "when", "upstream", "tools", "resources",
                       "prompts", "http", "connect", "models", "methods", "except", "mode",
                       "approvers", "within", "guards", "audit"});
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
  if (const Text mode = fields.text("mode"); !mode.empty()) {
    rule.report = read_word(reader, mode, "mode", {"enforce", "report"}) == "report";
    if (rule.report) reader.uses("mode: report on a rule", mark_of(mode));
  }
  if (effect == Effect::kAsk) {
    reader.uses("ask", node.mark);
    rule.ask = read_ask(reader, fields, "an `ask`");
  } else {
    refuse_ask(reader, fields, "write the rule below `ask`, or remove it");
  }
  if (const yaml::Node* guards = fields.find("guards")) {
    rule.guards = read_texts(reader, *guards, "guards");
  }
  if (const Text audit = fields.text("audit"); !audit.empty()) {
    reader.uses("audit", mark_of(audit));
    rule.audit = read_word(reader, audit, "`audit`", {"digest", "redacted", "full"});
  }
  read_selector(reader, fields, UpstreamIs::kRequired, rule.selector);
  const yaml::Node* when = fields.find("when");
  if (when) rule.when = read_condition(reader, *when, rule.selector.kind);
  role.rules.push_back(std::move(rule));  // with a fault, too: its names are looked up in this run
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

}  // namespace

void read_role(FileReader& reader, const yaml::Node::Member& member) {
  RoleSource role;
  role.name = read_name(reader, member, "role");
  const Fields fields(reader, member.value, "role",
                      {"inherits", "allow", "deny", "ask", "limits", "guards"});
  if (fields.valid()) {
    for (const yaml::Node::Member& entry : member.value.members) {
      if (fields.find(entry.key) != &entry.value) continue;
      if (entry.key == "inherits") {
        role.inherits = read_texts(reader, entry.value, "inherits");
      } else if (entry.key == "limits") {
        reader.uses("limits", entry.key_mark);
        role.limits = read_rate_limits(reader, entry.value);
      } else if (entry.key == "guards") {
        role.guards = read_texts(reader, entry.value, "guards");
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

}  // namespace reeve::policy
