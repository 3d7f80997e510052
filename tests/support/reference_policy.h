// The oracle: policies as plain structs, decided by walking everything, slowly and obviously.
//
// Shares no code with policy/: globs are matched by recursion over characters, roles by following
// names. write_yaml() gives the same policy as text, for the real one. Random policies use few
// names, so that rules meet often.
#ifndef REEVE_TESTS_SUPPORT_REFERENCE_POLICY_H_
#define REEVE_TESTS_SUPPORT_REFERENCE_POLICY_H_

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::reference {

struct Rule {
  std::string effect;  // deny | allow
  std::vector<std::string> upstreams;
  std::string kind;  // "" | tools | http | resources | prompts | methods
  std::vector<std::string> patterns;
  std::vector<std::string> except;
  std::string id;
};

struct Role {
  std::vector<std::string> inherits;
  std::vector<Rule> rules;
};

struct Call {
  std::string upstream;
  std::string kind;
  std::string method;  // of http
  std::string target;
};

struct Policy {
  std::vector<std::pair<std::string, Role>> roles;                       // in file order
  std::vector<std::pair<std::string, std::vector<std::string>>> agents;  // and their roles
};

inline bool match_text(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return match_text(pattern.substr(1), text) ||
           (!text.empty() && match_text(pattern, text.substr(1)));
  }
  if (text.empty()) return false;
  return (pattern[0] == '?' || pattern[0] == text[0]) &&
         match_text(pattern.substr(1), text.substr(1));
}

inline std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> result;
  std::string current;
  for (const char c : path.substr(1)) {
    if (c == '/') {
      result.push_back(current);
      current.clear();
    } else {
      current += c;
    }
  }
  if (path.size() > 1) result.push_back(current);
  return result;
}

inline bool match_segments(const std::vector<std::string>& pattern, size_t p,
                           const std::vector<std::string>& path, size_t s) {
  if (p == pattern.size()) return s == path.size();
  if (pattern[p] == "**") {
    return match_segments(pattern, p + 1, path, s) ||
           (s < path.size() && match_segments(pattern, p, path, s + 1));
  }
  return s < path.size() && match_text(pattern[p], path[s]) &&
         match_segments(pattern, p + 1, path, s + 1);
}

inline bool match_pattern(const Call& call, const std::string& pattern) {
  if (call.kind != "http") return match_text(pattern, call.target);
  const size_t space = pattern.find(' ');
  const std::string methods = "," + pattern.substr(0, space) + ",";
  if (methods != ",*," && methods.find("," + call.method + ",") == std::string::npos) return false;
  return match_segments(segments(pattern.substr(space + 1)), 0, segments(call.target), 0);
}

inline bool selects(const Rule& rule, const Call& call) {
  const auto any = [&](const std::vector<std::string>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& p) { return match_pattern(call, p); });
  };
  const bool upstream = std::any_of(rule.upstreams.begin(), rule.upstreams.end(),
                                    [&](const auto& u) { return match_text(u, call.upstream); });
  if (!upstream) return false;
  if (rule.kind.empty()) return true;
  return rule.kind == call.kind && any(rule.patterns) && !any(rule.except);
}

inline void add_roles(const Policy& policy, const std::string& name, std::set<std::string>& roles) {
  if (!roles.insert(name).second) return;
  for (const auto& [known, role] : policy.roles) {
    if (known != name) continue;
    for (const std::string& parent : role.inherits) add_roles(policy, parent, roles);
  }
}

// `deny ID`, `allow ID` or `deny` by default.
inline std::string decide(const Policy& policy, size_t agent, const Call& call) {
  std::set<std::string> roles;
  for (const std::string& role : policy.agents[agent].second) add_roles(policy, role, roles);
  for (const char* effect : {"deny", "allow"}) {
    for (const auto& [name, role] : policy.roles) {
      if (!roles.contains(name)) continue;
      for (const Rule& rule : role.rules) {
        if (rule.effect == effect && selects(rule, call)) return rule.effect + " " + rule.id;
      }
    }
  }
  return "deny";
}

inline std::string write_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? ", '" : "'") + text + "'";
  return out + "]";
}

