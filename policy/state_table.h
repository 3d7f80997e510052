// Plain expressions as a table of states: one step for each byte, no lock, no memory of its own.
//
// RE2 takes ten times as long for the texts of calls, locks its cache, and its objects outgrow the
// processor's caches when a policy has hundreds. So what most policies write is compiled here:
// literals, `.`, classes of ASCII characters, \d \w \s, groups, `|`, `*` `+` `?` `{n,m}`. The rest
// (flags, anchors, Unicode classes, whatever needs too many states) is RE2's, and so is the
// definition: both accept the same texts, byte for byte, also those that are not UTF-8.
#ifndef REEVE_POLICY_STATE_TABLE_H_
#define REEVE_POLICY_STATE_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::policy {

class StateTable {
 public:
  // Nothing when `expression` is not of the plain kind, or not valid.
  static std::optional<StateTable> compile(std::string_view expression);

  // What every text that matches begins with.
  const std::string& prefix() const { return prefix_; }
  // Whether the whole of a text that begins with prefix() matches.
  bool matches_rest(std::string_view text) const {
    const uint8_t* const next = next_.data();
    size_t state = start_;
    for (const char c : text.substr(prefix_.size())) {
      state = next[(state << shift_) + classes_[static_cast<uint8_t>(c)]];
      if (state == kDead) return false;
    }
    return state >= first_accepting_;
  }

 private:
  class Builder;
  static constexpr uint8_t kDead = 0;

  std::array<uint8_t, 256> classes_{};  // of bytes that no state tells apart
  std::vector<uint8_t> next_;           // by state and class
  std::string prefix_;
  uint32_t shift_ = 0;
  uint32_t start_ = 0;            // behind the prefix
  uint32_t first_accepting_ = 0;  // states from here on are those in which a text may end
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_STATE_TABLE_H_
