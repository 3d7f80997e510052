// The part of the ledger behind its lock: accounts, windows, marks, and what is shown of them.
//
// Tested by tests/policy/ledger_test.cc, ledger_threads_test.cc and ledger_simulation_test.cc.
#include <algorithm>
#include <cassert>

#include "policy/ledger.h"

namespace reeve::policy {

namespace {

AccountKey key_of(const AccountSpec& spec) {
  return {spec.budget, spec.scope, spec.unit, spec.unit == Unit::kMoney ? spec.currency : "",
          spec.period};
}

}  // namespace

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
      open_books(*account, calendars[i].window(specs[i].period, now), 0);
    }
    account->limit_ = std::max<Micros>(specs[i].limit, 0);
    account->warn_percent_ = specs[i].warn_percent;
    account->ask_ = specs[i].ask;
    account->calendar_ = calendars[i];
    level(*account);
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

Micros Ledger::free_in_lanes(const Books& books) const {
  Micros free = 0;
  for (uint32_t i = 0; i < lanes_; ++i) free += books.lanes[i].free();
  return free;
}

// Lanes are read one after the other: what moves meanwhile by a settlement on another thread may be
// seen twice, so that the sum is bounded by what it can be.
Micros Ledger::used(const Books& books) const {
  return std::max<Micros>(books.granted - books.pool - free_in_lanes(books), 0);
}

// What may be granted in all: the limit and what people approved, of a fleet what it allows here.
Micros Ledger::ceiling(const Account& account, const Books& books) const {
  const Micros most =
      checked_add(account.limit_, books.approved).value_or(std::numeric_limits<Micros>::max());
  return leased_ ? std::min(most, account.allowance_) : most;
}

Micros Ledger::settled(const Books& books) const {
  Micros settled = 0;
  for (uint32_t i = 0; i < lanes_; ++i) settled += books.lanes[i].settled();
  return settled;
}

void Ledger::gather(Books& books) {
  for (uint32_t i = 0; i < lanes_; ++i) {
    books.pool += books.lanes[i].drain(std::numeric_limits<Micros>::max());
  }
}

// Grants what mark and limit allow, and takes back what they no longer do, as far as it is free.
void Ledger::level(Account& account) {
  Books& books = *account.current_.load(std::memory_order_relaxed);
  const Micros target = std::min(account.mark_, ceiling(account, books));
  if (target > books.granted) {
    books.pool += target - books.granted;
    books.granted = target;
    return;
  }
  if (target == books.granted) return;
  gather(books);
  const Micros taken = std::min(books.pool, books.granted - target);
  books.pool -= taken;
  books.granted -= taken;
}

bool Ledger::trim(bool all) {
  bool again = false;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, owned] : accounts_) {
    Account& account = *owned;
    Books& books = *account.current_.load(std::memory_order_relaxed);
    bool busy = false;
    for (uint32_t i = 0; i < lanes_; ++i) busy |= books.lanes[i].take_busy();
    const Micros used = this->used(books);
    if (used > settled(books) || account.write_ != 0) again = true;
    if (account.durable_ <= used || account.write_ != 0) continue;
    again = true;
    if (busy && !all) continue;
    // What memory may use is lowered first: the store's mark is never below it.
    gather(books);
    books.granted -= std::exchange(books.pool, 0);
    account.mark_ = books.granted;
    request(account, books.granted);
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
  const Books& books = *account.current_.load(std::memory_order_relaxed);
  if (books.window.start != write.window.start) return;  // turned over since
  account.mark_ = write.mark;
  account.durable_ = write.mark;
  level(account);
  assert(books.granted <= account.mark_);
}

void Ledger::failed(const MarkWrite& write) {
  const std::lock_guard lock(mutex_);
  assert(write.account->write_ == write.write);
  write.account->write_ = 0;
}

