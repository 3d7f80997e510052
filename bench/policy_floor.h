// The floor: what a decision costs when someone writes it by hand for this one workload.
//
// Rules are numbered as they decide (deny first). A hash of the name, of its service, or of what
// follows the service, leads to a sparse set of rules; it is ANDed with the agent's bitset and with
// the method's; what is left is checked with a few comparisons (RE2 for the expressions). Nothing
// is validated, explained or general; conditions get their values handed over as numbers.
#ifndef REEVE_BENCH_POLICY_FLOOR_H_
#define REEVE_BENCH_POLICY_FLOOR_H_

#include <re2/re2.h>

#include <bit>
#include <cstring>
#include <memory>

#include "bench/policy_workload.h"

namespace reeve::bench {

class Floor {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit Floor(const Workload& workload);

  // The index in file order of the rule that decides, or kNone.
  uint32_t decide(const Request& request) const {
    uint32_t best = kNone;
    const std::string_view target = request.target;
    View view{request, target, {}, 0};
    if (request.method == 0) {
      const size_t dot = target.find('.');
      consider(exact_, target, view, best);
      consider(service_, target.substr(0, dot), view, best);
      consider(tail_, target.substr(dot), view, best);
    } else {
      size_t begin = 1;
      while (view.count < 4) {
        size_t end = target.find('/', begin);
        if (end == std::string_view::npos) end = target.size();
        view.segments[view.count++] = target.substr(begin, end - begin);
        begin = end + 1;
      }
      const size_t one = 1 + view.segments[0].size();
      const size_t two = one + 1 + view.segments[1].size();
      consider(exact_, target, view, best);
      consider(collection_, target.substr(0, two), view, best);
      consider(service_, target.substr(0, one), view, best);
      consider(tail_, view.segments[3], view, best);
    }
    return best == kNone ? kNone : order_[best];
  }

 private:
  struct View {
    const Request& request;
    std::string_view target;
    std::string_view segments[4];
    uint32_t count;
  };
  struct Word {
    uint32_t index;
    uint64_t bits;
  };
  struct Slot {
    uint64_t hash = 0;
    std::string key;
    std::vector<uint32_t> rules;  // while building
    uint32_t begin = 0;           // of words_
    uint32_t end = 0;
  };
  // Open addressing, at most a quarter full.
  struct Index {
    bool certain = false;  // being there is a match
    std::vector<Slot> slots;

    static uint64_t hash(std::string_view key) {
      uint64_t h = key.size() * 0x9E3779B97F4A7C15u;
      while (key.size() >= 8) {
        uint64_t word;
        std::memcpy(&word, key.data(), 8);
        h = (std::rotl(h, 23) ^ word) * 0x9FB21C651E98DF25u;
        key.remove_prefix(8);
      }
      uint64_t word = 0;
      for (const char c : key) word = word << 8 | static_cast<uint8_t>(c);
      h = (std::rotl(h, 23) ^ word) * 0x9FB21C651E98DF25u;
      return (h ^ h >> 32) | 1;
    }
    size_t place(std::string_view key, uint64_t hashed) const {
      size_t at = hashed & (slots.size() - 1);
      while (slots[at].hash != 0 && (slots[at].hash != hashed || slots[at].key != key)) {
        at = (at + 1) & (slots.size() - 1);
      }
      return at;
    }
  };

