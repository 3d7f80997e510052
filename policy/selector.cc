// See selector.h. Tested by tests/policy/matcher_test.cc and tests/policy/evaluate_test.cc.
#include "policy/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "policy/text.h"

namespace reeve::policy {

std::string_view to_string(SelectorKind kind) {
  switch (kind) {
    case SelectorKind::kAll:
      return "";
    case SelectorKind::kTools:
      return "tools";
    case SelectorKind::kResources:
      return "resources";
    case SelectorKind::kPrompts:
      return "prompts";
    case SelectorKind::kHttp:
      return "http";
    case SelectorKind::kConnect:
      return "connect";
    case SelectorKind::kModels:
      return "models";
    case SelectorKind::kMethods:
      return "methods";
  }
  return "";
}

SelectorKind selector_kind(Kind kind) {
  switch (kind) {
    case Kind::kTool:
      return SelectorKind::kTools;
    case Kind::kResource:
      return SelectorKind::kResources;
    case Kind::kPrompt:
      return SelectorKind::kPrompts;
    case Kind::kHttp:
      return SelectorKind::kHttp;
    case Kind::kConnect:
      return SelectorKind::kConnect;
    case Kind::kModel:
      return SelectorKind::kModels;
    case Kind::kMethod:
      return SelectorKind::kMethods;
  }
  return SelectorKind::kAll;
}

namespace {

constexpr std::string_view kHttpMethods[] = {"GET",    "HEAD",    "POST",  "PUT",    "PATCH",
                                             "DELETE", "OPTIONS", "TRACE", "CONNECT"};

// Sorted. Revisions 2025-11-25 and 2026-07-28, the server's own requests included.
constexpr std::string_view kKnownMethods[] = {
    "completion/complete",
    "elicitation/create",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/elicitation/complete",
    "notifications/initialized",
    "notifications/message",
    "notifications/progress",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "notifications/tools/list_changed",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "roots/list",
    "sampling/createMessage",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
};

// What the protocol itself needs, so that the right to use the upstream grants it.
constexpr std::string_view kHousekeeping[] = {"initialize",
                                              "server/discover",
                                              "ping",
                                              "tools/list",
                                              "resources/list",
                                              "resources/templates/list",
                                              "prompts/list",
                                              "logging/setLevel",
                                              "tasks/get",
                                              "tasks/update",
                                              "tasks/cancel",
                                              "tasks/result",
                                              "tasks/list",
                                              "subscriptions/listen",
                                              "notifications/initialized",
                                              "notifications/cancelled",
                                              "notifications/progress",
                                              "notifications/roots/list_changed",
                                              "notifications/elicitation/complete"};

// Methods whose calls another selector speaks about.
struct OwnSelector {
  std::string_view method;
  std::string_view selector;
};
constexpr OwnSelector kOwnSelectors[] = {
    {"tools/call", "tools"},
    {"resources/read", "resources"},
    {"prompts/get", "prompts"},
};

bool is_method_token(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

Error bad_http(std::string_view text, std::string_view why) {
  return Error{fmt::format("`{}` {}; write it as `GET,HEAD /invoices/**`", shown(text), why)};
}

}  // namespace

uint16_t method_bit(std::string_view method) {
  for (size_t i = 0; i < std::size(kHttpMethods); ++i) {
    if (kHttpMethods[i] == method) return static_cast<uint16_t>(1u << i);
  }
  return kOtherMethod;
}

bool is_known_method(std::string_view method) {
  return std::binary_search(std::begin(kKnownMethods), std::end(kKnownMethods), method);
}

bool is_housekeeping(std::string_view method) {
  return std::find(std::begin(kHousekeeping), std::end(kHousekeeping), method) !=
         std::end(kHousekeeping);
}

Result<TargetPattern> TargetPattern::compile(SelectorKind kind, std::string_view text) {
  TargetPattern target;
  std::string_view pattern = text;
  auto syntax = Pattern::Syntax::kText;
  if (kind == SelectorKind::kHttp && text.starts_with("re:")) {
    target.whole_line_ = true;
  } else if (kind == SelectorKind::kHttp) {
    syntax = Pattern::Syntax::kPath;
    const size_t space = text.find(' ');
    if (space == text.npos) return bad_http(text, "has no method before the path");
    std::string_view methods = text.substr(0, space);
    pattern = text.substr(std::min(text.find_first_not_of(' ', space), text.size()));
    if (methods != "*") target.methods_ = 0;
    while (methods != "*" && !methods.empty()) {
      const size_t comma = std::min(methods.find(','), methods.size());
      const std::string_view method = methods.substr(0, comma);
      if (!is_method_token(method)) return bad_http(text, "has a malformed method");
      if (comma + 1 == methods.size()) return bad_http(text, "has a comma too many");
      methods.remove_prefix(std::min(comma + 1, methods.size()));
      target.methods_ |= method_bit(method);
      if (method_bit(method) == kOtherMethod) target.other_methods_.emplace_back(method);
    }
    if (target.methods_ == 0) return bad_http(text, "has no method before the path");
    if (pattern.empty()) return bad_http(text, "has no path");
  }
  std::string lower;
  if (kind == SelectorKind::kConnect) {
    // Host names compare without regard to case: the pattern in lower case, as the target is.
    const bool expression = text.starts_with("re:");
    if (!expression && text.find(':') == text.npos) {
      return Error{
          fmt::format("`{}` names no port; write it as `{}:443`", shown(text), shown(text))};
    }
    lower = expression ? "re:(?i)" + std::string(text.substr(3)) : std::string(text);
    if (!expression) std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
    pattern = lower;
  }
  Result<Pattern> compiled = Pattern::compile(pattern, syntax);
  if (!compiled && kind == SelectorKind::kConnect) compiled = Pattern::compile(text);  // as written
  if (!compiled) return std::move(compiled.error());
  if (kind == SelectorKind::kMethods) {
    for (const OwnSelector& own : kOwnSelectors) {
      if (text == own.method) {
        return Error{
            fmt::format("`{}` is not selected by `methods`; use `{}`", text, own.selector)};
      }
    }
  }
  target.pattern_ = std::move(*compiled);
  return target;
}

bool TargetPattern::matches(const Call& call) const {
  if (whole_line_) return matches_line(call);
  if (call.kind == Kind::kHttp) {
    const uint16_t bit = method_bit(call.action);
    if (!(methods_ & bit)) return false;
    if (bit == kOtherMethod && methods_ != 0xFFFF &&
        std::find(other_methods_.begin(), other_methods_.end(), call.action) ==
            other_methods_.end()) {
      return false;
    }
  }
  return pattern_.matches(target_of(call));
}

bool TargetPattern::matches_line(const Call& call) const {
  std::array<char, 4096> small;
  const size_t size = call.action.size() + 1 + call.target.size();
  const auto write = [&](char* line) {
    std::memcpy(line, call.action.data(), call.action.size());
    line[call.action.size()] = ' ';
    std::memcpy(line + call.action.size() + 1, call.target.data(), call.target.size());
    return pattern_.matches({line, size});
  };
  if (size <= small.size()) return write(small.data());
  std::string large(size, ' ');
  return write(large.data());
}

namespace {

std::shared_ptr<const SelectorParts> compile_parts(const Selector& source) {
  SelectorParts parts;
  for (const Text& upstream : source.upstreams) {
    parts.upstreams.push_back(*Pattern::compile(upstream.value));
  }
  for (const Text& text : source.patterns) {
    parts.patterns.push_back(*TargetPattern::compile(source.kind, text.value));
  }
  for (const Text& text : source.except) {
    parts.except.push_back(*TargetPattern::compile(source.kind, text.value));
  }
  return std::make_shared<const SelectorParts>(std::move(parts));
}

}  // namespace

CompiledSelector::CompiledSelector() : parts_(std::make_shared<const SelectorParts>()) {}

CompiledSelector::CompiledSelector(const Selector& source, bool grants)
    : kind_(source.kind),
      grants_(grants),
      has_except_(!source.except.empty()),
      parts_(source.parts ? source.parts : compile_parts(source)) {}

bool CompiledSelector::covers_upstream(std::string_view upstream) const {
  const std::vector<Pattern>& upstreams = parts_->upstreams;
  return upstreams.empty() || std::any_of(upstreams.begin(), upstreams.end(),
                                          [&](const Pattern& p) { return p.matches(upstream); });
}

bool CompiledSelector::matches_target(const Call& call) const {
  if (kind_ == SelectorKind::kAll) {
    if (call.kind == Kind::kConnect) return is_everything();
    return !(grants_ && call.kind == Kind::kMethod) || is_known_method(call.action);
  }
  if (kind_ != selector_kind(call.kind)) return false;
  const bool selected =
      std::any_of(patterns().begin(), patterns().end(), [&](const TargetPattern& p) {
        return p.matches(call) && may_select_method(p.pattern(), call);
      });
  return selected && !excepts(call);
}

bool CompiledSelector::may_select_method(const Pattern& pattern, const Call& call) const {
  return call.kind != Kind::kMethod || !grants_ || pattern.is_exact() ||
         is_known_method(call.action);
}

bool CompiledSelector::excepts(const Call& call) const {
  return std::any_of(parts_->except.begin(), parts_->except.end(),
                     [&](const TargetPattern& p) { return p.matches(call); });
}

}  // namespace reeve::policy
