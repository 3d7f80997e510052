// Tested by tests/policy/changes_test.cc.
#include "policy/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "policy/outline.h"

namespace reeve::policy {

namespace {

class Comparison {
 public:
  Comparison(const Outline& before, const Outline& after) : before_(before), after_(after) {}

  std::vector<Change> run() {
    compare_settings();
    compare_section("agents", "agent");
    compare_rights();
    for (const auto& [section, subject] : {std::pair{"budgets", "budget"},
                                           {"approvers", "approvers"},
                                           {"guards", "guards"},
                                           {"servers", "server"}}) {
      compare_section(section, subject);
    }
    compare_prices();
    return std::move(changes_);
  }

 private:
  using How = Change::How;

  void compare_settings() {
    std::set<std::string> keys;
    for (const auto* settings : {&before_.settings(), &after_.settings()}) {
      for (const auto& [key, entry] : *settings) keys.insert(key);
    }
    for (const std::string& key : keys) {
      const auto old_entry = before_.settings().find(key);
      const auto new_entry = after_.settings().find(key);
      compare_member("policy", {}, key,
                     old_entry == before_.settings().end() ? nullptr : &old_entry->second,
                     new_entry == after_.settings().end() ? nullptr : &new_entry->second);
    }
  }

  void compare_member(const char* subject, const std::string& name, const std::string& key,
                      const Entry* before, const Entry* after) {
    Change change;
    change.subject = subject;
    change.name = name;
    change.key = key;
    if (before) change.before = yaml::flow_of(*before->node);
    if (after) change.after = yaml::flow_of(*after->node);
    if (change.before == change.after) return;
    change.at = after ? after->at : before->at;
    changes_.push_back(std::move(change));
  }

  void compare_section(const std::string& section, const char* subject) {
    for (const Entry& entry : before_.section(section)) {
      if (!after_.find(section, entry.name)) add_whole(How::kRemoved, subject, entry);
    }
    for (const Entry& entry : after_.section(section)) {
      const Entry* before = before_.find(section, entry.name);
      if (before) {
        compare_entry(subject, *before, entry);
      } else {
        add_whole(How::kAdded, subject, entry);
      }
    }
  }

  void add_whole(How how, const char* subject, const Entry& entry) {
    Change change;
    change.how = how;
    change.subject = subject;
    change.name = entry.name;
    (how == How::kAdded ? change.after : change.before) = yaml::flow_of(*entry.node);
    change.at = entry.at;
    changes_.push_back(std::move(change));
  }

  void compare_entry(const char* subject, const Entry& before, const Entry& after) {
    const auto member = [](const Entry& entry, std::string_view key) -> std::optional<Entry> {
      for (const yaml::Node::Member& member : entry.node->members) {
        if (member.key != key) continue;
        return Entry{member.key, entry.document, &member.value,
                     entry.document->place(member.key_mark)};
      }
      return std::nullopt;
    };
    std::vector<std::string> keys;
    for (const Entry* entry : {&before, &after}) {
      for (const yaml::Node::Member& one : entry->node->members) {
        if (std::find(keys.begin(), keys.end(), one.key) == keys.end()) keys.push_back(one.key);
      }
    }
    for (const std::string& key : keys) {
      const auto old_member = member(before, key);
      const auto new_member = member(after, key);
      compare_member(subject, after.name, key, old_member ? &*old_member : nullptr,
                     new_member ? &*new_member : nullptr);
    }
  }

