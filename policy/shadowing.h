// Finds selectors that can never decide, because an earlier one takes in all that they select.
//
// Claimed only where it is plain: one earlier selector, without `except`, takes in all of a later
// one, pattern by pattern. A pattern that takes another in begins with a part of what that one
// begins with, so the earlier ones are kept by their literal beginnings and few are compared.
// Internal to the warnings.
#ifndef REEVE_POLICY_SHADOWING_H_
#define REEVE_POLICY_SHADOWING_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/selector.h"

namespace reeve::policy {

// Bounds the work of many searches together, so that a policy made to be slow is not.
struct SearchBudget {
  uint64_t steps = 100'000'000;  // about a nanosecond each, or a few

  bool spend(uint64_t cost) {
    steps -= cost < steps ? cost : steps;
    return steps > 0;
  }
  bool is_spent() const { return steps == 0; }
};

class Shadowing {
 public:
  explicit Shadowing(SearchBudget& budget) : budget_(budget) {}

  // The first of those added that takes in all of `source`. When the budget is spent, none.
  std::optional<uint32_t> find(const Selector& source);
  // Gives it the next index, from 0. `source` must outlive this.
  void add(const Selector& source);

 private:
  // A selector beside its source, whose texts tell equal patterns.
  struct Selecting {
    const Selector* source;
    CompiledSelector compiled;
  };
  using Indexes = std::vector<uint32_t>;  // in added_, ascending
  // Sorted, not hashed: the cost is bounded whatever the texts are.
  using ByText = std::map<std::string_view, Indexes>;
  struct ByBeginning {
    ByText begin;
    std::set<size_t> sizes;  // of the keys
  };
  // Selectors of one kind by each of their patterns.
  struct Patterns {
    ByText exact;       // by all that they match
    ByBeginning wide;   // `a*`, `/a/**`: they take in what begins alike
    ByBeginning other;  // they take in one text at a time
    ByText written;     // those of `other` by their text: they take in their like
  };

  void index(uint32_t added);
  static void add_to(Patterns& patterns, const Pattern& pattern, std::string_view written,
                     uint32_t added);
  void find_among(const Indexes& candidates, const Selecting& narrow, uint32_t& best);
  void find_among(const ByText& texts, std::string_view text, const Selecting& narrow,
                  uint32_t& best);
  void find_among(const ByBeginning& beginnings, std::string_view text, const Selecting& narrow,
                  uint32_t& best);
  void find_among(const Patterns& patterns, const Pattern& first, std::string_view written,
                  const Selecting& narrow, uint32_t& best);
  bool covers(const Selecting& wide, const Selecting& narrow);
  bool covers(const Pattern& wide, const Pattern& narrow, bool same_text);
  bool covers(const TargetPattern& wide, const TargetPattern& narrow, bool same_text);

  SearchBudget& budget_;
  std::vector<Selecting> added_;
  std::array<Patterns, 8> by_kind_;  // by SelectorKind, of their patterns; of kAll, upstreams
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_SHADOWING_H_