  void consider(const Index& index, std::string_view key, const View& view, uint32_t& best) const {
    const Slot& slot = index.slots[index.place(key, Index::hash(key))];
    const uint64_t* agent = agents_.data() + view.request.agent * words_per_set_;
    const uint64_t* method = methods_.data() + view.request.method * words_per_set_;
    for (uint32_t i = slot.begin; i < slot.end; ++i) {
      const Word& word = words_[i];
      if (word.index * 64 >= best) return;
      uint64_t left = word.bits & agent[word.index] & method[word.index];
      for (; left != 0; left &= left - 1) {
        const uint32_t rule = word.index * 64 + static_cast<uint32_t>(std::countr_zero(left));
        if (rule >= best) return;
        if ((index.certain || matches(rule, view)) && holds(rule, view.request)) {
          best = rule;
          return;
        }
      }
    }
  }
  bool matches(uint32_t rule, const View& view) const {
    const Rule& r = workload_.rules[order_[rule]];
    if (regexes_[rule]) {
      return RE2::FullMatch(re2::StringPiece(view.target.data(), view.target.size()),
                            *regexes_[rule]);
    }
    if (!r.http) {
      return view.target.size() >= r.head.size() + r.tail.size() &&
             view.target.starts_with(r.head) && view.target.ends_with(r.tail);
    }
    for (size_t i = 0; i < r.segments.size(); ++i) {
      if (r.segments[i] != "*" && r.segments[i] != view.segments[i]) return false;
    }
    return true;
  }
  bool holds(uint32_t rule, const Request& request) const {
    if (!workload_.conditions) return true;
    const Arguments& given = workload_.arguments[request.arguments];
    return given.amount <= workload_.rules[order_[rule]].max_amount &&
           (given.currency == "USD" || given.currency == "EUR");
  }
  static void add(Index& index, std::string_view key, uint32_t rule) {
    const uint64_t hashed = Index::hash(key);
    Slot& slot = index.slots[index.place(key, hashed)];
    slot.hash = hashed;
    slot.key = key;
    slot.rules.push_back(rule);
  }
  void finish(Index& index);

  const Workload& workload_;
  std::vector<uint32_t> order_;  // rule as it decides, to its index in file order
  size_t words_per_set_ = 0;
  std::vector<uint64_t> agents_;
  std::vector<uint64_t> methods_;
  std::vector<Word> words_;
  std::vector<std::unique_ptr<RE2>> regexes_;
  Index exact_{.certain = true};
  Index service_;
  Index collection_;
  Index tail_;
};

inline void Floor::finish(Index& index) {
  for (Slot& slot : index.slots) {
    slot.begin = static_cast<uint32_t>(words_.size());
    for (const uint32_t rule : slot.rules) {
      if (words_.size() == slot.begin || words_.back().index != rule / 64) {
        words_.push_back({rule / 64, 0});
      }
      words_.back().bits |= uint64_t{1} << rule % 64;
    }
    slot.end = static_cast<uint32_t>(words_.size());
    slot.rules = {};
  }
}

inline Floor::Floor(const Workload& workload) : workload_(workload) {
  const uint32_t count = static_cast<uint32_t>(workload.rules.size());
  for (const bool deny : {true, false}) {
    for (uint32_t i = 0; i < count; ++i) {
      if (workload.rules[i].deny == deny) order_.push_back(i);
    }
  }
  words_per_set_ = (count + 63) / 64;
  agents_.resize(workload.agent_roles.size() * words_per_set_);
  methods_.resize(std::size(kMethods) * words_per_set_);
  regexes_.resize(count);
  for (Index* index : {&exact_, &service_, &collection_, &tail_}) {
    index->slots.resize(std::bit_ceil(size_t{4} * count));
  }
  for (uint32_t rule = 0; rule < count; ++rule) {
    const Rule& r = workload.rules[order_[rule]];
    const uint64_t bit = uint64_t{1} << rule % 64;
    for (size_t agent = 0; agent < workload.agent_roles.size(); ++agent) {
      for (const uint32_t role : workload.agent_roles[agent]) {
        if (role == r.role) agents_[agent * words_per_set_ + rule / 64] |= bit;
      }
    }
    for (size_t method = 0; method < std::size(kMethods); ++method) {
      if (method == r.method || (r.method == kAnyMethod && method > 0)) {
        methods_[method * words_per_set_ + rule / 64] |= bit;
      }
    }
    if (r.form == Form::kRegex) {
      regexes_[rule] = std::make_unique<RE2>(r.pattern, RE2::Quiet);
    }
    const std::string service = r.http ? "/" + r.service : r.service;
    if (r.form == Form::kExact) {
      add(exact_, r.pattern, rule);
    } else if (r.where == Where::kAnyService) {
      add(tail_, r.http ? r.segments[3] : r.tail, rule);
    } else if (r.http && r.segments.size() > 1 && r.segments[1] != "*") {
      add(collection_, service + "/" + r.segments[1], rule);
    } else {
      add(service_, service, rule);
    }
  }
  for (Index* index : {&exact_, &service_, &collection_, &tail_}) finish(*index);
}

}  // namespace reeve::bench

#endif  // REEVE_BENCH_POLICY_FLOOR_H_
