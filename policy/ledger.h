// The running accounts of the budgets: reserve before a call, settle or release after it.
//
// A pure state machine: time, ids and storage come from outside. The promise: on each account
//
//     settled + reserved  <=  granted  <=  mark  <=  durable mark,   and   granted  <=  limit
//
// at every instant; what people let through beyond a limit (see reserve()) counts as granted to
// exactly its call, and is shown as `approved`. The *mark* is how much may be used before the store
// is asked again: a slice is written ahead (durable mark), then granted (mark), then used from
// memory alone. After a crash the durable mark counts as settled, so nothing that was reserved is
// ever freed, at the cost of the unused rest of a slice. Slices are an eighth of what is left, so
// they shrink to a single call near the limit, and quiet accounts give the rest of theirs back
// (trim). A limit that was lowered below what is used grants nothing more.
//
// What is granted lies in the account's pool or, free for the taking, in lanes (ledger_books.h).
// Most reservations take from their thread's lane, by one compare-and-swap an account, and are
// settled there: no lock, no allocation. One that finds too little there takes the mutex, gathers
// what other lanes have, and takes a part of the pool for its lane: much while there is much,
// nothing near the limit, where all draw on the pool. There a refusal is exact: what it counts as
// used is settled or reserved. Of a call over several budgets that takes without the lock, and
// finds the last one short, others can see the first ones as reserved until it has given them back.
//
// Each account has at most one write on its way to the store; take_writes() hands them out, and
// each must be answered by written() or failed(). Nothing here depends on the order of writes to
// different accounts.
//
// An account is known by budget, scope, unit, currency and period, and is kept across reloads of
// the policy; limit and zone may change. Windows turn over when a reservation finds that theirs
// has ended; a clock that steps back stays in the later window, so what is used never decreases.
// What was reserved before is settled in the window that reserved.
//
// With use_leases() an account has a second bound: what the fleet allows this sidecar (leases.h),
// asked for ahead and shrinking to a single call near the limit as slices do. Then
//
//     granted  <=  allowance,   and   durable mark  <=  allowance, as the fleet's store counts it
//
// and one more outcome, kNeedsLease, waits for an answer as kNeedsMark does.
//
// All functions are thread-safe. The one mutex is never held across I/O.
// (Opening a new window, once a period, also asks the calendar.)
#ifndef REEVE_POLICY_LEDGER_H_
#define REEVE_POLICY_LEDGER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "policy/budget.h"
#include "policy/calendar.h"
#include "policy/ledger_books.h"

namespace reeve::policy {

class Ledger;

// What identifies an account, in the ledger and in its store.
struct AccountKey {
  std::string budget;
  std::string scope;
  Unit unit = Unit::kMoney;
  std::string currency;  // empty unless kMoney
  Period period = Period::kDay;

  friend auto operator<=>(const AccountKey&, const AccountKey&) = default;
};

// What the store keeps of an account: in this window, up to `mark` may have been used.
struct Mark {
  AccountKey key;
  Window window;
  Micros mark = 0;
  Micros approved = 0;  // of it, beyond the limit
};

// What a sidecar holds of an account's window, and would hold (leases.h).
struct LeaseLine {
  Account* account = nullptr;  // for the ledger that made it
  uint64_t ask = 0;            // the question of waiting calls that it answers; 0: none
  AccountKey key;
  Window window;
  // What it used in windows of this account that began earlier nobody knows any more.
  Time unknown_before = Time::min();
  Micros limit = 0;
  Micros held = 0;  // by its own books; never above what the store counts
  Micros want = 0;  // `held`: it asks for nothing, and gives back what the store counts beyond
  // Of a larger `want`: allowed less than `least` none of those that wait could go on, with `need`
  // all of them can; the rest is ahead of need.
  Micros least = 0;
  Micros need = 0;
};

// What the store counts after that.
struct LeaseAnswer {
  Micros held = 0;   // for this member
  Micros taken = 0;  // for all of them
};

// One account. Owned by its Ledger and never destroyed before it.
class Account {
 public:
  explicit Account(AccountKey key) : key_(std::move(key)) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  const AccountKey& key() const { return key_; }

