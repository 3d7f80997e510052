// How sidecars share a budget: the words that one and the store of the fleet exchange.
//
// An *allowance* is how much one member of the fleet may use of an account in one window, in all,
// from the window's beginning. The store keeps to
//
//     the sum of all allowances of an account's window  <=  limit
//
// and each member to: settled + reserved <= its allowance. What of it is unused is the member's
// *lease*: it spends that without asking anybody. Figures are absolute, never differences, so that
// what is said twice, or whose answer is lost, does no harm:
// - to get more, a member asks first and uses after the answer;
// - to give back, it stops using first and says so after.
// So what a member holds by its own books is never above what the store counts for it, and time
// plays no part in it: a member that is away may use what it holds, which stays counted.
//
// A member is known by an id and a *token*, kept with its marks (proxy/store). Each join replaces
// the token: of two who come with the same state the earlier one is fenced off, and whoever comes
// with older state, or none, is somebody else: what was counted for the old one stays counted. A
// member that returns with its state says by its marks how much it may have used at most, and the
// rest is free again. Within one token attempts count up, so that one that was given up and is
// carried out late changes nothing.
//
// A store that fails over may have lost what it acknowledged. It has a *history*, a name for the
// one line of changes that it went through, and an *era*, which counts histories. When it finds
// that it runs as another instance than it last did (another timeline), or when a member comes that
// has last joined a history which is none of its ancestors, a new history begins: from then on
// nobody gets more until every member that was active has joined anew, which says what it holds.
// As each member belongs to the one history that it joined last, two databases never both grant.
// Members that left, or were given up as silent before, are not waited for: they hold nothing more
// than the store knows until they join again, and the store makes sure that a join is where a
// failover cannot lose it before it gives anything.
//
// Pure: time, ids and storage come from outside. Two stores implement it and pass one suite of
// tests (tests/support/lease_store_suite.h): PostgreSQL (proxy/fleet/postgres_leases.h), and
// memory, for simulation (tests/support/memory_leases.h).
#ifndef REEVE_POLICY_LEASES_H_
#define REEVE_POLICY_LEASES_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "policy/ledger.h"
#include "policy/result.h"

namespace reeve::policy {

// A member that the store knows and has not given up.
struct FleetMember {
  std::string member;
  std::string instance;  // its name for people
  uint64_t beat = 0;     // differs after each exchange
};

// What a member says. Its lines: of a join all that it holds, of others what is to change.
struct Exchange {
  enum class Kind : uint8_t { kJoin, kTrade, kLeave };
  Kind kind = Kind::kJoin;
  std::string member;
  std::string instance;
  // The first is the one that it has joined with. Of those that it joined with before, or is about
  // to, the store may have one instead: then it must join.
  std::vector<std::string> tokens;
  std::string next_token;  // kJoin: from now on
  uint64_t attempt = 0;    // within a token, counts up
  uint64_t era = 0;        // last joined; 0: none
  std::string history;     // last joined
  std::vector<LeaseLine> lines;
  std::vector<FleetMember> silent;  // to be given up unless they have been heard of meanwhile
};

struct Reply {
  enum class Outcome : uint8_t {
    kDone,
    kMustJoin,  // the store has begun a new history, or has given the member up: nothing is done
    kFenced,    // another has taken the member's place: nothing is done
    kTooLate,   // a later attempt was before this one: nothing is done
    kAhead,     // kJoin: the marks are of a window that has not begun: the clock was wrong
  };
  Outcome outcome = Outcome::kDone;
  uint64_t era = 0;
  std::string history;
  std::vector<LeaseAnswer> answers;  // kTrade, kDone: one for each line, in their order
  bool safe = false;    // no failover can undo the join any more; before, nothing is granted
  bool grants = false;  // false: more cannot be had now
  std::vector<std::string> waited_for;  // instances that have not joined the history yet
  std::vector<FleetMember> members;     // active ones, this one included
};

// The fleet's side. Blocks; used by one thread at a time. An error: it may or may not be done, now
// or later.
class LeaseStore {
 public:
  virtual ~LeaseStore() = default;
  virtual Result<Reply> exchange(const Exchange& exchange) = 0;
};

// What a member must find again after a crash, to be who it was.
struct MemberState {
  std::string member;               // empty: none yet
  std::vector<std::string> tokens;  // one of them is the store's; first, the one last joined with
  uint64_t era = 0;
  std::string history;

  friend bool operator==(const MemberState&, const MemberState&) = default;
};

// The member's side: who it is, and whether it has joined. Used by one thread at a time.
class LeaseMember {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  // Others that are not heard of for so long are given up.
  static constexpr std::chrono::seconds kSilence{60};

  // `new_id` gives texts that nobody else has or can guess.
  LeaseMember(MemberState state, std::string instance, std::function<std::string()> new_id);

  bool joined() const { return joined_; }
  // To be durable before an exchange leaves.
  const MemberState& state() const { return state_; }
  size_t members() const { return members_ == 0 ? 1 : members_; }

  // The next exchange, without lines: a join until joined(). Save state() before it leaves.
  Exchange next(Steady now);
  Exchange leave();

  // Takes an answer. Save state() before what it allows is used. kFenced makes it a new member, who
  // joins next: it must give up what it has not used (Ledger::drop_leases) and join with what it
  // has.
  void take(const Reply& reply, Steady now);

 private:
  Exchange begin(Exchange::Kind kind);

  struct Heard {
    uint64_t beat = 0;
    Steady since;
  };

  MemberState state_;
  const std::string instance_;
  const std::function<std::string()> new_id_;
  std::string next_token_;  // of the join that is to come or under way; empty: none
  bool joined_ = false;
  uint64_t attempt_ = 0;
  size_t members_ = 0;
  std::map<std::string, Heard> heard_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_LEASES_H_
