// See parse_selector.h. Patterns are tried here, where their place is known, and compiled again by
// compile.cc, which can then rely on them. Tested by tests/policy/parse_test.cc.
#include "policy/parse_selector.h"

#include <fmt/format.h>

#include "policy/selector.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

constexpr SelectorKind kKinds[] = {
    SelectorKind::kTools,   SelectorKind::kResources, SelectorKind::kPrompts, SelectorKind::kHttp,
    SelectorKind::kConnect, SelectorKind::kModels,    SelectorKind::kMethods};

bool check_patterns(FileReader& reader, SelectorKind kind, const std::vector<Text>& patterns) {
  bool good = true;
  for (const Text& pattern : patterns) {
    const Result<TargetPattern> compiled = TargetPattern::compile(kind, pattern.value);
    if (compiled) continue;
    reader.error(mark_of(pattern), compiled.error().message);
    good = false;
  }
  return good;
}

bool check_upstreams(FileReader& reader, const std::vector<Text>& upstreams) {
  bool good = true;
  for (const Text& upstream : upstreams) {
    const Result<Pattern> compiled = Pattern::compile(upstream.value);
    if (compiled) continue;
    reader.error(mark_of(upstream), compiled.error().message);
    good = false;
  }
  return good;
}

}  // namespace

bool read_selector(FileReader& reader, const Fields& fields, UpstreamIs upstream,
                   Selector& selector) {
  const size_t errors_before = reader.diagnostics.error_count();
  selector.at = reader.at(fields.node().mark);
  if (const yaml::Node* node = fields.find("upstream")) {
    selector.upstreams = read_texts(reader, *node, "upstream");
    check_upstreams(reader, selector.upstreams);
  }
  for (const SelectorKind kind : kKinds) {
    const std::string_view key = to_string(kind);
    const yaml::Node* node = fields.find(key);
    if (!node) continue;
    if (selector.kind != SelectorKind::kAll) {
      reader.error(node->mark, fmt::format("`{}` beside `{}`; a rule selects one kind, write two",
                                           key, to_string(selector.kind)));
      continue;
    }
    selector.kind = kind;
    selector.kind_at = reader.at(node->mark);
    selector.patterns = read_texts(reader, *node, key);
    check_patterns(reader, kind, selector.patterns);
  }
  if (const yaml::Node* node = fields.find("except")) {
    selector.except = read_texts(reader, *node, "except");
    if (selector.kind == SelectorKind::kAll) {
      reader.error(node->mark,
                   "`except` without a selector; write `tools: \"*\"` (or what is "
                   "meant) beside it");
    } else {
      check_patterns(reader, selector.kind, selector.except);
    }
  }
  if (selector.kind == SelectorKind::kConnect || selector.kind == SelectorKind::kModels) {
    reader.uses(to_string(selector.kind), {selector.kind_at.line, selector.kind_at.column});
  }
  const bool tunnels = selector.kind == SelectorKind::kConnect;
  if (const yaml::Node* node = fields.find("upstream"); node && tunnels) {
    reader.error(node->mark, "a tunnel goes to no upstream; remove `upstream` beside `connect`");
  }
  const bool is_needed = upstream == UpstreamIs::kRequired || selector.kind != SelectorKind::kAll;
  if (is_needed && !tunnels && !fields.find("upstream")) {
    reader.error(fields.node().mark,
                 "no `upstream`; name one, or write `upstream: \"*\"` for all of them");
  }
  return reader.diagnostics.error_count() == errors_before;
}

}  // namespace reeve::policy