inline std::string write_yaml(const Policy& policy) {
  std::string out = "version: 1\nagents:\n";
  for (const auto& [name, roles] : policy.agents) {
    out += "  " + name + ": {owner: o, purpose: p, team: t";
    if (!roles.empty()) out += ", roles: " + write_list(roles);
    out += "}\n";
  }
  out += "roles:\n";
  for (const auto& [name, role] : policy.roles) {
    out += "  " + name + ":\n";
    if (role.inherits.empty() && role.rules.empty()) out.back() = ' ', out += "{}\n";
    if (!role.inherits.empty()) out += "    inherits: " + write_list(role.inherits) + "\n";
    for (const char* effect : {"allow", "deny"}) {
      bool first = true;
      for (const Rule& rule : role.rules) {
        if (rule.effect != effect) continue;
        if (first) out += "    " + rule.effect + ":\n";
        first = false;
        out += "      - {id: " + rule.id + ", upstream: " + write_list(rule.upstreams);
        if (!rule.kind.empty()) out += ", " + rule.kind + ": " + write_list(rule.patterns);
        if (!rule.except.empty()) out += ", except: " + write_list(rule.except);
        out += "}\n";
      }
    }
  }
  return out;
}

// Policies and calls by seed.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Policy policy() {
    Policy result;
    const size_t roles = 1 + next(5);
    int id = 0;
    for (size_t i = 0; i < roles; ++i) {
      Role role;
      // Earlier roles only, so that there is no cycle.
      for (size_t j = 0; j < i; ++j) {
        if (next(4) == 0) role.inherits.push_back("r" + std::to_string(j));
      }
      for (const char* effect : {"allow", "deny"}) {
        const size_t rules = next(effect == std::string("deny") ? 3 : 6);
        for (size_t j = 0; j < rules; ++j) {
          role.rules.push_back(rule(effect, "x" + std::to_string(id++)));
        }
      }
      result.roles.emplace_back("r" + std::to_string(i), std::move(role));
    }
    for (size_t i = 0; i < 3; ++i) {
      std::vector<std::string> has;
      for (size_t j = 0; j < roles; ++j) {
        if (next(2) == 0) has.push_back("r" + std::to_string(j));
      }
      result.agents.emplace_back("a" + std::to_string(i), has);
    }
    return result;
  }

  Call call() {
    Call result;
    result.upstream = one({"u", "v", "uv", "w", "unheard"});
    result.kind = one({"tools", "tools", "http", "http", "resources", "prompts"});
    const bool http = result.kind == "http";
    if (http) result.method = one({"GET", "HEAD", "POST", "BREW"});
    const size_t parts = next(4);
    for (size_t i = 0; i < parts; ++i) {
      result.target += http ? "/" : i > 0 ? "." : "";
      result.target += one({"a", "b", "ab", "ba", "abc"});
    }
    if (result.target.empty()) result.target = http ? "/" : "a";
    return result;
  }

  size_t next(size_t below) { return random_() % below; }

 private:
  std::string one(std::initializer_list<const char*> of) { return *(of.begin() + next(of.size())); }

  std::string pattern(bool http) {
    std::string text = http ? one({"GET", "GET,HEAD", "*", "POST", "BREW", "GET,BREW"}) + " " : "";
    const size_t parts = 1 + next(3);
    for (size_t i = 0; i < parts; ++i) {
      text += http ? "/" : i > 0 ? "." : "";
      text += one({"a", "b", "ab", "*", "a*", "*b", "?", "a?*", "**"});
    }
    return text;
  }

  Rule rule(std::string effect, std::string id) {
    Rule result;
    result.effect = std::move(effect);
    result.id = std::move(id);
    result.upstreams.push_back(one({"u", "v", "u*", "*", "uv", "w"}));
    if (next(4) == 0) result.upstreams.push_back(one({"u", "v"}));
    result.kind = one({"", "tools", "tools", "http", "http", "resources", "prompts"});
    if (result.kind.empty()) return result;
    const bool http = result.kind == "http";
    const size_t patterns = 1 + next(3);
    for (size_t i = 0; i < patterns; ++i) result.patterns.push_back(pattern(http));
    if (next(4) == 0) result.except.push_back(pattern(http));
    return result;
  }

  std::mt19937 random_;
};

}  // namespace reeve::reference

#endif  // REEVE_TESTS_SUPPORT_REFERENCE_POLICY_H_
