// Reserve, settle, release, and the marks that are written ahead of them.
//
// reserve() books first and looks at the marks after: within the lock nobody sees it, draws on one
// account add up by themselves, and giving up is the one path `undo`.
//
// Tested by tests/policy/ledger_test.cc (scripts, threads, simulation with crashes).
#include "policy/ledger.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace reeve::policy {

namespace {

// A slice is this part of what is left.
constexpr Micros kSlicesLeft = 8;

AccountKey key_of(const AccountSpec& spec) {
  return {spec.budget, spec.scope, spec.unit, spec.unit == Unit::kMoney ? spec.currency : "",
          spec.period};
}

std::optional<Micros> cost_in(const Cost& cost, Unit unit) {
  switch (unit) {
    case Unit::kMoney:
      return cost.money;
    case Unit::kCalls:
      return cost.calls;
    case Unit::kTokens:
      return cost.tokens;
  }
  return std::nullopt;
}

}  // namespace

Reservation::Reservation(Reservation&& other) noexcept { *this = std::move(other); }

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  sent_ ? settle() : release();
  ledger_ = std::exchange(other.ledger_, nullptr);
  sent_ = other.sent_;
  count_ = other.count_;
  std::copy_n(other.holds_.begin(), count_, holds_.begin());
  return *this;
}

Reservation::~Reservation() { sent_ ? settle() : release(); }

bool Reservation::settle(const Cost& cost) {
  if (!open()) return false;
  std::exchange(ledger_, nullptr)->resolve(*this, &cost);
  return true;
}

bool Reservation::release() {
  if (!open()) return false;
  std::exchange(ledger_, nullptr)->resolve(*this, nullptr);
  return true;
}

Ledger::Ledger(std::span<const Mark> marks) {
  for (const Mark& mark : marks) {
    auto account = std::make_unique<Account>(mark.key);
    account->books_ = {.serial = 1, .window = mark.window, .settled = mark.mark};
    account->mark_ = mark.mark;
    account->durable_ = mark.mark;
    accounts_.insert_or_assign(mark.key, std::move(account));
  }
}

std::vector<Account*> Ledger::bind(std::span<const AccountSpec> specs, Time now) {
  std::vector<Calendar> calendars;
  calendars.reserve(specs.size());
  for (const AccountSpec& spec : specs) {
    calendars.push_back(Calendar::of_zone(spec.zone).value_or(Calendar{}));
  }

  std::vector<Account*> binding;
  binding.reserve(specs.size());
  const std::lock_guard lock(mutex_);
  bound_.clear();
  for (size_t i = 0; i < specs.size(); ++i) {
    AccountKey key = key_of(specs[i]);
    std::unique_ptr<Account>& account = accounts_[key];
    if (account == nullptr) {
      account = std::make_unique<Account>(std::move(key));
      account->books_ = {.serial = 1, .window = calendars[i].window(specs[i].period, now)};
    }
    account->limit_ = std::max<Micros>(specs[i].limit, 0);
    account->warn_percent_ = specs[i].warn_percent;
    account->calendar_ = calendars[i];
    binding.push_back(account.get());
    bound_.push_back(account.get());
  }
  // Two specs of one account: the later one's limit holds, and it is shown once.
  std::map<const Account*, size_t> seen;
  std::erase_if(bound_, [&seen](const Account* account) { return seen[account]++ > 0; });
  // One write per account at a time, so that reserve() never allocates for it.
  outbox_.reserve(accounts_.size());
  return binding;
}

Attempt Ledger::reserve(std::span<const Draw> draws, std::span<Account* const> binding, Time now) {
  Attempt attempt;
  if (draws.size() > Spend::kMaxDraws) return attempt;
  for (const Draw& draw : draws) {
    if (draw.account >= binding.size() || draw.amount < 0) return attempt;
  }

  Reservation& held = attempt.reservation;
  const std::lock_guard lock(mutex_);
  const auto undo = [&held] {
    for (uint32_t i = 0; i < held.count_; ++i) {
      held.holds_[i].account->books_.reserved -= held.holds_[i].amount;
    }
    held.count_ = 0;
  };

  for (const Draw& draw : draws) {
    if (draw.amount == 0) continue;
    Account& account = *binding[draw.account];
    turn_over(account, now);
    const Micros used = account.books_.used();
    if (draw.amount > account.limit_ - used) {
      undo();
      attempt.outcome = Attempt::Outcome::kOverLimit;
      attempt.shortfall = {&account, account.limit_, account.books_.used(), draw.amount,
                           account.books_.window};
      return attempt;
    }
    account.books_.reserved += draw.amount;
    account.busy_ = true;
    held.holds_[held.count_++] = {&account, draw.amount, account.books_.serial};
  }

  for (uint32_t i = 0; i < held.count_; ++i) {
    Account& account = *held.holds_[i].account;
    const Micros used = account.books_.used();
    if (used <= account.mark_) continue;
    const Micros left = account.limit_ - used;
    if (account.write_ == 0) {
      // Whoever came while the last write was on its way is waiting for this one.
      const Micros slice = std::max(left / kSlicesLeft, std::min(left, account.demand_));
      request(account, used + slice);
      attempt.has_writes = true;
    } else {
      account.demand_ = std::min(
          account.limit_, checked_add(account.demand_, held.amount(i)).value_or(account.limit_));
    }
    attempt.account = &account;
    attempt.write = account.write_;
  }
  if (attempt.account != nullptr) {
    undo();
    attempt.outcome = Attempt::Outcome::kNeedsMark;
    return attempt;
  }

  for (uint32_t i = 0; i < held.count_; ++i) {
    attempt.has_writes |= ask_ahead(*held.holds_[i].account, held.amount(i));
  }
  attempt.outcome = Attempt::Outcome::kReserved;
  held.ledger_ = this;
  return attempt;
}

