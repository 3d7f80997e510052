// The fleet's store in memory: what policy/leases.h says, in as few words as possible. For
// simulation it can be copied as a replica has it, some of its last changes missing.
#ifndef REEVE_TESTS_SUPPORT_MEMORY_LEASES_H_
#define REEVE_TESTS_SUPPORT_MEMORY_LEASES_H_

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "policy/leases.h"

namespace reeve::policy {

class MemoryLeases : public LeaseStore {
 public:
  // `system` differs from instance to instance.
  explicit MemoryLeases(std::string system) : system_(std::move(system)) {}

  Result<Reply> exchange(const Exchange& x) override {
    ++version_;
    return carry_out(x);
  }

  // Time by the store's clock, which only tells clocks that are far ahead.
  void set_now(Time now) { now_ = now; }

  // With a replica, joins are safe when it has them.
  void add_replica() { replica_ = std::make_unique<State>(state_); }
  bool has_replica() const { return replica_ != nullptr; }
  void replicate() {
    if (replica_ == nullptr || promoted_) return;
    *replica_ = state_;
    replicated_ = version_;
  }
  // The replica as a store of its own; this one may live on, without knowing.
  std::unique_ptr<MemoryLeases> promote(std::string system) {
    auto next = std::make_unique<MemoryLeases>(std::move(system));
    next->state_ = *replica_;
    next->now_ = now_;
    promoted_ = true;
    return next;
  }

  Micros allowance(const std::string& member, const AccountKey& key, Time start) const {
    const auto account = state_.allowances.find({key, start});
    if (account == state_.allowances.end()) return 0;
    const auto mine = account->second.find(member);
    return mine == account->second.end() ? 0 : mine->second;
  }
  Micros taken(const AccountKey& key, Time start) const {
    Micros sum = 0;
    const auto account = state_.allowances.find({key, start});
    if (account == state_.allowances.end()) return 0;
    for (const auto& [member, amount] : account->second) sum += amount;
    return sum;
  }
  // Who holds what, for the messages of tests.
  std::string describe(const AccountKey& key, Time start) const {
    std::string text = state_.history;
    for (const auto& [name, row] : state_.members) {
      text += "\n" + name + " " + row.instance + (row.active ? " active" : " away") + " era " +
              std::to_string(row.era) + " holds " + std::to_string(allowance(name, key, start));
    }
    return text;
  }

 private:
  using AccountWindow = std::pair<AccountKey, Time>;
  struct Row {
    std::string instance;
    std::string token;
    uint64_t attempt = 0;
    uint64_t era = 0;
    uint64_t beat = 0;
    bool active = false;
  };
  struct State {
    uint64_t era = 0;
    std::string history;
    std::set<std::string> ancestors;
    std::string system;
    std::map<std::string, Row> members;
    std::map<AccountWindow, std::map<std::string, Micros>> allowances;
    std::map<AccountKey, Time> closed_before;
  };

  void begin_history(uint64_t era) {
    if (!state_.history.empty()) state_.ancestors.insert(state_.history);
    state_.era = era;
    state_.history = system_ + "/" + std::to_string(era) + "/" + std::to_string(version_);
    state_.system = system_;
  }

  static Reply refusal(Reply::Outcome outcome) {
    Reply reply;
    reply.outcome = outcome;
    return reply;
  }

  Reply carry_out(const Exchange& x) {
    if (state_.system != system_) begin_history(state_.era + 1);
    return x.kind == Exchange::Kind::kJoin ? join(x) : trade(x);
  }

  static bool among(const std::string& token, const std::vector<std::string>& tokens) {
    return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
  }

