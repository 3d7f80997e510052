// Building the tables of matcher.h. Tested by tests/policy/matcher_test.cc and, against a plain
// walk over all rules, by tests/policy/evaluate_test.cc.
#include "policy/matcher.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace reeve::policy {

namespace {

// More patterns than this at one node are told apart by their literal ends.
constexpr size_t kFewEntries = 8;

// Of a literal end, no more is hashed: so that a node has few lengths to ask for, whatever a policy
// holds.
constexpr size_t kLongestEnd = 24;

std::string_view end_of(const TargetPattern& pattern) {
  const std::string_view suffix = pattern.pattern().suffix();
  return suffix.substr(suffix.size() - std::min(suffix.size(), kLongestEnd));
}

}  // namespace

PatternIndex::Range PatternIndex::find_bucket(const Group& group, std::string_view text) const {
  if (text.size() < group.suffix_size) return {};
  const uint64_t hash = hash_words(text.substr(text.size() - group.suffix_size));
  const auto begin = buckets_.begin() + group.buckets.begin;
  const auto end = buckets_.begin() + group.buckets.end;
  const auto found = std::lower_bound(
      begin, end, hash, [](const Bucket& bucket, uint64_t value) { return bucket.hash < value; });
  return found != end && found->hash == hash ? found->entries : Range{};
}

// The trie while it grows; flattened breadth first, so that the children of a node lie together.
struct PatternIndex::Builder {
  struct Growing {
    std::string label;
    std::vector<uint32_t> children;
    std::vector<Entry> exact;
    std::vector<Entry> open;
  };
  std::vector<Growing> nodes = std::vector<Growing>(1);

  uint32_t node_at(std::string_view text) {
    uint32_t node = 0;
    while (!text.empty()) {
      auto& children = nodes[node].children;
      const auto found = std::find_if(children.begin(), children.end(), [&](uint32_t child) {
        return nodes[child].label[0] == text[0];
      });
      if (found == children.end()) {
        const auto leaf = static_cast<uint32_t>(nodes.size());
        children.push_back(leaf);
        nodes.push_back({std::string(text), {}, {}, {}});
        return leaf;
      }
      const uint32_t child = *found;
      const std::string& label = nodes[child].label;
      const auto common = static_cast<size_t>(
          std::mismatch(label.begin(), label.end(), text.begin(), text.end()).first -
          label.begin());
      if (common < label.size()) split(child, common);
      text.remove_prefix(common);
      node = child;
    }
    return node;
  }

  // Cuts the label of `node` at `size`; what it held moves to a new child.
  void split(uint32_t node, size_t size) {
    Growing lower = std::move(nodes[node]);
    Growing upper;
    upper.label = lower.label.substr(0, size);
    upper.children.push_back(static_cast<uint32_t>(nodes.size()));
    lower.label.erase(0, size);
    nodes[node] = std::move(upper);
    nodes.push_back(std::move(lower));
  }

  static void sort(std::vector<Entry>& entries) {
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.position < b.position; });
  }

  Range append(PatternIndex& index, const std::vector<Entry>& entries) {
    Range range{static_cast<uint32_t>(index.entries_.size()), 0};
    index.entries_.insert(index.entries_.end(), entries.begin(), entries.end());
    range.end = static_cast<uint32_t>(index.entries_.size());
    return range;
  }

  // Entries with a literal end, by its length and hash; `open` keeps the rest.
  Range append_groups(PatternIndex& index, std::vector<Entry>& open) {
    if (open.size() <= kFewEntries) return {};
    std::map<uint32_t, std::map<uint64_t, std::vector<Entry>>> by_size;
    std::vector<Entry> rest;
    for (const Entry& entry : open) {
      const std::string_view suffix = end_of(*entry.pattern);
      if (suffix.empty()) {
        rest.push_back(entry);
      } else {
        by_size[static_cast<uint32_t>(suffix.size())][hash_words(suffix)].push_back(entry);
      }
    }
    open = std::move(rest);
    Range groups{static_cast<uint32_t>(index.groups_.size()), 0};
    for (const auto& [size, by_hash] : by_size) {
      Group group{size, {static_cast<uint32_t>(index.buckets_.size()), 0}};
      for (const auto& [hash, entries] : by_hash) {
        index.buckets_.push_back({hash, append(index, entries)});
      }
      group.buckets.end = static_cast<uint32_t>(index.buckets_.size());
      index.groups_.push_back(group);
    }
    groups.end = static_cast<uint32_t>(index.groups_.size());
    return groups;
  }

  void flatten(PatternIndex& index) {
    std::vector<uint32_t> order = {0};
    index.first_bytes_ = " ";  // the root's place: nodes and first bytes share their indexes
    for (size_t i = 0; i < order.size(); ++i) {
      Growing& growing = nodes[order[i]];
      Node node;
      node.label = static_cast<uint32_t>(index.labels_.size());
      node.label_size = static_cast<uint32_t>(growing.label.size());
      index.labels_ += growing.label;
      node.children = static_cast<uint32_t>(order.size());
      node.child_count = static_cast<uint32_t>(growing.children.size());
      for (const uint32_t child : growing.children) {
        order.push_back(child);
        index.first_bytes_ += nodes[child].label[0];
      }
      sort(growing.exact);
      sort(growing.open);
      node.exact = append(index, growing.exact);
      node.groups = append_groups(index, growing.open);
      node.open = append(index, growing.open);
      index.nodes_.push_back(node);
    }
  }
};

PatternIndex::PatternIndex(std::vector<Entry> entries) {
  Builder builder;
  for (Entry& entry : entries) {
    const Pattern& pattern = entry.pattern->pattern();
    entry.methods = entry.pattern->methods();
    entry.whole_line = entry.pattern->is_whole_line();
    entry.certain = pattern.is_exact() || pattern.shape() == Pattern::Shape::kPrefix;
    const std::string_view prefix = entry.whole_line ? std::string_view() : pattern.prefix();
    Builder::Growing& node = builder.nodes[builder.node_at(prefix)];
    (pattern.is_exact() ? node.exact : node.open).push_back(entry);
  }
  builder.flatten(*this);
}

Table::Table(std::vector<const CompiledSelector*> selectors, const std::vector<bool>& inspected)
    : selectors_(std::move(selectors)) {
  if (std::find(inspected.begin(), inspected.end(), true) != inspected.end()) {
    inspected_ = inspected;
  }
  std::array<std::vector<PatternIndex::Entry>, 7> entries;
  for (uint32_t position = 0; position < selectors_.size(); ++position) {
    const CompiledSelector& selector = *selectors_[position];
    if (selector.kind() == SelectorKind::kAll) {
      whole_.push_back(position);
      continue;
    }
    for (size_t kind = 0; kind < entries.size(); ++kind) {
      if (selector_kind(static_cast<Kind>(kind)) != selector.kind()) continue;
      for (const TargetPattern& pattern : selector.patterns()) {
        PatternIndex::Entry& entry = entries[kind].emplace_back();
        entry.pattern = &pattern;
        entry.position = position;
        entry.has_except = selector.has_except();
        entry.inspected = !inspected_.empty() && inspected_[position];
      }
    }
  }
  for (size_t kind = 0; kind < entries.size(); ++kind) {
    if (entries[kind].empty()) continue;
    by_kind_[kind] = std::make_unique<const PatternIndex>(std::move(entries[kind]));
  }
}

}  // namespace reeve::policy
