// A policy as its files say it: sections and their entries, and what each role comes to, for what
// compares policies. Internal to the library.
#ifndef REEVE_POLICY_OUTLINE_H_
#define REEVE_POLICY_OUTLINE_H_

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"
#include "policy/yaml.h"

namespace reeve::policy {

// What an agent may, must not or is held to, by one role.
struct Fact {
  std::string subject;  // rule | limit | guard
  std::string text;     // tells facts apart
  std::string rule;
  Place at;
};

// A member of a section, with the document that it stands in.
struct Entry {
  std::string name;
  const yaml::Document* document;
  const yaml::Node* node;
  Place at;
};

inline constexpr const char* kEffects[] = {"deny", "ask", "allow"};

// A scalar, or the items of a list; of an absent node nothing.
std::vector<std::string> texts_of(const yaml::Node* node);
// One rule, or a list of them.
std::vector<const yaml::Node*> rules_of(const yaml::Node* node);

// Owns all texts that its entries look at. Of one thread.
class Outline {
 public:
  // Requires files that load without error.
  explicit Outline(std::span<const SourceFile> files);

  const std::vector<Entry>& section(const std::string& name) const;
  std::vector<std::string> sections() const;  // their names
  const Entry* find(const std::string& section, std::string_view name) const;
  const std::vector<Entry>& prices() const { return prices_; }
  // Of keys that are no section: `mode`, `currency`, …
  const std::map<std::string, Entry>& settings() const { return settings_; }

  // Those that the agent has, inherited ones included; of null none.
  std::set<std::string> roles_of(const Entry* agent) const;
  const std::vector<Fact>& facts_of(const std::string& role) const;

 private:
  void add(const yaml::Document& document, const yaml::Node::Member& member);
  void add_role(const std::string& role, std::set<std::string>& roles) const;

  std::vector<std::unique_ptr<yaml::Document>> documents_;
  std::map<std::string, std::vector<Entry>> sections_;
  std::vector<Entry> prices_;
  std::map<std::string, Entry> settings_;
  mutable std::map<std::string, std::vector<Fact>> facts_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_OUTLINE_H_
