// The tightest policy, written as YAML. A rule that granted several kinds of calls, or other things
// on other upstreams, becomes several. Tested by tests/policy/usage_test.cc.
#include <fmt/format.h>

#include <algorithm>

#include "policy/outline.h"
#include "policy/selector.h"
#include "policy/usage.h"

namespace reeve::policy {

namespace {

constexpr size_t kMostPatterns = 50;
constexpr size_t kLongestRecorded = 1000;  // the record cuts targets at about 1 KiB

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// The text as a pattern that matches it alone.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("*?[]{}\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty() && path.front() == '/') {
    const size_t end = std::min(path.find('/', 1), path.size());
    segments.push_back(path.substr(1, end - 1));
    path.remove_prefix(end);
  }
  return segments;
}

// What a path has many of: numbers, UUIDs, hashes, names with a number of three digits or more.
bool looks_like_id(std::string_view segment) {
  const auto count = [&](auto matches) {
    return static_cast<size_t>(std::count_if(segment.begin(), segment.end(), matches));
  };
  const size_t digits = count([](char c) { return c >= '0' && c <= '9'; });
  const size_t hex = count([](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '-';
  });
  return digits > 0 && (digits == segment.size() || digits >= 3 ||
                        (segment.size() >= 8 && hex == segment.size()));
}

// The path as a pattern within `pattern`, which matched it: literal where that is, with its own
// wildcards, and below a final `**` with `*` for what looks like an id. An empty `pattern`
// stands for all paths.
std::string shape_of(std::string_view path, std::string_view pattern) {
  const auto wanted = segments_of(pattern);
  const auto any = std::find(wanted.begin(), wanted.end(), "**");
  const auto segments = segments_of(path);
  const auto fixed = static_cast<size_t>(any - wanted.begin());
  const bool is_plain = pattern.empty() || any == wanted.end() || any + 1 == wanted.end();
  if (!is_plain || segments.size() < fixed) return escaped(path);
  std::string shape;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool own = i < fixed && wanted[i].find_first_of("*?") != std::string_view::npos;
    const bool free = i >= fixed && (pattern.empty() || any != wanted.end());
    shape += '/';
    if (own) {
      shape += wanted[i];
    } else {
      shape += free && looks_like_id(segments[i]) ? "*" : escaped(segments[i]);
    }
  }
  return shape.empty() ? "/" : shape;
}

// `METHODS PATTERN` in two; an expression has no path that could be taken apart.
std::string_view path_of(std::string_view http) {
  const size_t space = http.find(' ');
  if (http.starts_with("re:") || space == http.npos) return {};
  const std::string_view path = http.substr(http.find_first_not_of(' ', space));
  return path.starts_with("re:") ? std::string_view{} : path;
}

using Patterns = std::vector<std::string>;

// The members of a rule.
struct RuleParts {
  std::string id;        // empty: none
  std::string selector;  // its key; empty: none
  Patterns patterns;
  std::vector<std::pair<std::string, std::string>> rest;  // others but `upstream`: key and value
  bool has_when = false;
};

RuleParts parts_of(const yaml::Node& rule) {
  constexpr std::string_view kKeys[] = {"tools",   "resources", "prompts", "http",
                                        "connect", "models",    "methods"};
  RuleParts parts;
  for (const yaml::Node::Member& member : rule.members) {
    if (std::find(std::begin(kKeys), std::end(kKeys), member.key) != std::end(kKeys)) {
      parts.selector = member.key;
      parts.patterns = texts_of(&member.value);
    } else if (member.key == "id") {
      parts.id = member.value.text;
    } else if (member.key != "upstream") {
      parts.rest.emplace_back(member.key, yaml::flow_of(member.value));
    }
  }
  parts.has_when = rule.find("when") != nullptr;
  return parts;
}

class Tightener {
 public:
  Tightener(const RuleParts& parts, const GrantUse& use) : parts_(parts), use_(use) {}

  // One rule a line.
  std::vector<std::string> run() {
    // A condition may be about values that calls of one kind alone do not have.
    if (parts_.selector.empty() && parts_.has_when) return {of_upstreams_alone()};
    // What upstreams have in common stands in one rule.
    std::map<std::pair<SelectorKind, Patterns>, Patterns> upstreams;
    for (const auto& [where, targets] : use_.by_upstream) {
      const auto& [upstream, kind] = where;
      if (kind == SelectorKind::kMethods && !is_needed(upstream, targets)) continue;
      upstreams[{kind, patterns_for(kind, targets)}].push_back(upstream);
    }
    std::vector<std::string> rules;
    for (const auto& [what, names] : upstreams) {
      rules.push_back(write(what.first, what.second, names, rules.size()));
    }
    return rules;
  }

 private:
  std::string of_upstreams_alone() const {
    std::set<std::string> names;
    for (const auto& [where, targets] : use_.by_upstream) names.insert(where.first);
    return write(SelectorKind::kAll, {}, {names.begin(), names.end()}, 0);
  }

  // Housekeeping needs a grant of its own only where nothing else is granted.
  bool is_needed(const std::string& upstream, const GrantUse::Targets& targets) const {
    const bool own = std::any_of(targets.seen.begin(), targets.seen.end(),
                                 [](const auto& one) { return !is_housekeeping(one.first); });
    const bool alone =
        std::none_of(use_.by_upstream.begin(), use_.by_upstream.end(), [&](const auto& other) {
          return other.first.first == upstream && other.first.second != SelectorKind::kMethods;
        });
    return own || alone || targets.too_many;
  }

