// From a machine to its table (subset construction), limited in states and bytes. See
// state_table.h.
#include "policy/state_table.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "policy/state_machine.h"

namespace reeve::policy {

namespace {

constexpr size_t kLongestExpression = 512;
constexpr size_t kMostTableStates = 255;
constexpr size_t kMostTableBytes = 4096;
constexpr size_t kMostSteps = 200'000;  // of building: well below a millisecond

using States = StateMachine::States;

// What each state reaches without a byte, itself included.
std::vector<States> reach(const StateMachine& machine) {
  std::vector<States> reached(machine.states.size());
  std::vector<uint32_t> open;
  for (uint32_t from = 0; from < reached.size(); ++from) {
    open.push_back(from);
    while (!open.empty()) {
      const uint32_t state = open.back();
      open.pop_back();
      if (reached[from].test(state)) continue;
      reached[from].set(state);
      const auto& jumps = machine.states[state].jumps;
      open.insert(open.end(), jumps.begin(), jumps.end());
    }
  }
  return reached;
}

}  // namespace

class StateTable::Builder {
 public:
  explicit Builder(const StateMachine& machine) : machine_(machine), reached_(reach(machine)) {}

  std::optional<StateTable> run() {
    find_classes();
    if (!find_subsets()) return std::nullopt;
    walk_prefix();
    number_states();
    if ((numbered_.size() << out_.shift_) > kMostTableBytes) return std::nullopt;
    write();
    return std::move(out_);
  }

 private:
  static constexpr uint32_t kNowhere = 0;  // the subset without states

  // Bytes that are in the same sets share a class.
  void find_classes() {
    uint32_t count = 1;
    for (const ByteSet& set : machine_.sets) {
      std::array<int, 256>
          split;  // by class: the new one for those of its bytes that are in the set
      split.fill(-1);
      std::array<size_t, 256> outside{};
      for (size_t byte = 0; byte < 256; ++byte) outside[out_.classes_[byte]] += !set.test(byte);
      for (size_t byte = 0; byte < 256; ++byte) {
        uint8_t& own = out_.classes_[byte];
        if (!set.test(byte) || outside[own] == 0) continue;
        if (split[own] < 0) split[own] = static_cast<int>(count++);
        own = static_cast<uint8_t>(split[own]);
      }
    }
    sample_.resize(count);
    sizes_.resize(count);
    for (size_t byte = 0; byte < 256; ++byte) {
      sample_[out_.classes_[byte]] = byte;
      ++sizes_[out_.classes_[byte]];
    }
    out_.shift_ = static_cast<uint32_t>(std::bit_width(count - 1));
  }

  uint32_t subset(const States& states) {
    const auto [known, is_new] =
        subset_ids_.try_emplace(states, static_cast<uint32_t>(subsets_.size()));
    if (is_new) subsets_.push_back(states);
    return known->second;
  }

  bool find_subsets() {
    subset({});  // kNowhere
    begin_ = subset(reached_[machine_.begin]);
    size_t steps = 0;
    for (uint32_t i = 0; i < subsets_.size(); ++i) {
      if (subsets_.size() > kMostTableStates || steps > kMostSteps) return false;
      const States from = subsets_[i];
      std::vector<States> to(sample_.size());
      for (size_t state = from._Find_first(); state < from.size(); state = from._Find_next(state)) {
        for (const StateMachine::Edge& edge : machine_.states[state].edges) {
          steps += sample_.size();
          for (size_t c = 0; c < sample_.size(); ++c) {
            if (machine_.sets[edge.set].test(sample_[c])) to[c] |= reached_[edge.to];
          }
        }
      }
      for (const States& states : to) next_.push_back(subset(states));
    }
    return true;
  }

  uint32_t next(uint32_t from, size_t by) const { return next_[from * sample_.size() + by]; }
  bool accepts(uint32_t at) const { return subsets_[at].test(machine_.end); }

  // As long as there is one way to go on, by one ASCII character.
  void walk_prefix() {
    while (!accepts(begin_) && out_.prefix_.size() < kLongestExpression) {
      size_t ways = 0;
      size_t way = 0;
      for (size_t c = 0; c < sample_.size(); ++c) {
        if (next(begin_, c) == kNowhere) continue;
        ways += sizes_[c];
        way = c;
      }
      if (ways != 1 || sample_[way] >= 0x80) return;
      out_.prefix_ += static_cast<char>(sample_[way]);
      begin_ = next(begin_, way);
    }
  }

  // Those that are reached from behind the prefix: first the one without states, last those that
  // accept.
  void number_states() {
    std::vector<bool> seen(subsets_.size());
    const auto add = [&](uint32_t state) {
      if (!seen[state]) numbered_.push_back(state);
      seen[state] = true;
    };
    add(kNowhere);
    add(begin_);
    for (size_t i = 1; i < numbered_.size(); ++i) {
      for (size_t c = 0; c < sample_.size(); ++c) add(next(numbered_[i], c));
    }
    const auto accepting = std::partition(numbered_.begin() + 1, numbered_.end(),
                                          [&](uint32_t state) { return !accepts(state); });
    out_.first_accepting_ = static_cast<uint32_t>(accepting - numbered_.begin());
  }

  void write() {
    std::vector<uint8_t> number(subsets_.size());
    for (size_t i = 0; i < numbered_.size(); ++i) number[numbered_[i]] = static_cast<uint8_t>(i);
    out_.start_ = number[begin_];
    out_.next_.assign(numbered_.size() << out_.shift_, kDead);
    for (size_t i = 0; i < numbered_.size(); ++i) {
      for (size_t c = 0; c < sample_.size(); ++c) {
        out_.next_[(i << out_.shift_) + c] = number[next(numbered_[i], c)];
      }
    }
  }

  const StateMachine& machine_;
  const std::vector<States> reached_;
  std::vector<size_t> sample_;   // a byte of each class
  std::vector<size_t> sizes_;    // bytes of each class
  std::vector<States> subsets_;  // states that the machine may be in at once
  std::unordered_map<States, uint32_t> subset_ids_;
  std::vector<uint32_t> next_;      // by subset and class
  uint32_t begin_ = 0;              // where a text begins, in the end behind the prefix
  std::vector<uint32_t> numbered_;  // by state of the table: its subset
  StateTable out_;
};

std::optional<StateTable> StateTable::compile(std::string_view expression) {
  if (expression.size() > kLongestExpression) return std::nullopt;
  const std::optional<StateMachine> machine = read_plain_expression(expression);
  if (!machine) return std::nullopt;
  return Builder(*machine).run();
}

}  // namespace reeve::policy
