// The machine of a plain expression before it is a table: states with edges over sets of bytes, and
// edges that take none. Internal to state_table.cc; see state_table.h.
#ifndef REEVE_POLICY_STATE_MACHINE_H_
#define REEVE_POLICY_STATE_MACHINE_H_

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace reeve::policy {

using ByteSet = std::bitset<256>;

struct StateMachine {
  static constexpr size_t kMostStates = 256;
  using States = std::bitset<kMostStates>;

  struct Edge {
    uint32_t set = 0;  // in `sets`
    uint32_t to = 0;
  };
  struct State {
    std::vector<Edge> edges;
    std::vector<uint32_t> jumps;
  };

  std::vector<State> states;
  std::vector<ByteSet> sets;  // all different
  uint32_t begin = 0;
  uint32_t end = 0;
};

// Nothing when the expression is not of the plain kind, or has too many states.
std::optional<StateMachine> read_plain_expression(std::string_view expression);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_STATE_MACHINE_H_
