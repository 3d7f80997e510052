// Who a sidecar is in its fleet. Tested by tests/policy/leases_test.cc and
// fleet_simulation_test.cc.
#include "policy/leases.h"

namespace reeve::policy {

namespace {

constexpr size_t kTokens = 64;

}  // namespace

LeaseMember::LeaseMember(MemberState state, std::string instance,
                         std::function<std::string()> new_id)
    : state_(std::move(state)), instance_(std::move(instance)), new_id_(std::move(new_id)) {
  if (state_.member.empty()) state_.member = new_id_();
}

Exchange LeaseMember::begin(Exchange::Kind kind) {
  Exchange exchange;
  exchange.kind = kind;
  exchange.member = state_.member;
  exchange.instance = instance_;
  exchange.tokens = state_.tokens;
  exchange.attempt = ++attempt_;
  exchange.era = state_.era;
  exchange.history = state_.history;
  return exchange;
}

Exchange LeaseMember::next(Steady now) {
  if (!joined_) {
    if (next_token_.empty()) {
      next_token_ = new_id_();
      // Until the answer is known the store may have either.
      state_.tokens.push_back(next_token_);
    }
    Exchange exchange = begin(Exchange::Kind::kJoin);
    exchange.next_token = next_token_;
    return exchange;
  }
  Exchange exchange = begin(Exchange::Kind::kTrade);
  for (const auto& [member, heard] : heard_) {
    if (now - heard.since >= kSilence) exchange.silent.push_back({member, {}, heard.beat});
  }
  return exchange;
}

Exchange LeaseMember::leave() { return begin(Exchange::Kind::kLeave); }

void LeaseMember::take(const Reply& reply, Steady now) {
  switch (reply.outcome) {
    case Reply::Outcome::kDone:
      break;
    case Reply::Outcome::kMustJoin:
      joined_ = false;
      return;
    case Reply::Outcome::kFenced:
      // Neither the id nor what was counted for it is this member's any more.
      state_ = {.member = new_id_(), .tokens = {}, .era = state_.era, .history = state_.history};
      next_token_.clear();
      joined_ = false;
      return;
    case Reply::Outcome::kTooLate:
    case Reply::Outcome::kAhead:
      return;
  }
  if (!joined_) {
    // A store may fall back to those of before.
    std::erase(state_.tokens, next_token_);
    state_.tokens.insert(state_.tokens.begin(), std::exchange(next_token_, {}));
    if (state_.tokens.size() > kTokens) state_.tokens.resize(kTokens);
    state_.era = reply.era;
    state_.history = reply.history;
    joined_ = true;
    heard_.clear();
  }
  members_ = reply.members.size();
  std::map<std::string, Heard> heard;
  for (const FleetMember& other : reply.members) {
    if (other.member == state_.member) continue;
    const auto before = heard_.find(other.member);
    const bool silent = before != heard_.end() && before->second.beat == other.beat;
    heard[other.member] = silent ? before->second : Heard{other.beat, now};
  }
  heard_ = std::move(heard);
}

}  // namespace reeve::policy
