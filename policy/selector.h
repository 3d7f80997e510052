// What a rule, price or budget selects, compiled: upstreams, and patterns over one kind of target.
//
// matches() is the definition of selecting; the tables of matcher.h only find sooner what it would
// find by trying every selector. Immutable; matching allocates only for
// expressions over `METHOD PATH` lines of more than 4 KiB.
#ifndef REEVE_POLICY_SELECTOR_H_
#define REEVE_POLICY_SELECTOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/call.h"
#include "policy/document.h"
#include "policy/pattern.h"
#include "policy/result.h"

namespace reeve::policy {

// A pattern over the target of a call; for `http` with the methods before it.
class TargetPattern {
 public:
  static Result<TargetPattern> compile(SelectorKind kind, std::string_view text);

  // Requires a call of the kind that it was compiled for.
  bool matches(const Call& call) const;

  const Pattern& pattern() const { return pattern_; }
  // One bit for each method of HTTP (method_bit()); all bits for any.
  uint16_t methods() const { return methods_; }
  // An expression over `METHOD PATH`: the pattern alone does not tell where a match begins.
  bool is_whole_line() const { return whole_line_; }

 private:
  bool matches_line(const Call& call) const;

  Pattern pattern_;
  uint16_t methods_ = 0xFFFF;
  std::vector<std::string> other_methods_;  // those that share kOtherMethod
  bool whole_line_ = false;
};

inline constexpr uint16_t kOtherMethod = 1u << 15;
// The bit of an HTTP method; kOtherMethod for all that have none of their own.
uint16_t method_bit(std::string_view method);

// The selector that speaks about calls of this kind.
SelectorKind selector_kind(Kind kind);
// What its patterns are matched against: the target, or the method of kMethod.
inline std::string_view target_of(const Call& call) {
  return call.kind == Kind::kMethod ? call.action : call.target;
}
// The MCP methods that an `allow` without a selector covers; others must be named.
bool is_known_method(std::string_view method);
// Those that the protocol itself needs (initialize, ping, lists): see decide_housekeeping().
bool is_housekeeping(std::string_view method);

// The texts of a selector, compiled once, by parsing, for all that is made from it.
struct SelectorParts {
  std::vector<Pattern> upstreams;  // empty: all; of kConnect, none
  std::vector<TargetPattern> patterns;
  std::vector<TargetPattern> except;
};

class CompiledSelector {
 public:
  CompiledSelector();
  // `grants`: an MCP method that reeve does not know is selected by its name alone.
  // Requires a selector that parsed without error.
  CompiledSelector(const Selector& source, bool grants);

  bool matches(const Call& call) const {
    return covers_upstream(call.upstream) && matches_target(call);
  }
  bool covers_upstream(std::string_view upstream) const;
  // The part behind the upstream: kind, patterns and `except`.
  bool matches_target(const Call& call) const;
  bool excepts(const Call& call) const;
  // Whether this pattern of the selector may select the call's method, when it is an unknown one.
  bool may_select_method(const Pattern& pattern, const Call& call) const;

  SelectorKind kind() const { return kind_; }
  // Every call at all; of budgets without a selector.
  bool is_everything() const { return kind_ == SelectorKind::kAll && parts_->upstreams.empty(); }
  bool has_except() const { return has_except_; }
  const std::vector<Pattern>& upstreams() const { return parts_->upstreams; }
  const std::vector<TargetPattern>& patterns() const { return parts_->patterns; }

 private:
  SelectorKind kind_ = SelectorKind::kAll;
  bool grants_ = false;
  bool has_except_ = false;  // beside `parts_`: decisions ask it of every candidate
  std::shared_ptr<const SelectorParts> parts_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_SELECTOR_H_