  // What the roles of each agent come to. Agents with the same roles before and the same after
  // have the same changes.
  void compare_rights() {
    std::map<std::pair<std::set<std::string>, std::set<std::string>>, std::vector<std::string>>
        groups;
    std::set<std::string> held_before, held_after;
    const auto add_agent = [&](const std::string& name) {
      auto before = before_.roles_of(before_.find("agents", name));
      auto after = after_.roles_of(after_.find("agents", name));
      held_before.insert(before.begin(), before.end());
      held_after.insert(after.begin(), after.end());
      groups[{std::move(before), std::move(after)}].push_back(name);
    };
    for (const Entry& agent : after_.section("agents")) add_agent(agent.name);
    for (const Entry& agent : before_.section("agents")) {
      if (!after_.find("agents", agent.name)) add_agent(agent.name);
    }
    for (const auto& [roles, agents] : groups) compare_roles(roles.first, roles.second, agents);
    // Roles that nobody has can be given to somebody.
    std::set<std::string> idle_before, idle_after;
    for (const Entry& role : before_.section("roles")) {
      if (!held_before.contains(role.name)) idle_before.insert(role.name);
    }
    for (const Entry& role : after_.section("roles")) {
      if (!held_after.contains(role.name)) idle_after.insert(role.name);
    }
    compare_roles(idle_before, idle_after, {});
    const size_t first = changes_.size();
    for (auto& [key, change] : rights_) changes_.push_back(std::move(change));
    // Those of the same agents stand together.
    std::sort(changes_.begin() + static_cast<ptrdiff_t>(first), changes_.end(),
              [](const Change& a, const Change& b) {
                return std::tuple(a.agents, a.before + a.after, a.how) <
                       std::tuple(b.agents, b.before + b.after, b.how);
              });
  }

  static std::map<std::string, const Fact*> all_facts(const Outline& source,
                                                      const std::set<std::string>& roles) {
    std::map<std::string, const Fact*> facts;
    for (const std::string& role : roles) {
      for (const Fact& fact : source.facts_of(role)) facts.emplace(fact.text, &fact);
    }
    return facts;
  }

  void compare_roles(const std::set<std::string>& before, const std::set<std::string>& after,
                     const std::vector<std::string>& agents) {
    const auto old_facts = all_facts(before_, before);
    const auto new_facts = all_facts(after_, after);
    for (const auto& [text, fact] : old_facts) {
      if (!new_facts.contains(text)) add_right(How::kRemoved, *fact, agents);
    }
    for (const auto& [text, fact] : new_facts) {
      if (!old_facts.contains(text)) add_right(How::kAdded, *fact, agents);
    }
  }

  void add_right(How how, const Fact& fact, const std::vector<std::string>& agents) {
    Change& change = rights_[{fact.text, how}];
    if (change.subject.empty()) {
      change.how = how;
      change.subject = fact.subject;
      change.rule = fact.rule;
      change.at = fact.at;
      (how == How::kAdded ? change.after : change.before) = fact.text;
    }
    change.agents.insert(change.agents.end(), agents.begin(), agents.end());
  }

  // Prices have no names; one that changed was taken away and another added.
  void compare_prices() {
    std::multiset<std::string> old_texts, new_texts;
    for (const Entry& price : before_.prices()) old_texts.insert(yaml::flow_of(*price.node));
    for (const Entry& price : after_.prices()) new_texts.insert(yaml::flow_of(*price.node));
    const auto add_missing = [&](How how, const std::vector<Entry>& prices,
                                 std::multiset<std::string> others) {
      for (const Entry& price : prices) {
        const auto same = others.find(yaml::flow_of(*price.node));
        if (same == others.end()) {
          add_whole(how, "price", price);
        } else {
          others.erase(same);
        }
      }
    };
    add_missing(How::kRemoved, before_.prices(), new_texts);
    add_missing(How::kAdded, after_.prices(), old_texts);
  }

  const Outline& before_;
  const Outline& after_;
  std::vector<Change> changes_;
  std::map<std::pair<std::string, How>, Change> rights_;
};

}  // namespace

std::string_view to_string(Change::How how) {
  switch (how) {
    case Change::How::kAdded:
      return "added";
    case Change::How::kRemoved:
      return "removed";
    case Change::How::kChanged:
      return "changed";
  }
  return "changed";
}

std::vector<Change> list_changes(std::span<const SourceFile> before,
                                 std::span<const SourceFile> after) {
  const Outline old_source(before);
  const Outline new_source(after);
  return Comparison(old_source, new_source).run();
}

std::unordered_map<std::string, std::string> conditions_of(std::span<const SourceFile> files) {
  std::unordered_map<std::string, std::string> conditions;
  const Outline source(files);
  for (const Entry& role : source.section("roles")) {
    for (const char* effect : kEffects) {
      for (const yaml::Node* rule : rules_of(role.node->find(effect))) {
        const yaml::Node* when = rule->find("when");
        if (!when) continue;
        conditions.emplace(reeve::to_string(role.document->place(rule->mark)),
                           yaml::flow_of(*when));
      }
    }
  }
  return conditions;
}

}  // namespace reeve::policy
