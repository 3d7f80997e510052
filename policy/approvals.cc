// Tested by tests/policy/approvals_test.cc, by example and by random runs against a model.
#include "policy/approvals.h"

#include <algorithm>
#include <array>

#include "policy/text.h"

namespace reeve::policy {
namespace {

constexpr std::array<std::string_view, 6> kStates = {"pending", "approved", "denied",
                                                     "expired", "released", "voided"};

// No two bindings have one key: each part says how long it is.
std::string key_of(const ApprovalBinding& bound) {
  std::string key;
  for (const std::string* part :
       {&bound.agent, &bound.upstream, &bound.action, &bound.target, &bound.query,
        &bound.content_type, &bound.digest, &bound.definition}) {
    key += std::to_string(part->size());
    key += ':';
    key += *part;
  }
  return key;
}

const ApproverGroup* find_group(std::span<const ApproverGroup> groups, std::string_view name) {
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const ApproverGroup& group) { return group.name == name; });
  return found == groups.end() ? nullptr : &*found;
}

bool is_member(const ApproverGroup& group, std::string_view person) {
  return std::find(group.members.begin(), group.members.end(), person) != group.members.end();
}

// Mail addresses differ in case without being two people's.
bool may_say_yes(const ApproverGroup& group, std::string_view person, std::string_view owner) {
  if (group.not_owner && equals_ignoring_case(person, owner)) return false;
  return is_member(group, person);
}

void sort(std::vector<ApprovalAsk>& asks) {
  std::sort(asks.begin(), asks.end());
  asks.erase(std::unique(asks.begin(), asks.end()), asks.end());
}

}  // namespace

std::string_view to_string(ApprovalState state) { return kStates[static_cast<size_t>(state)]; }

std::optional<ApprovalState> approval_state(std::string_view name) {
  const auto found = std::find(kStates.begin(), kStates.end(), name);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<ApprovalState>(found - kStates.begin());
}

Time Approvals::forward(Time now) { return latest_ = std::max(latest_, now); }

// What ask() finds again: what is open, and a no that nobody has heard.
void Approvals::index(const Approval& approval, bool add) {
  const bool is_no =
      approval.state == ApprovalState::kDenied || approval.state == ApprovalState::kExpired;
  if (approval.state == ApprovalState::kPending) {
    pending_ += add ? 1 : static_cast<size_t>(-1);
    size_t& of_agent = pending_of_[approval.bound.agent];
    of_agent += add ? 1 : static_cast<size_t>(-1);
    if (of_agent == 0) pending_of_.erase(approval.bound.agent);
  }
  if (!approval.open() && (!is_no || approval.told)) return;
  const std::string key = key_of(approval.bound);
  if (add) {
    by_binding_[key] = approval.id;
  } else if (const auto at = by_binding_.find(key);
             at != by_binding_.end() && at->second == approval.id) {
    by_binding_.erase(at);
  }
}

void Approvals::end(Approval& approval, ApprovalState state, Time now) {
  index(approval, false);
  if (approval.state == ApprovalState::kPending) approval.decided = now;
  // A yes that nobody used in time is no no: the same call asks anew.
  if (approval.state == ApprovalState::kApproved) approval.told = true;
  approval.state = state;
  if (state == ApprovalState::kApproved) approval.expires = now + approval.within;
  index(approval, true);
}

bool Approvals::satisfied(const Approval& approval, std::span<const ApproverGroup> groups) {
  return std::all_of(approval.asks.begin(), approval.asks.end(), [&](const ApprovalAsk& ask) {
    const ApproverGroup* group = find_group(groups, ask.group);
    if (group == nullptr) return false;
    // vote() takes one vote of a person.
    const auto yes =
        std::count_if(approval.votes.begin(), approval.votes.end(), [&](const ApprovalVote& vote) {
          return vote.yes && may_say_yes(*group, vote.person, approval.owner);
        });
    return yes >= static_cast<ptrdiff_t>(std::max<uint32_t>(group->need, 1));
  });
}

Approvals::Answer Approvals::ask(Question question, std::string id, std::string nonce, Time now) {
  now = forward(now);
  sort(question.asks);
  Answer answer;
  if (const auto at = by_binding_.find(key_of(question.bound)); at != by_binding_.end()) {
    Approval& found = all_.find(at->second)->second;
    if (found.open() && now >= found.expires) end(found, ApprovalState::kExpired, now);
    if (!found.open() && !found.told) {
      mark_told(found.id);
      return {Answer::Kind::kTold, found.id, {}};
    }
    if (found.open() && found.asks == question.asks) return {Answer::Kind::kAttached, found.id, {}};
    if (found.open()) {
      answer.voided = found.id;
      end(found, ApprovalState::kVoided, now);
    }
  }
  const auto of_agent = pending_of_.find(question.bound.agent);
  if (pending_ >= limits_.pending ||
      (of_agent != pending_of_.end() && of_agent->second >= limits_.pending_of_agent)) {
    return answer;
  }
  Approval made;
  made.id = std::move(id);
  made.nonce = std::move(nonce);
  made.bound = std::move(question.bound);
  made.asks = std::move(question.asks);
  made.owner = std::move(question.owner);
  made.policy = std::move(question.policy);
  made.context = std::move(question.context);
  made.within = question.within;
  made.asked = now;
  made.expires = now + made.within;
  answer.kind = Answer::Kind::kCreated;
  answer.id = made.id;
  put(std::move(made));
  return answer;
}

