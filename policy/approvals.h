// Approvals: which calls wait for people, what they said, and what a yes may be used for.
//
// A pure state machine: time, ids and storage come from outside. A record begins pending and ends
// once. A yes is for one call and is used at most once, by a call that is the same in everything
// that is bound, while the same rules ask and the people who said it still may:
//
//     pending -> approved -> released         pending -> denied | expired
//                approved -> expired | voided
//
// No answer in time is a no. A no is told once to the same call, if nobody was waiting when it was
// said; the call after that asks anew. Of one set of bound values at most one record is open.
//
// The clock may step back: time never does here. Not thread-safe.
#ifndef REEVE_POLICY_APPROVALS_H_
#define REEVE_POLICY_APPROVALS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/call.h"
#include "policy/obligation.h"

namespace reeve::policy {

// What a yes is bound to. Texts as they were judged.
struct ApprovalBinding {
  std::string agent;
  std::string upstream;
  std::string action;
  std::string target;
  std::string query;
  std::string content_type;
  std::string digest;      // SHA-256 of the canonical arguments or the body, in hex
  std::string definition;  // of the tool's definition, in hex; empty where it is not known

  friend bool operator==(const ApprovalBinding&, const ApprovalBinding&) = default;
};

// One rule that asks, and whom.
struct ApprovalAsk {
  std::string rule;
  std::string group;

  friend auto operator<=>(const ApprovalAsk&, const ApprovalAsk&) = default;
};

enum class ApprovalState : uint8_t {
  kPending,
  kApproved,  // may be released until it expires
  kDenied,
  kExpired,   // nobody said yes in time, or nobody used the yes in time
  kReleased,  // used
  kVoided,    // what is asked has changed since
};
std::string_view to_string(ApprovalState state);
std::optional<ApprovalState> approval_state(std::string_view name);

struct ApprovalVote {
  std::string person;
  bool yes = false;
  std::string why;
  Time time{};
};

struct Approval {
  std::string id;
  std::string nonce;  // what proves that a caller was given this record's id by reeve
  ApprovalBinding bound;
  std::vector<ApprovalAsk> asks;  // sorted; each must be satisfied
  std::string owner;              // of the agent, as of the asking
  std::string policy;             // SHA-256 of the policy that asked, in hex
  std::string context;            // for those who decide; not read here
  std::chrono::seconds within = kDefaultWithin;
  Time asked{};
  Time expires{};  // of the question while pending, of the yes while approved
  Time decided{};  // when it left kPending
  ApprovalState state = ApprovalState::kPending;
  std::vector<ApprovalVote> votes;
  bool told = false;  // a no that its caller has heard

  bool open() const {
    return state == ApprovalState::kPending || state == ApprovalState::kApproved;
  }
};

class Approvals {
 public:
  struct Limits {
    size_t pending = 1000;          // in all
    size_t pending_of_agent = 100;  // of one agent
    size_t kept = 1000;             // of those that have ended
  };

  explicit Approvals(Limits limits) : limits_(limits) {}
  Approvals() : Approvals(Limits{}) {}

  // What a call asks.
  struct Question {
    ApprovalBinding bound;
    std::vector<ApprovalAsk> asks;  // in any order; not empty
    std::string owner;
    std::string policy;
    std::string context;
    std::chrono::seconds within = kDefaultWithin;
  };
  struct Answer {
    enum class Kind : uint8_t {
      kCreated,
      kAttached,  // there is an open record for the same call
      kTold,      // there is a no that this call had not heard: `id` has ended
      kTooMany,   // as many wait as may
    };
    Kind kind = Kind::kTooMany;
    std::string id;
    std::string voided;  // the id of a record that other rules had asked for; mostly empty
  };
  // `id` and `nonce` are used where a record is created.
  Answer ask(Question question, std::string id, std::string nonce, Time now);

  enum class Voted : uint8_t {
    kCounted,   // more must say yes
    kDecided,   // it is approved or denied
    kUnknown,   // no such record
    kEnded,     // it is not pending
    kNotAsked,  // nobody asked this person, or the person owns the agent
    kAlready,   // this person has spoken
  };
  // `groups` are those of the policy in force. One no of somebody who is asked is enough.
  Voted vote(std::string_view id, std::string_view person, bool yes, std::string why,
             std::span<const ApproverGroup> groups, Time now);

  enum class Released : uint8_t {
    kReleased,  // the caller may go on; nobody else may by this yes
    kUnknown,
    kNotApproved,  // pending, or ended
    kOtherCall,    // something that is bound differs
    kVoided,       // other rules ask now, or somebody's yes no longer counts
  };
  Released release(std::string_view id, const ApprovalBinding& bound, std::vector<ApprovalAsk> asks,
                   std::span<const ApproverGroup> groups, Time now);
  // What it is about has been stopped, by this person: while pending it is denied, while approved
  // its yes is void. Nobody need be told a second time. False: there is nothing open.
  bool stop(std::string_view id, std::string_view person, std::string why, Time now);
  // An open record that no longer serves: the call needs none, or may not go.
  bool void_open(std::string_view id, Time now);

  // Ends what has expired; appends the ids.
  void expire(Time now, std::vector<std::string>& ended);
  // When expire() has something to do next; nothing: never.
  std::optional<Time> next_expiry() const;
  void mark_told(std::string_view id);

  // From the store, or back to what it was before a write that failed.
  void put(Approval approval);
  void forget(std::string_view id);
  // The oldest of those that have ended, beyond how many are kept: to be forgotten.
  std::vector<std::string> surplus() const;

  const Approval* find(std::string_view id) const;
  // What ask() would find: the open record of the same call, or a no that it has not heard.
  const Approval* find_bound(const ApprovalBinding& bound) const;
  const std::map<std::string, Approval, std::less<>>& all() const { return all_; }
  size_t pending() const { return pending_; }

 private:
  Time forward(Time now);
  void index(const Approval& approval, bool add);
  void end(Approval& approval, ApprovalState state, Time now);
  static bool satisfied(const Approval& approval, std::span<const ApproverGroup> groups);

  const Limits limits_;
  Time latest_{};
  std::map<std::string, Approval, std::less<>> all_;         // by id, which sort by time
  std::unordered_map<std::string, std::string> by_binding_;  // the id that ask() finds
  std::unordered_map<std::string, size_t> pending_of_;       // by agent
  size_t pending_ = 0;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_APPROVALS_H_