  Reply join(const Exchange& x) {
    const auto known = state_.members.find(x.member);
    if (known != state_.members.end()) {
      const Row& row = known->second;
      if (!among(row.token, x.tokens)) return refusal(Reply::Outcome::kFenced);
      if (row.token == x.next_token && x.attempt <= row.attempt) {
        return refusal(Reply::Outcome::kTooLate);
      }
    }
    for (const LeaseLine& line : x.lines) {
      if (line.unknown_before > now_ + std::chrono::hours(1)) {
        return refusal(Reply::Outcome::kAhead);
      }
    }
    if (x.era > 0 && x.history != state_.history && !state_.ancestors.contains(x.history)) {
      begin_history(std::max(state_.era, x.era) + 1);
    }

    std::map<AccountKey, Time> current;  // of each account, the latest window that it knows
    for (const LeaseLine& line : x.lines) {
      Time& start = current.try_emplace(line.key, line.window.start).first->second;
      start = std::max(start, line.window.start);
      Time& closed = state_.closed_before.try_emplace(line.key, Time::min()).first->second;
      closed = std::max(closed, line.unknown_before);
    }
    for (auto& [window, amounts] : state_.allowances) {
      const auto latest = current.find(window.first);
      if (latest == current.end() || window.second > latest->second) amounts.erase(x.member);
    }
    for (const LeaseLine& line : x.lines) {
      Micros& amount = state_.allowances[{line.key, line.window.start}][x.member];
      const bool is_current = line.window.start == current[line.key];
      amount = is_current ? line.held : std::max(amount, line.held);
    }
    Row& row = state_.members[x.member];
    row = {x.instance, x.next_token, x.attempt, state_.era, row.beat + 1, true};
    joined_at_[x.member] = version_;
    return answered(x.member);
  }

  Reply trade(const Exchange& x) {
    const auto known = state_.members.find(x.member);
    if (known == state_.members.end()) return refusal(Reply::Outcome::kMustJoin);
    Row& row = known->second;
    if (row.token != x.tokens.front()) {
      return refusal(among(row.token, x.tokens) ? Reply::Outcome::kMustJoin
                                                : Reply::Outcome::kFenced);
    }
    if (x.attempt <= row.attempt) return refusal(Reply::Outcome::kTooLate);
    if (!row.active || row.era != state_.era || x.history != state_.history) {
      return refusal(Reply::Outcome::kMustJoin);
    }
    for (const LeaseLine& line : x.lines) {
      if (allowance(x.member, line.key, line.window.start) < line.held) {
        begin_history(state_.era + 1);  // it forgot what it acknowledged
        return refusal(Reply::Outcome::kMustJoin);
      }
    }
    row.attempt = x.attempt;
    ++row.beat;
    for (const FleetMember& silent : x.silent) {
      const auto other = state_.members.find(silent.member);
      if (other == state_.members.end() || other->second.beat != silent.beat) continue;
      if (other->second.era == state_.era) other->second.active = false;
    }
    Reply reply = answered(x.member);
    for (const LeaseLine& line : x.lines) {
      reply.answers.push_back(settle(x.member, line, reply.grants));
    }
    if (x.kind == Exchange::Kind::kLeave) row.active = false;
    return reply;
  }

  LeaseAnswer settle(const std::string& member, const LeaseLine& line, bool grants) {
    Micros& amount = state_.allowances[{line.key, line.window.start}][member];
    const auto closed = state_.closed_before.find(line.key);
    const bool open = closed == state_.closed_before.end() || line.window.start >= closed->second;
    if (line.want < amount) {
      amount = line.want;
    } else if (grants && open) {
      const Micros left = line.limit - taken(line.key, line.window.start);
      const Micros most = std::min(line.want, amount + std::max<Micros>(left, 0));
      if (most >= line.least) amount = most;
    }
    return {amount, taken(line.key, line.window.start)};
  }

  Reply answered(const std::string& member) {
    Reply reply;
    reply.era = state_.era;
    reply.history = state_.history;
    reply.safe = replica_ == nullptr || joined_at_[member] <= replicated_;
    reply.grants = reply.safe;
    for (const auto& [name, row] : state_.members) {
      if (!row.active) continue;
      reply.members.push_back({name, row.instance, row.beat});
      if (row.era == state_.era) continue;
      reply.waited_for.push_back(row.instance);
      reply.grants = false;
    }
    return reply;
  }

  const std::string system_;
  State state_;
  std::unique_ptr<State> replica_;
  bool promoted_ = false;
  uint64_t version_ = 0;
  uint64_t replicated_ = 0;
  std::map<std::string, uint64_t> joined_at_;
  Time now_{};
};

}  // namespace reeve::policy

#endif  // REEVE_TESTS_SUPPORT_MEMORY_LEASES_H_
