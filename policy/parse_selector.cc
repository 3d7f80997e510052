// See parse_selector.h. Patterns are compiled here, where their place is known, and only here: an
// expression of RE2 costs more than the rest of its rule. Tested by tests/policy/parse_test.cc.
#include "policy/parse_selector.h"

#include <fmt/format.h>

#include <memory>

#include "policy/selector.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

constexpr SelectorKind kKinds[] = {
    SelectorKind::kTools,   SelectorKind::kResources, SelectorKind::kPrompts, SelectorKind::kHttp,
    SelectorKind::kConnect, SelectorKind::kModels,    SelectorKind::kMethods};

// Those that compile; the others are errors.
template <class Compiled, class Compile>
std::vector<Compiled> compile_each(FileReader& reader, const std::vector<Text>& texts,
                                   Compile&& compile) {
  std::vector<Compiled> all;
  all.reserve(texts.size());
  for (const Text& text : texts) {
    Result<Compiled> compiled = compile(text.value);
    if (compiled) {
      all.push_back(std::move(*compiled));
    } else {
      reader.error(mark_of(text), compiled.error().message);
    }
  }
  return all;
}

std::vector<TargetPattern> compile_patterns(FileReader& reader, SelectorKind kind,
                                            const std::vector<Text>& patterns) {
  return compile_each<TargetPattern>(
      reader, patterns, [&](std::string_view text) { return TargetPattern::compile(kind, text); });
}

std::vector<Pattern> compile_upstreams(FileReader& reader, const std::vector<Text>& upstreams) {
  return compile_each<Pattern>(reader, upstreams,
                               [](std::string_view text) { return Pattern::compile(text); });
}

}  // namespace

bool read_selector(FileReader& reader, const Fields& fields, UpstreamIs upstream,
                   Selector& selector) {
  const size_t errors_before = reader.diagnostics.error_count();
  SelectorParts parts;
  selector.at = reader.at(fields.node().mark);
  if (const yaml::Node* node = fields.find("upstream")) {
    selector.upstreams = read_texts(reader, *node, "upstream");
    parts.upstreams = compile_upstreams(reader, selector.upstreams);
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
    parts.patterns = compile_patterns(reader, kind, selector.patterns);
  }
  if (const yaml::Node* node = fields.find("except")) {
    selector.except = read_texts(reader, *node, "except");
    if (selector.kind == SelectorKind::kAll) {
      reader.error(node->mark,
                   "`except` without a selector; write `tools: \"*\"` (or what is "
                   "meant) beside it");
    } else {
      parts.except = compile_patterns(reader, selector.kind, selector.except);
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
  if (is_needed && !fields.find("connect") && !fields.find("upstream")) {
    reader.error(fields.node().mark,
                 "no `upstream`; name one, or write `upstream: \"*\"` for all of them");
  }
  if (reader.diagnostics.error_count() != errors_before) return false;
  selector.parts = std::make_shared<const SelectorParts>(std::move(parts));
  return true;
}

}  // namespace reeve::policy