 private:
  friend class Ledger;

  const AccountKey key_;
  std::atomic<Books*> current_{nullptr};
  // Guarded by Ledger::mutex_.
  std::vector<std::unique_ptr<Books>> books_;  // of all windows
  std::vector<Books*> past_;                   // closed, may have reservations
  std::vector<Books*> spare_;                  // closed, of nothing
  Micros limit_ = 0;
  int warn_percent_ = 0;
  std::optional<AskTerms> ask_;
  Calendar calendar_;
  Micros mark_ = 0;       // of the current window
  Micros durable_ = 0;    // the most that the store can hold for it; >= mark_
  Micros demand_ = 0;     // asked for while a write was on its way
  uint64_t write_ = 0;    // number of the write on its way; 0: none
  bool refused_ = false;  // something, in this window
  bool told_warned_ = false;
  bool told_spent_ = false;
  bool turned_ = false;  // since it was told
  // With leases, of the current window:
  Micros allowance_ = 0;   // what may be used here
  Micros counted_ = 0;     // what the store was last known to count for it
  Micros others_ = 0;      // what it counted for the others
  Micros need_ = 0;        // asked for beyond the allowance by calls that wait
  Micros least_ = 0;       // the smallest of them
  uint64_t question_ = 0;  // number of the question that they wait for; 0: none
  bool low_ = false;       // more is to be asked for ahead of need
  bool dry_ = false;       // a moment ago there was no more
  bool idle_ = false;      // what is left may be given back
  Time unknown_before_ = Time::min();
  std::vector<std::pair<Window, Micros>> past_allowances_;
};

// What a call really cost, by unit; what is not told counts as reserved.
struct Cost {
  std::optional<Micros> money;
  std::optional<Micros> calls;
  std::optional<Micros> tokens;
};

// Amounts held for one call on all accounts that cover it. Resolved exactly once, whoever tries
// how often: by settle(), by release(), by Ledger::expire(), or by its destruction, which releases
// what was never sent and settles in full what was. Used by one thread at a time. Must not outlive
// the Ledger.
class Reservation {
 public:
  Reservation() = default;  // holds nothing; counts as resolved
  Reservation(Reservation&& other) noexcept
      : ledger_(std::exchange(other.ledger_, nullptr)), slot_(other.slot_), turn_(other.turn_) {}
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { drop(); }

  // To be called just before the first byte goes upstream.
  void mark_sent();

  // Settles at most what was reserved and frees the rest, in the windows that reserved. False, and
  // no change, when it was resolved before.
  bool settle(const Cost& cost = {});
  // Frees everything: the call never left. False, and no change, when it was resolved before.
  bool release();

  bool open() const;
  // What is held, in the order of the draws; amounts of 0 hold nothing. Requires open().
  uint32_t size() const { return slot_->count; }
  const Account& account(uint32_t i) const { return *slot_->holds[i].books->account; }
  Micros amount(uint32_t i) const { return slot_->holds[i].amount; }

 private:
  friend class Ledger;
  void drop();

