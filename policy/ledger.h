// The running accounts of the budgets: reserve before a call, settle or release after it.
//
// A pure state machine: time, ids and storage come from outside. The promise: on each account
//
//     settled + reserved  <=  mark  <=  durable mark,   and   settled + reserved  <=  limit
//
// after every operation. The *mark* is how much may be used before the store is asked again: a
// slice is written ahead (durable mark), then granted (mark), then used from memory alone. After a
// crash the durable mark counts as settled, so nothing that was reserved is ever freed, at the cost
// of the unused rest of a slice. Slices are an eighth of what is left, so they shrink to a single
// call near the limit, and quiet accounts give the rest of theirs back (trim).
//
// Each account has at most one write on its way to the store; take_writes() hands them out, and
// each must be answered by written() or failed(). Nothing here depends on the order of writes to
// different accounts.
//
// An account is known by budget, scope, unit, currency and period, and is kept across reloads of
// the policy; limit and zone may change. Windows turn over when a reservation finds that theirs
// has ended; a clock that steps back stays in the later window, so what is used never decreases.
//
// All functions are thread-safe; one mutex, held for tens of instructions, never across I/O.
// (Opening a new window, once a period, also asks the calendar.)
#ifndef REEVE_POLICY_LEDGER_H_
#define REEVE_POLICY_LEDGER_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "policy/budget.h"
#include "policy/calendar.h"

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

  // The books of one window. Those of past windows stay while they have reservations.
  struct Books {
    uint64_t serial = 0;  // counts up with each window of this account
    Window window;
    Micros settled = 0;
    Micros reserved = 0;
    Micros used() const { return settled + reserved; }
  };

  const AccountKey key_;
  // Guarded by Ledger::mutex_.
  Micros limit_ = 0;
  int warn_percent_ = 0;
  Calendar calendar_;
  Books books_;
  std::vector<Books> past_;
  Micros mark_ = 0;     // of books_.window
  Micros durable_ = 0;  // the most that the store can hold for books_.window; >= mark_
  Micros demand_ = 0;   // asked for while a write was on its way
  uint64_t write_ = 0;  // number of the write on its way; 0: none
  bool busy_ = false;   // reserved on since the last trim()
};

// What a call really cost, by unit; what is not told counts as reserved.
struct Cost {
  std::optional<Micros> money;
  std::optional<Micros> calls;
  std::optional<Micros> tokens;
};

// Amounts held for one call on all accounts that cover it. Resolved exactly once: by settle(), by
// release(), or by its destruction, which releases what was never sent and settles in full what
// was. Used by one thread at a time. Must not outlive the Ledger.
class Reservation {
 public:
  Reservation() {}  // holds nothing; counts as resolved. Not defaulted: that would zero holds_
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

  // To be called just before the first byte goes upstream.
  void mark_sent() { sent_ = true; }

  // Settles at most what was reserved and frees the rest, in the windows that reserved. False, and
  // no change, when it was resolved before.
  bool settle(const Cost& cost = {});
  // Frees everything: the call never left. False, and no change, when it was resolved before.
  bool release();

  bool open() const { return ledger_ != nullptr; }
  // What is held, in the order of the draws; amounts of 0 hold nothing.
  uint32_t size() const { return count_; }
  const Account& account(uint32_t i) const { return *holds_[i].account; }
  Micros amount(uint32_t i) const { return holds_[i].amount; }

 private:
  friend class Ledger;
  struct Hold {
    Account* account;
    Micros amount;
    uint64_t serial;  // of the books
  };

  Ledger* ledger_ = nullptr;  // null: resolved
  bool sent_ = false;
  uint32_t count_ = 0;
  std::array<Hold, Spend::kMaxDraws> holds_;  // only the first count_ are initialised
};

// Why an account cannot take a draw.
struct Shortfall {
  const Account* account = nullptr;
  Micros limit = 0;
  Micros used = 0;   // settled + reserved
  Micros asked = 0;  // by the call, of this account
  Window window;     // more is available when it ends
};

// The outcome of Ledger::reserve().
struct Attempt {
  enum class Outcome : uint8_t {
    kReserved,   // `reservation` holds all draws
    kOverLimit,  // `shortfall` says which account; nothing is held
    kNeedsMark,  // wait until write number `write` of `account` is answered, then try again
    kInvalid,    // a draw is negative, too many, or on no account: a bug of the caller
  };
  Outcome outcome = Outcome::kInvalid;
  bool has_writes = false;  // take_writes() has something new, in whatever outcome
  Account* account = nullptr;
  uint64_t write = 0;
  Shortfall shortfall;
  Reservation reservation;
};

// A mark that is to be made durable, then answered by written() or failed().
struct MarkWrite {
  Account* account = nullptr;
  uint64_t write = 0;
  Window window;
  Micros mark = 0;
};

// An account as people and metrics see it.
struct AccountState {
  AccountKey key;
  Micros limit = 0;
  Micros settled = 0;
  Micros reserved = 0;
  int warn_percent = 0;
  Window window;
};

class Ledger {
 public:
  // `marks` is what the store holds: each counts as settled in its window.
  explicit Ledger(std::span<const Mark> marks);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // The accounts of a policy, in its order: draws index into the result. Accounts that exist take
  // the new limit at once, and the new zone when their window has ended. A zone that is not known
  // counts as UTC (the policy's loader refuses it before).
  std::vector<Account*> bind(std::span<const AccountSpec> specs, Time now);

  // Reserves all draws or none. No allocation, no I/O. Several draws on one account add up.
  Attempt reserve(std::span<const Draw> draws, std::span<Account* const> binding, Time now);

  // Asks for lower durable marks where more is marked than used: on accounts without a reservation
  // since the last call, or on all. Returns whether some account still has, or will have, something
  // to give back, so that trim() is needed again.
  bool trim(bool all);

  // Hands out the marks to be made durable, appended to `writes`.
  void take_writes(std::vector<MarkWrite>& writes);
  void written(const MarkWrite& write);  // durable
  void failed(const MarkWrite& write);   // it may or may not be durable
  bool is_pending(const Account& account, uint64_t write) const;

  // The accounts of the last bind(), each once, in its order.
  std::vector<AccountState> snapshot(Time now);

 private:
  friend class Reservation;
  void resolve(Reservation& reservation, const Cost* cost);  // null: nothing is settled
  bool ask_ahead(Account& account, Micros amount);
  void turn_over(Account& account, Time now);
  void request(Account& account, Micros mark);

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<AccountKey, std::unique_ptr<Account>> accounts_;
  std::vector<Account*> bound_;
  std::vector<MarkWrite> outbox_;
  uint64_t last_write_ = 0;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_LEDGER_H_
