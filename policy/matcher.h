// Tables that find, among many selectors, those that select a call, without trying the others.
//
// A Table is built for the selectors that cover one upstream (of one role set, or of all prices),
// in the order in which they decide: position 0 first. For each kind of call it holds a trie over
// the literal beginnings of the patterns; one walk along the target meets every pattern that can
// match it. Where many patterns begin alike (`*.delete`, `/*/notes`), they are found by their
// literal end, by hash. So the cost grows with the target and with the patterns that look alike at
// both ends, not with the number of rules.
#ifndef REEVE_POLICY_MATCHER_H_
#define REEVE_POLICY_MATCHER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/selector.h"
#include "policy/words.h"

namespace reeve::policy {

// Patterns of one kind. Immutable once built.
class PatternIndex {
 public:
  struct Entry {
    const TargetPattern* pattern = nullptr;
    uint32_t position = 0;  // of its selector
    uint16_t methods = 0xFFFF;
    bool certain : 1 = false;  // being reached in the trie is a match, but for the method
    bool whole_line : 1 = false;
    bool has_except : 1 = false;  // its selector has
    bool inspected : 1 = false;
  };

  explicit PatternIndex(std::vector<Entry> entries);

  // Calls `visit(entry)` for every entry whose pattern may match `text`, those of one list in
  // rising position; when it returns false, the rest of that list is skipped.
  template <class Visit>
  void walk(std::string_view text, Visit&& visit) const;

 private:
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  struct Node {
    uint32_t label = 0;  // in labels_
    uint32_t label_size = 0;
    uint32_t children = 0;  // in nodes_ and, their first bytes, in first_bytes_
    uint32_t child_count = 0;
    Range exact;   // of entries_: patterns that end here
    Range open;    // of entries_: patterns that go on with a wildcard
    Range groups;  // of groups_: more of these, by their literal end
  };
  // Patterns of one node whose literal ends have one length.
  struct Group {
    uint32_t suffix_size = 0;
    Range buckets;  // of buckets_, sorted by hash
  };
  struct Bucket {
    uint64_t hash = 0;
    Range entries;
  };
  struct Builder;

  Range find_bucket(const Group& group, std::string_view text) const;

  template <class Visit>
  void visit_range(const Range& range, Visit& visit) const {
    for (uint32_t i = range.begin; i < range.end; ++i) {
      if (!visit(entries_[i])) return;
    }
  }

  std::string labels_;
  std::vector<Node> nodes_;
  std::string first_bytes_;
  std::vector<Entry> entries_;
  std::vector<Group> groups_;
  std::vector<Bucket> buckets_;
};

class Table {
 public:
  // `selectors` in the order in which they decide; they must outlive the table. `inspected` has
  // those that find_first() shows beyond the first; empty: none.
  explicit Table(std::vector<const CompiledSelector*> selectors,
                 const std::vector<bool>& inspected = {});

  static constexpr uint32_t kNone = 0xFFFFFFFF;

  // The first position whose selector selects the call and for which `accept(position)` holds.
  template <class Accept>
  uint32_t find_first(const Call& call, Accept&& accept) const {
    return find_first(call, accept, false, [](uint32_t) {});
  }
  // If `inspecting`, calls `inspect(position)` for every inspected selector that selects the call,
  // also behind the first, in no certain order: one walk answers both questions.
  template <class Accept, class Inspect>
  uint32_t find_first(const Call& call, Accept&& accept, bool inspecting, Inspect&& inspect) const;

  size_t size() const { return selectors_.size(); }

 private:
  std::vector<const CompiledSelector*> selectors_;
  std::vector<bool> inspected_;
  std::vector<uint32_t> whole_;                                 // positions without a selector
  std::array<std::unique_ptr<const PatternIndex>, 7> by_kind_;  // by Kind
};

template <class Visit>
void PatternIndex::walk(std::string_view text, Visit&& visit) const {
  const Node* node = nodes_.data();
  size_t at = 0;
  while (true) {
    visit_range(node->open, visit);
    for (uint32_t i = node->groups.begin; i < node->groups.end; ++i) {
      visit_range(find_bucket(groups_[i], text), visit);
    }
    if (at == text.size()) {
      visit_range(node->exact, visit);
      return;
    }
    const char* const bytes = first_bytes_.data() + node->children;
    uint32_t child = 0;
    while (child < node->child_count && bytes[child] != text[at]) ++child;
    if (child == node->child_count) return;
    node = &nodes_[node->children + child];
    const std::string_view label(labels_.data() + node->label, node->label_size);
    if (!begins_with(text.substr(at), label)) return;
    at += label.size();
  }
}

template <class Accept, class Inspect>
uint32_t Table::find_first(const Call& call, Accept&& accept, bool inspecting,
                           Inspect&& inspect) const {
  inspecting = inspecting && !inspected_.empty();
  uint32_t best = kNone;
  for (const uint32_t position : whole_) {
    const bool inspected = inspecting && inspected_[position];
    if (best != kNone && !inspected) continue;
    if (!selectors_[position]->matches_target(call)) continue;
    if (inspected) inspect(position);
    if (best == kNone && accept(position)) best = position;
    if (best != kNone && !inspecting) break;
  }
  const PatternIndex* index = by_kind_[static_cast<size_t>(call.kind)].get();
  if (!index) return best;
  const uint16_t method = call.kind == Kind::kHttp ? method_bit(call.action) : 0xFFFF;
  const std::string_view target = target_of(call);
  index->walk(target, [&](const PatternIndex::Entry& entry) {
    const bool inspected = inspecting && entry.inspected;
    if (entry.position >= best && !inspected) return inspecting;
    if (!(entry.methods & method)) return true;
    if (method == kOtherMethod || entry.whole_line) {
      if (!entry.pattern->matches(call)) return true;
    } else if (!entry.certain && !entry.pattern->pattern().matches_rest(target)) {
      return true;
    }
    if (entry.has_except || call.kind == Kind::kMethod) {
      const CompiledSelector& selector = *selectors_[entry.position];
      if (!selector.may_select_method(entry.pattern->pattern(), call)) return true;
      if (selector.excepts(call)) return true;
    }
    if (inspected) inspect(entry.position);
    if (entry.position >= best || !accept(entry.position)) return true;
    best = entry.position;
    return inspecting;
  });
  return best;
}

}  // namespace reeve::policy

#endif  // REEVE_POLICY_MATCHER_H_