  Ledger* ledger_ = nullptr;  // null: resolved
  Slot* slot_ = nullptr;
  uint64_t turn_ = 0;  // of the slot, while it is this reservation's
};

// Why an account cannot take a draw.
struct Shortfall {
  const Account* account = nullptr;
  Micros limit = 0;
  Micros used = 0;              // settled + reserved
  Micros asked = 0;             // by the call, of this account
  Window window;                // more is available when it ends
  std::optional<AskTerms> ask;  // of `then: ask`: who may let just this call through
};

// The outcome of Ledger::reserve().
struct Attempt {
  enum class Outcome : uint8_t {
    kReserved,    // `reservation` holds all draws
    kOverLimit,   // `shortfall` says which account; nothing is held
    kNeedsMark,   // wait until write number `write` of `account` is answered, then try again
    kNeedsLease,  // the same, for a question to the fleet (take_leases)
    kInvalid,     // a draw is negative, too many, or on no account: a bug of the caller
    kTooMany,     // more reservations are open than this can hold
  };
  Outcome outcome = Outcome::kInvalid;
  bool has_writes = false;  // take_writes() has something new, in whatever outcome
  bool has_asks = false;    // take_leases() has
  Account* account = nullptr;
  uint64_t write = 0;
  Shortfall shortfall;
  // Of kOverLimit, where each account that falls short asks people: all of them, the first of which
  // is `shortfall`; else none.
  std::vector<Shortfall> asks;
  Reservation reservation;
};

// A mark that is to be made durable, then answered by written() or failed().
struct MarkWrite {
  Account* account = nullptr;
  uint64_t write = 0;
  Window window;
  Micros mark = 0;
  Micros approved = 0;  // of it, beyond the limit
};

// An account as people and metrics see it.
struct AccountState {
  AccountKey key;
  Micros limit = 0;
  Micros settled = 0;
  Micros reserved = 0;
  Micros approved = 0;  // of both, beyond the limit: settled + reserved <= limit + approved
  int warn_percent = 0;
  Window window;
  // With leases: what this sidecar may use, and what all others may, as last heard.
  bool is_leased = false;
  Micros allowance = 0;
  Micros others = 0;
};

// Something that people are to hear of an account; each at most once in a window.
struct Notice {
  enum class Kind : uint8_t {
    kWarned,      // `warn` of the limit is used
    kSpent,       // the limit is used, or a call was refused
    kTurnedOver,  // a new window, after one of the other two
  };
  Kind kind = Kind::kWarned;
  const Account* account = nullptr;
  Micros limit = 0;
  Micros used = 0;
  Window window;
};

class Ledger {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  // `marks` is what the store holds: each counts as settled in its window. `lanes`: a power of two,
  // 0 for four times as many as this machine has cores, at most 16.
  explicit Ledger(std::span<const Mark> marks, uint32_t lanes = 0);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // The accounts of a policy, in its order: draws index into the result. Accounts that exist take
  // the new limit at once, and the new zone when their window has ended. A zone that is not known
  // counts as UTC (the policy's loader refuses it before).
  std::vector<Account*> bind(std::span<const AccountSpec> specs, Time now);

  // Reserves all draws or none. No I/O; no allocation, but now and then for more reservations open
  // at once than ever before. Several draws on one account add up.
  //
  // `beyond` are accounts whose limit people have raised for exactly this call: it takes there what
  // it lacks as well. What it gives back by costing less, or by its release, is gone again, and for
  // nobody else.
  Attempt reserve(std::span<const Draw> draws, std::span<Account* const> binding, Time now,
                  std::span<const Account* const> beyond = {});

  // Settles in full what has been open for `ttl` by a clock that never steps: it was forgotten, and
  // what became of its call is not known. To be called every now and then: a reservation's age
  // counts from the first call that finds it open. Returns how many.
  size_t expire(Steady now, std::chrono::nanoseconds ttl);

  // Asks for lower durable marks where more is marked than used: on accounts without a reservation
  // since the last call, or on all. Returns whether some account still has, or will have, something
  // to give back, so that trim() is needed again.
  bool trim(bool all);

  // Hands out the marks to be made durable, appended to `writes`.
  void take_writes(std::vector<MarkWrite>& writes);
  void written(const MarkWrite& write);  // durable
  void failed(const MarkWrite& write);   // it may or may not be durable
  bool is_pending(const Account& account, uint64_t write) const;

  // The accounts of the last bind(), each once, in its order. While calls are under way each figure
  // is one that was true a moment ago; settled + reserved is never above limit + approved.
  std::vector<AccountState> snapshot(Time now);