// Near the limit, where a slice would not hold another call like this one, nothing is asked ahead.
bool Ledger::ask_ahead(Account& account, Micros amount) {
  if (account.write_ != 0 || account.mark_ >= account.limit_) return false;
  const Micros used = account.books_.used();
  const Micros slice = (account.limit_ - used) / kSlicesLeft;
  if (slice < amount || account.mark_ - used >= slice / 2) return false;
  request(account, used + slice);
  return true;
}

void Ledger::resolve(Reservation& reservation, const Cost* cost) {
  const std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < reservation.count_; ++i) {
    const auto& [account, amount, serial] = reservation.holds_[i];
    Micros settled = 0;
    if (cost != nullptr) {
      settled = std::clamp<Micros>(cost_in(*cost, account->key_.unit).value_or(amount), 0, amount);
    }
    if (account->books_.serial == serial) {
      account->books_.reserved -= amount;
      account->books_.settled += settled;
      assert(account->books_.reserved >= 0);
      continue;
    }
    const auto past = std::find_if(account->past_.begin(), account->past_.end(),
                                   [s = serial](const auto& books) { return books.serial == s; });
    assert(past != account->past_.end());
    past->reserved -= amount;
    past->settled += settled;
    if (past->reserved == 0) account->past_.erase(past);
  }
}

bool Ledger::trim(bool all) {
  bool again = false;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, owned] : accounts_) {
    Account& account = *owned;
    const Micros used = account.books_.used();
    const bool busy = std::exchange(account.busy_, false);
    if (account.books_.reserved > 0 || account.write_ != 0) again = true;
    if (account.durable_ <= used || account.write_ != 0) continue;
    again = true;
    if (busy && !all) continue;
    // What memory may use is lowered first: the store's mark is never below it.
    account.mark_ = used;
    request(account, used);
  }
  return again;
}

void Ledger::take_writes(std::vector<MarkWrite>& writes) {
  const std::lock_guard lock(mutex_);
  writes.insert(writes.end(), outbox_.begin(), outbox_.end());
  outbox_.clear();
}

void Ledger::written(const MarkWrite& write) {
  const std::lock_guard lock(mutex_);
  Account& account = *write.account;
  assert(account.write_ == write.write);
  account.write_ = 0;
  if (account.books_.window.start != write.window.start) return;  // turned over since
  account.mark_ = write.mark;
  account.durable_ = write.mark;
  assert(account.books_.used() <= account.mark_);
}

void Ledger::failed(const MarkWrite& write) {
  const std::lock_guard lock(mutex_);
  assert(write.account->write_ == write.write);
  write.account->write_ = 0;
}

bool Ledger::is_pending(const Account& account, uint64_t write) const {
  const std::lock_guard lock(mutex_);
  return account.write_ == write;
}

std::vector<AccountState> Ledger::snapshot(Time now) {
  std::vector<AccountState> states;
  std::vector<const Account*> accounts;
  {
    const std::lock_guard lock(mutex_);
    states.reserve(bound_.size());
    accounts.reserve(bound_.size());
    for (Account* account : bound_) {
      turn_over(*account, now);
      accounts.push_back(account);
      states.push_back({.limit = account->limit_,
                        .settled = account->books_.settled,
                        .reserved = account->books_.reserved,
                        .warn_percent = account->warn_percent_,
                        .window = account->books_.window});
    }
  }
  // Texts are copied outside the lock; they never change.
  for (size_t i = 0; i < states.size(); ++i) states[i].key = accounts[i]->key_;
  return states;
}

void Ledger::turn_over(Account& account, Time now) {
  Account::Books& books = account.books_;
  if (now < books.window.end) return;
  const Window window = account.calendar_.window(account.key_.period, now);
  if (window.start <= books.window.start) {
    // The zone changed, and by its calendar the window goes on.
    books.window.end = std::max(window.end, books.window.end);
    return;
  }
  const uint64_t serial = books.serial + 1;
  if (books.reserved > 0) account.past_.push_back(books);
  books = {.serial = serial, .window = window};
  account.mark_ = 0;
  account.durable_ = 0;
  account.demand_ = 0;
}

void Ledger::request(Account& account, Micros mark) {
  account.write_ = ++last_write_;
  account.durable_ = std::max(account.durable_, mark);
  account.demand_ = 0;
  outbox_.push_back({&account, account.write_, account.books_.window, mark});
}

}  // namespace reeve::policy