  // Those of the rule that selected something, or all that the kind has.
  Patterns as_before(SelectorKind kind) const {
    Patterns used;
    for (size_t i = 0; i < parts_.patterns.size(); ++i) {
      if (use_.patterns[i]) used.push_back(parts_.patterns[i]);
    }
    if (used.empty()) used.push_back(kind == SelectorKind::kHttp ? "* /**" : "*");
    return used;
  }

  Patterns patterns_for(SelectorKind kind, const GrantUse::Targets& targets) const {
    const bool cannot_tell =
        targets.too_many ||
        std::any_of(targets.seen.begin(), targets.seen.end(), [](const auto& one) {
          return one.first.size() >= kLongestRecorded || one.first.starts_with("re:");
        });
    if (cannot_tell) return as_before(kind);
    const Patterns patterns =
        kind == SelectorKind::kHttp ? http_patterns(targets) : exact_patterns(targets);
    return patterns.size() > kMostPatterns ? as_before(kind) : patterns;
  }

  static Patterns exact_patterns(const GrantUse::Targets& targets) {
    Patterns patterns;
    for (const auto& [target, method] : targets.seen) patterns.push_back(escaped(target));
    return patterns;
  }

  Patterns http_patterns(const GrantUse::Targets& targets) const {
    std::map<std::string, std::set<std::string>> methods;  // by shape
    for (const auto& [path, method] : targets.seen) {
      methods[shape_of(path, pattern_that_matched(path, method))].insert(method);
    }
    Patterns patterns;
    for (const auto& [shape, of_shape] : methods) {
      patterns.push_back(fmt::format("{} {}", fmt::join(of_shape, ","), shape));
    }
    return patterns;
  }

  // Its path; of a rule without a selector, all paths. An expression tells nothing: `/**/x`, under
  // which a path stands as it is.
  std::string_view pattern_that_matched(const std::string& path, const std::string& method) const {
    if (parts_.selector != "http") return {};
    Call call;
    call.kind = Kind::kHttp;
    call.action = method;
    call.target = path;
    for (const std::string& text : parts_.patterns) {
      const auto pattern = TargetPattern::compile(SelectorKind::kHttp, text);
      if (!pattern || !pattern->matches(call)) continue;
      const std::string_view found = path_of(text);
      return found.empty() ? "/**/x" : found;
    }
    return "/**/x";
  }

  std::string write(SelectorKind kind, const Patterns& patterns, const Patterns& upstreams,
                    size_t number) const {
    std::string rule = "{";
    const auto member = [&](std::string_view key, std::string_view value) {
      rule += fmt::format("{}{}: {}", rule.size() > 1 ? ", " : "", key, value);
    };
    const auto list = [](const Patterns& texts) {
      std::string out = "[";
      for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + quoted(text);
      return out + "]";
    };
    if (!parts_.id.empty()) {
      member("id", quoted(number == 0 ? parts_.id : fmt::format("{}-{}", parts_.id, number + 1)));
    }
    for (const auto& [key, value] : parts_.rest) {
      if (key != "except" || to_string(kind) == parts_.selector) member(key, value);
    }
    if (kind != SelectorKind::kConnect) member("upstream", list(upstreams));
    if (kind != SelectorKind::kAll) member(to_string(kind), list(patterns));
    return rule + "}";
  }

  const RuleParts& parts_;
  const GrantUse& use_;
};

void write_role(const Entry& role, const Usage& usage, std::string& out) {
  out += fmt::format("  {}:", quoted(role.name));
  std::string body;
  for (const yaml::Node::Member& member : role.node->members) {
    if (member.key != "allow") {
      body +=
          fmt::format("    {}: {}\n", std::string_view(member.key), yaml::flow_of(member.value));
      continue;
    }
    std::string rules;
    for (const yaml::Node* rule : rules_of(&member.value)) {
      const GrantUse* use = usage.use_of(to_string(role.document->place(rule->mark)));
      if (use == nullptr) {  // in report mode: it grants nothing
        rules += fmt::format("      - {}\n", yaml::flow_of(*rule));
        continue;
      }
      if (use->calls == 0) continue;
      const RuleParts parts = parts_of(*rule);
      for (const std::string& text : Tightener(parts, *use).run()) {
        rules += fmt::format("      - {}\n", text);
      }
    }
    if (!rules.empty()) body += "    allow:\n" + rules;
  }
  out += body.empty() ? " {}\n" : "\n" + body;
}

}  // namespace

std::string kind_of_path(std::string_view path) {
  std::string kind;
  for (const std::string_view segment : segments_of(path)) {
    kind += '/';
    kind += looks_like_id(segment) ? "*" : segment;
  }
  return kind.empty() ? std::string(path) : kind;
}

std::string tightest_policy(std::span<const SourceFile> files, const Usage& usage) {
  const Outline outline(files);
  std::string out = "version: 1\n";
  for (const auto& [key, entry] : outline.settings()) {
    out += fmt::format("{}: {}\n", key, yaml::flow_of(*entry.node));
  }
  for (const std::string& section : outline.sections()) {
    out += section + ":\n";
    for (const Entry& entry : outline.section(section)) {
      if (section == "roles") {
        write_role(entry, usage, out);
      } else {
        out += fmt::format("  {}: {}\n", quoted(entry.name), yaml::flow_of(*entry.node));
      }
    }
  }
  if (!outline.prices().empty()) out += "prices:\n";
  for (const Entry& price : outline.prices()) {
    out += fmt::format("  - {}\n", yaml::flow_of(*price.node));
  }
  return out;
}

}  // namespace reeve::policy