Approvals::Voted Approvals::vote(std::string_view id, std::string_view person, bool yes,
                                 std::string why, std::span<const ApproverGroup> groups, Time now) {
  now = forward(now);
  const auto at = all_.find(id);
  if (at == all_.end()) return Voted::kUnknown;
  Approval& approval = at->second;
  if (approval.state != ApprovalState::kPending) return Voted::kEnded;
  if (now >= approval.expires) return Voted::kEnded;
  const bool may = std::any_of(approval.asks.begin(), approval.asks.end(), [&](const auto& ask) {
    const ApproverGroup* group = find_group(groups, ask.group);
    return group && (yes ? may_say_yes(*group, person, approval.owner) : is_member(*group, person));
  });
  if (!may) return Voted::kNotAsked;
  const bool spoken = std::any_of(
      approval.votes.begin(), approval.votes.end(),
      [&](const ApprovalVote& vote) { return equals_ignoring_case(vote.person, person); });
  if (spoken) return Voted::kAlready;
  approval.votes.push_back({std::string(person), yes, std::move(why), now});
  if (!yes) {
    end(approval, ApprovalState::kDenied, now);
    return Voted::kDecided;
  }
  if (!satisfied(approval, groups)) return Voted::kCounted;
  end(approval, ApprovalState::kApproved, now);
  return Voted::kDecided;
}

Approvals::Released Approvals::release(std::string_view id, const ApprovalBinding& bound,
                                       std::vector<ApprovalAsk> asks,
                                       std::span<const ApproverGroup> groups, Time now) {
  now = forward(now);
  const auto at = all_.find(id);
  if (at == all_.end()) return Released::kUnknown;
  Approval& approval = at->second;
  if (approval.bound != bound) return Released::kOtherCall;
  if (approval.state != ApprovalState::kApproved) return Released::kNotApproved;
  if (now >= approval.expires) {
    end(approval, ApprovalState::kExpired, now);
    return Released::kNotApproved;
  }
  sort(asks);
  if (asks != approval.asks || !satisfied(approval, groups)) {
    end(approval, ApprovalState::kVoided, now);
    return Released::kVoided;
  }
  end(approval, ApprovalState::kReleased, now);
  return Released::kReleased;
}

bool Approvals::stop(std::string_view id, std::string_view person, std::string why, Time now) {
  now = forward(now);
  const auto at = all_.find(id);
  if (at == all_.end() || !at->second.open()) return false;
  Approval& approval = at->second;
  if (approval.state == ApprovalState::kApproved) {
    end(approval, ApprovalState::kVoided, now);
    return true;
  }
  approval.votes.push_back({std::string(person), false, std::move(why), now});
  end(approval, ApprovalState::kDenied, now);
  mark_told(id);
  return true;
}

bool Approvals::void_open(std::string_view id, Time now) {
  const auto at = all_.find(id);
  if (at == all_.end() || !at->second.open()) return false;
  end(at->second, ApprovalState::kVoided, forward(now));
  return true;
}

void Approvals::expire(Time now, std::vector<std::string>& ended) {
  now = forward(now);
  for (auto& [id, approval] : all_) {
    if (!approval.open() || now < approval.expires) continue;
    end(approval, ApprovalState::kExpired, now);
    ended.push_back(id);
  }
}

std::optional<Time> Approvals::next_expiry() const {
  std::optional<Time> next;
  for (const auto& [id, approval] : all_) {
    if (approval.open() && (!next || approval.expires < *next)) next = approval.expires;
  }
  return next;
}

void Approvals::mark_told(std::string_view id) {
  const auto at = all_.find(id);
  if (at == all_.end()) return;
  index(at->second, false);
  at->second.told = true;
  index(at->second, true);
}

void Approvals::put(Approval approval) {
  forget(approval.id);
  index(approval, true);
  std::string id = approval.id;
  all_.emplace(std::move(id), std::move(approval));
}

void Approvals::forget(std::string_view id) {
  const auto at = all_.find(id);
  if (at == all_.end()) return;
  index(at->second, false);
  all_.erase(at);
}

std::vector<std::string> Approvals::surplus() const {
  std::vector<std::string> ended;
  for (const auto& [id, approval] : all_) {
    if (!approval.open()) ended.push_back(id);
  }
  ended.resize(ended.size() > limits_.kept ? ended.size() - limits_.kept : 0);
  return ended;
}

const Approval* Approvals::find(std::string_view id) const {
  const auto at = all_.find(id);
  return at == all_.end() ? nullptr : &at->second;
}

const Approval* Approvals::find_bound(const ApprovalBinding& bound) const {
  const auto at = by_binding_.find(key_of(bound));
  return at == by_binding_.end() ? nullptr : find(at->second);
}

}  // namespace reeve::policy