bool Ledger::is_pending(const Account& account, uint64_t write) const {
  const std::lock_guard lock(mutex_);
  return account.write_ == write || account.question_ == write;
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
      const Books& books = *account->current_.load(std::memory_order_relaxed);
      const Micros settled = this->settled(books);
      accounts.push_back(account);
      states.push_back({.limit = account->limit_,
                        .settled = settled,
                        .reserved = std::max<Micros>(used(books) - settled, 0),
                        .approved = books.approved,
                        .warn_percent = account->warn_percent_,
                        .window = books.window,
                        .is_leased = leased_,
                        .allowance = account->allowance_,
                        .others = account->others_});
    }
  }
  // Texts are copied outside the lock; they never change.
  for (size_t i = 0; i < states.size(); ++i) states[i].key = accounts[i]->key_;
  return states;
}

void Ledger::take_notices(std::vector<Notice>& notices) {
  const std::lock_guard lock(mutex_);
  for (Account* account : bound_) {
    const Books& books = *account->current_.load(std::memory_order_relaxed);
    const Micros used = used_by_all(*account);
    const auto tell = [&](Notice::Kind kind) {
      notices.push_back({kind, account, account->limit_, used, books.window});
    };
    if (std::exchange(account->turned_, false)) tell(Notice::Kind::kTurnedOver);
    if (account->warn_percent_ > 0 && !account->told_warned_) {
      // By division, which cannot overflow; a fraction of a millionth is no warning too early.
      const Micros most = account->limit_ / 100 * account->warn_percent_ +
                          account->limit_ % 100 * account->warn_percent_ / 100;
      if (used >= most && used > 0) {
        account->told_warned_ = true;
        tell(Notice::Kind::kWarned);
      }
    }
    if (!account->told_spent_ && (account->refused_ || (used > 0 && used >= account->limit_))) {
      account->told_spent_ = true;
      tell(Notice::Kind::kSpent);
    }
  }
}

// Makes the books of a new window the current ones.
Books& Ledger::open_books(Account& account, const Window& window, Micros settled) {
  Books* books = nullptr;
  if (account.spare_.empty()) {
    account.books_.push_back(std::make_unique<Books>(account, lanes_));
    books = account.books_.back().get();
  } else {
    books = account.spare_.back();
    account.spare_.pop_back();
  }
  books->window = window;
  books->granted = settled;
  books->pool = 0;
  books->approved = 0;
  books->end.store(window.end, std::memory_order_relaxed);
  for (uint32_t i = 0; i < lanes_; ++i) books->lanes[i].reopen(i == 0 ? settled : 0);
  account.current_.store(books, std::memory_order_release);
  return *books;
}

void Ledger::turn_over(Account& account, Time now) {
  Books& books = *account.current_.load(std::memory_order_relaxed);
  if (now < books.window.end) return;
  const Window window = account.calendar_.window(account.key_.period, now);
  if (window.start <= books.window.start) {
    // The zone changed, and by its calendar the window goes on.
    books.window.end = std::max(window.end, books.window.end);
    books.end.store(books.window.end, std::memory_order_relaxed);
    return;
  }
  for (uint32_t i = 0; i < lanes_; ++i) books.lanes[i].close();
  account.past_.push_back(&books);
  // Closed books only ever receive: what is settled is read first, so that when it is all that was
  // used then, nothing is held any more, and nobody will touch them again.
  std::erase_if(account.past_, [&](Books* past) {
    const Micros settled = this->settled(*past);
    if (past->granted - past->pool - free_in_lanes(*past) != settled) return false;
    account.spare_.push_back(past);
    return true;
  });
  if (leased_) begin_allowance(account, books.window);
  open_books(account, window, 0);
  account.mark_ = 0;
  account.durable_ = 0;
  account.demand_ = 0;
  account.turned_ = account.turned_ || account.told_warned_ || account.told_spent_;
  account.refused_ = account.told_warned_ = account.told_spent_ = false;
}

void Ledger::request(Account& account, Micros mark) {
  account.write_ = ++last_write_;
  account.durable_ = std::max(account.durable_, mark);
  account.demand_ = 0;
  const Books& books = *account.current_.load(std::memory_order_relaxed);
  outbox_.push_back({&account, account.write_, books.window, mark, books.approved});
}

}  // namespace reeve::policy
