// See shadowing.h. Tested by tests/policy/shadowing_test.cc and resolve_test.cc.
#include "policy/shadowing.h"

#include <algorithm>

namespace reeve::policy {

namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr size_t kFew = 32;  // so many are compared at less cost than kept in order

}  // namespace

// Whether every text that `narrow` matches is matched by `wide`, where that is plain to see.
bool Shadowing::covers(const Pattern& wide, const Pattern& narrow, bool same_text) {
  if (!budget_.spend(1)) return false;
  if (same_text) return true;
  if (!narrow.prefix().starts_with(wide.prefix())) return false;
  if (narrow.is_exact()) {
    return budget_.spend(wide.cost(narrow.prefix().size())) && wide.matches(narrow.prefix());
  }
  if (wide.shape() == Pattern::Shape::kPrefix) return true;
  return wide.shape() == Pattern::Shape::kTree &&
         narrow.prefix().substr(wide.prefix().size()).starts_with('/');
}

bool Shadowing::covers(const TargetPattern& wide, const TargetPattern& narrow, bool same_text) {
  if (same_text) return true;
  if (wide.is_whole_line() || narrow.is_whole_line()) return false;
  const bool methods = wide.methods() == 0xFFFF || (!(narrow.methods() & kOtherMethod) &&
                                                    (narrow.methods() & ~wide.methods()) == 0);
  return methods && covers(wide.pattern(), narrow.pattern(), false);
}

bool Shadowing::covers(const Selecting& wide, const Selecting& narrow) {
  if (wide.compiled.has_except()) return false;
  // What goes to no upstream is none of a selector's that names some.
  if (narrow.compiled.upstreams().empty() && !wide.compiled.upstreams().empty()) return false;
  const auto covers_each = [&](const auto& wides, const std::vector<Text>& wide_texts,
                               const auto& narrows, const std::vector<Text>& narrow_texts) {
    for (size_t n = 0; n < narrows.size(); ++n) {
      bool found = false;
      for (size_t w = 0; w < wides.size() && !found; ++w) {
        if (!budget_.spend(1)) return false;
        found = covers(wides[w], narrows[n], wide_texts[w].value == narrow_texts[n].value);
      }
      if (!found) return false;
    }
    return true;
  };
  if (!covers_each(wide.compiled.upstreams(), wide.source->upstreams, narrow.compiled.upstreams(),
                   narrow.source->upstreams)) {
    return false;
  }
  // An allow without a selector leaves out methods that reeve does not know.
  if (wide.compiled.kind() == SelectorKind::kAll) {
    return narrow.compiled.kind() != SelectorKind::kMethods;
  }
  return wide.compiled.kind() == narrow.compiled.kind() &&
         covers_each(wide.compiled.patterns(), wide.source->patterns, narrow.compiled.patterns(),
                     narrow.source->patterns);
}

void Shadowing::find_among(const Indexes& candidates, const Selecting& narrow, uint32_t& best) {
  for (const uint32_t candidate : candidates) {
    if (candidate >= best || !budget_.spend(4)) return;
    if (!covers(added_[candidate], narrow)) continue;
    best = candidate;
    return;
  }
}

void Shadowing::find_among(const ByText& texts, std::string_view text, const Selecting& narrow,
                           uint32_t& best) {
  const auto found = texts.find(text);
  if (found != texts.end()) find_among(found->second, narrow, best);
}

void Shadowing::find_among(const ByBeginning& beginnings, std::string_view text,
                           const Selecting& narrow, uint32_t& best) {
  for (const size_t size : beginnings.sizes) {
    if (size > text.size() || !budget_.spend(16)) return;
    find_among(beginnings.begin, text.substr(0, size), narrow, best);
  }
}

// Those that may take in `first`, which `narrow` has among others and which is `written` so.
void Shadowing::find_among(const Patterns& patterns, const Pattern& first, std::string_view written,
                           const Selecting& narrow, uint32_t& best) {
  find_among(patterns.wide, first.prefix(), narrow, best);
  if (first.is_exact()) {
    find_among(patterns.exact, first.prefix(), narrow, best);
    find_among(patterns.other, first.prefix(), narrow, best);
  } else {
    find_among(patterns.written, written, narrow, best);
  }
}

std::optional<uint32_t> Shadowing::find(const Selector& source) {
  const Selecting narrow{&source, CompiledSelector(source, false)};
  uint32_t best = kNone;
  if (added_.size() <= kFew) {
    const auto found = std::find_if(added_.begin(), added_.end(),
                                    [&](const Selecting& wide) { return covers(wide, narrow); });
    if (found != added_.end()) best = static_cast<uint32_t>(found - added_.begin());
  } else {
    const auto& upstreams = narrow.compiled.upstreams();
    const auto& patterns = narrow.compiled.patterns();
    const auto kind = static_cast<size_t>(source.kind);
    if (!upstreams.empty()) {
      find_among(by_kind_[0], upstreams.front(), source.upstreams.front().value, narrow, best);
    }
    if (!patterns.empty()) {
      find_among(by_kind_[kind], patterns.front().pattern(), source.patterns.front().value, narrow,
                 best);
    }
  }
  if (best == kNone || budget_.is_spent()) return std::nullopt;
  return best;
}

void Shadowing::add(const Selector& source) {
  added_.push_back({&source, CompiledSelector(source, false)});
  const auto last = static_cast<uint32_t>(added_.size() - 1);
  if (added_.size() <= kFew) return;
  for (uint32_t i = last == kFew ? 0 : last; i <= last; ++i) index(i);
}

void Shadowing::index(uint32_t added) {
  const auto& [source, compiled] = added_[added];
  if (compiled.has_except()) return;
  Patterns& patterns = by_kind_[static_cast<size_t>(compiled.kind())];
  if (compiled.kind() == SelectorKind::kAll) {
    for (size_t i = 0; i < compiled.upstreams().size(); ++i) {
      add_to(patterns, compiled.upstreams()[i], source->upstreams[i].value, added);
    }
    return;
  }
  for (size_t i = 0; i < compiled.patterns().size(); ++i) {
    add_to(patterns, compiled.patterns()[i].pattern(), source->patterns[i].value, added);
  }
}

void Shadowing::add_to(Patterns& patterns, const Pattern& pattern, std::string_view written,
                       uint32_t added) {
  const auto add = [&](ByText& texts, std::string_view text) {
    Indexes& indexes = texts[text];
    if (indexes.empty() || indexes.back() != added) indexes.push_back(added);
  };
  const auto shape = pattern.shape();
  if (pattern.is_exact()) return add(patterns.exact, pattern.prefix());
  const bool is_wide = shape == Pattern::Shape::kPrefix || shape == Pattern::Shape::kTree;
  ByBeginning& beginnings = is_wide ? patterns.wide : patterns.other;
  add(beginnings.begin, pattern.prefix());
  beginnings.sizes.insert(pattern.prefix().size());
  if (!is_wide) add(patterns.written, written);
}

}  // namespace reeve::policy
