// See outline.h. Works on the YAML trees, so that every key of the language counts, also one that
// is added later. Tested by tests/policy/changes_test.cc.
#include "policy/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace reeve::policy {

namespace {

constexpr const char* kSelectors[] = {"tools",   "resources", "prompts", "http",
                                      "connect", "models",    "methods"};

bool is_selector(std::string_view key) {
  return std::find(std::begin(kSelectors), std::end(kSelectors), key) != std::end(kSelectors);
}

// A fact for each upstream and pattern, so that a list that grew shows what was added.
void read_rule(const Entry& role, const char* effect, size_t index, const yaml::Node& rule,
               std::vector<Fact>& facts) {
  std::vector<std::string> upstreams = texts_of(rule.find("upstream"));
  if (upstreams.empty()) upstreams.push_back("-");  // tunnels
  std::vector<std::string> patterns;
  std::map<std::string, std::string> rest;  // by key
  std::string id;
  for (const yaml::Node::Member& member : rule.members) {
    const std::string key = member.key;
    if (key == "id") {
      id = member.value.text;
    } else if (is_selector(key)) {
      for (const std::string& text : texts_of(&member.value)) patterns.push_back(key + " " + text);
    } else if (key != "upstream") {
      rest.emplace(key, yaml::flow_of(member.value));
    }
  }
  if (patterns.empty()) patterns.push_back("everything");
  if (id.empty()) id = fmt::format("{}.{}[{}]", role.name, effect, index);
  std::string terms;
  for (const auto& [key, value] : rest) terms += fmt::format(" {} {}", key, value);
  for (const std::string& upstream : upstreams) {
    for (const std::string& pattern : patterns) {
      facts.push_back({"rule", fmt::format("{} {} {}{}", effect, upstream, pattern, terms), id,
                       role.document->place(rule.mark)});
    }
  }
}

void read_role(const Entry& role, std::vector<Fact>& facts) {
  for (const char* effect : kEffects) {
    size_t index = 0;
    for (const yaml::Node* rule : rules_of(role.node->find(effect))) {
      read_rule(role, effect, index++, *rule, facts);
    }
  }
  for (const auto& [key, subject] : {std::pair{"limits", "limit"}, {"guards", "guard"}}) {
    for (const std::string& text : texts_of(role.node->find(key))) {
      facts.push_back({subject, fmt::format("{} {}", subject, text), {}, role.at});
    }
  }
}

}  // namespace

std::vector<std::string> texts_of(const yaml::Node* node) {
  std::vector<std::string> texts;
  if (!node) return texts;
  if (node->is_scalar()) texts.push_back(node->text);
  for (const yaml::Node& item : node->items) texts.push_back(item.text);
  return texts;
}

std::vector<const yaml::Node*> rules_of(const yaml::Node* node) {
  std::vector<const yaml::Node*> rules;
  if (!node) return rules;
  if (node->is_mapping()) rules.push_back(node);
  for (const yaml::Node& item : node->items) rules.push_back(&item);
  return rules;
}

Outline::Outline(std::span<const SourceFile> files) {
  Diagnostics none;  // the files load
  for (const SourceFile& file : files) {
    auto document = yaml::parse(file.text, file.name, none);
    if (!document) continue;
    for (const yaml::Node::Member& member : document->root.members) add(*document, member);
    documents_.push_back(std::move(document));
  }
}

const std::vector<Entry>& Outline::section(const std::string& name) const {
  static const std::vector<Entry> kNone;
  const auto found = sections_.find(name);
  return found == sections_.end() ? kNone : found->second;
}

std::vector<std::string> Outline::sections() const {
  std::vector<std::string> names;
  for (const auto& [name, entries] : sections_) names.push_back(name);
  return names;
}

const Entry* Outline::find(const std::string& section, std::string_view name) const {
  for (const Entry& entry : this->section(section)) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::set<std::string> Outline::roles_of(const Entry* agent) const {
  std::set<std::string> roles;
  if (!agent) return roles;
  for (const std::string& role : texts_of(agent->node->find("roles"))) add_role(role, roles);
  return roles;
}

const std::vector<Fact>& Outline::facts_of(const std::string& role) const {
  const auto [known, is_new] = facts_.try_emplace(role);
  if (is_new) {
    if (const Entry* entry = find("roles", role)) read_role(*entry, known->second);
  }
  return known->second;
}

void Outline::add(const yaml::Document& document, const yaml::Node::Member& member) {
  const std::string key = member.key;
  if (key == "prices") {
    for (const yaml::Node& item : member.value.items) {
      prices_.push_back({{}, &document, &item, document.place(item.mark)});
    }
  } else if (member.value.is_mapping()) {
    for (const yaml::Node::Member& entry : member.value.members) {
      sections_[key].push_back(
          {entry.key, &document, &entry.value, document.place(entry.key_mark)});
    }
  } else if (key != "version") {
    settings_.insert_or_assign(
        key, Entry{key, &document, &member.value, document.place(member.key_mark)});
  }
}

void Outline::add_role(const std::string& role, std::set<std::string>& roles) const {
  if (!roles.insert(role).second) return;
  const Entry* entry = find("roles", role);
  if (!entry) return;
  for (const std::string& parent : texts_of(entry->node->find("inherits"))) {
    add_role(parent, roles);
  }
}

}  // namespace reeve::policy