  // What there is to tell of these accounts since the last call, appended. A turnover is told when
  // a reservation or a snapshot has found it.
  void take_notices(std::vector<Notice>& notices);

  // Makes the fleet's answers a bound of every account. To be called before the first bind().
  void use_leases();
  // Everything that is held, of past windows too: for a join. Nothing is asked for.
  void all_leases(std::vector<LeaseLine>& lines);
  // The fleet's store counts these.
  void lease_joined(const std::vector<LeaseLine>& lines);
  // What is to be asked or given back, in a fleet of so many members; with `all` also what just
  // stands. Lowers what is given back before it says so. Each line is to be answered.
  void take_leases(size_t members, bool all, std::vector<LeaseLine>& lines);
  void leased(const LeaseLine& line, const LeaseAnswer& answer);
  // The questions that calls wait for, without what they ask: to be told that there is no answer.
  void open_questions(std::vector<LeaseLine>& lines) const;
  // No answer: whoever waits for it may be told so.
  void unanswered(const LeaseLine& line);
  // Lets calls ask again that there was nothing for; to be called a few times a second.
  void forget_denials();
  // Lowers each allowance to what is used: they are another's now.
  void drop_leases();
  // After trim(true) and its writes: lets all that is left be given back.
  void idle_leases();

  // Binds the calling thread to a lane of every ledger. Threads are spread over them without; for
  // simulations, in which one thread stands for many.
  static void use_lane(uint32_t lane);

 private:
  friend class Reservation;
  struct Age {
    uint64_t state = 0;
    Steady since;
  };

  uint32_t lane() const;
  bool reserve_from_lanes(std::span<const Draw> draws, std::span<Account* const> binding, Time now,
                          Slot& slot, uint32_t lane);
  void reserve_from_pools(std::span<const Draw> draws, std::span<Account* const> binding, Time now,
                          std::span<const Account* const> beyond, Slot& slot, uint32_t lane,
                          Attempt& attempt);
  bool draw_from_pools(std::span<const Draw> draws, std::span<Account* const> binding, Time now,
                       std::span<const Account* const> beyond, Slot& slot, Attempt& attempt);
  static void raise(Account& account, Books& books, Micros amount, Micros left, Slot& slot);
  bool ask_for_marks(Slot& slot, Attempt& attempt);
  static void undo_pools(Slot& slot);
  // Null: nothing is settled. `locked`: the caller has the mutex.
  bool resolve(Slot& slot, uint64_t turn, const Cost* cost, bool locked = false);
  void book(Slot& slot, const Cost* cost);
  void gather(Books& books);
  Micros free_in_lanes(const Books& books) const;
  Micros used(const Books& books) const;
  Micros settled(const Books& books) const;
  Micros ceiling(const Account& account, const Books& books) const;
  void level(Account& account);
  void fill_lane(Books& books, Micros amount, uint32_t lane);
  bool ask_ahead(Account& account, Micros amount);
  Books& open_books(Account& account, const Window& window, Micros settled);
  void turn_over(Account& account, Time now);
  void request(Account& account, Micros mark);
  Micros used_by_all(const Account& account) const;
  bool ask_lease(Account& account, Micros used, Micros amount, Attempt& attempt);
  bool ask_lease_ahead(Account& account, Micros amount);
  static void begin_allowance(Account& account, const Window& past);
  LeaseLine lease_line(Account& account) const;

  const uint32_t lanes_;
  Slots slots_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<AccountKey, std::unique_ptr<Account>> accounts_;
  std::vector<Account*> bound_;
  std::vector<MarkWrite> outbox_;
  uint64_t last_write_ = 0;  // or question
  bool leased_ = false;
  size_t members_ = 1;     // of the fleet
  std::vector<Age> ages_;  // by number of the slot
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_LEDGER_H_
