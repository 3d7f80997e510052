// Reserve, settle, release: the part that calls touch. Windows, marks and what is shown are in
// ledger_accounts.cc.
//
// Under the lock a pool may fall below zero: reserving books first and looks at the marks after, so
// that draws on one account add up by themselves, and giving up is the one path `undo_pools`.
//
// Tested by tests/policy/ledger_test.cc, ledger_threads_test.cc and ledger_simulation_test.cc.
#include "policy/ledger.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <thread>

namespace reeve::policy {

namespace {

// A slice is this part of what is left.
constexpr Micros kSlicesLeft = 8;
constexpr uint32_t kMostLanes = 16;
// A lane is filled from the pool if that is enough for so many calls more like this one.
constexpr Micros kWorthFilling = 4;

std::atomic<uint32_t> threads_seen{0};
thread_local uint32_t own_lane = threads_seen.fetch_add(1, std::memory_order_relaxed);

uint32_t lanes_of(uint32_t asked) {
  // More than cores, so that the threads that run are seldom on the same one.
  if (asked == 0) asked = 4 * std::thread::hardware_concurrency();
  return std::bit_ceil(std::clamp<uint32_t>(asked, 1, kMostLanes));
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

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  drop();
  ledger_ = std::exchange(other.ledger_, nullptr);
  slot_ = other.slot_;
  turn_ = other.turn_;
  return *this;
}

void Reservation::mark_sent() {
  if (ledger_ == nullptr) return;
  uint64_t open = turn_ | Slot::kOpen;  // else it is sent already, or expired
  slot_->state.compare_exchange_strong(open, turn_ | Slot::kSent, std::memory_order_acq_rel);
}

bool Reservation::open() const {
  if (ledger_ == nullptr) return false;
  const uint64_t state = slot_->state.load(std::memory_order_acquire);
  return state == (turn_ | Slot::kOpen) || state == (turn_ | Slot::kSent);
}

bool Reservation::settle(const Cost& cost) {
  Ledger* const ledger = std::exchange(ledger_, nullptr);
  return ledger != nullptr && ledger->resolve(*slot_, turn_, &cost);
}

bool Reservation::release() {
  Ledger* const ledger = std::exchange(ledger_, nullptr);
  return ledger != nullptr && ledger->resolve(*slot_, turn_, nullptr);
}

void Reservation::drop() {
  if (ledger_ == nullptr) return;
  const uint64_t state = slot_->state.load(std::memory_order_acquire);
  state == (turn_ | Slot::kSent) ? settle() : release();
}

void Ledger::use_lane(uint32_t lane) { own_lane = lane; }

uint32_t Ledger::lane() const { return own_lane & (lanes_ - 1); }

Ledger::Ledger(std::span<const Mark> marks, uint32_t lanes)
    : lanes_(lanes_of(lanes)), slots_(lanes_) {
  for (const Mark& mark : marks) {
    auto account = std::make_unique<Account>(mark.key);
    open_books(*account, mark.window, mark.mark).approved = mark.approved;
    account->mark_ = mark.mark;
    account->durable_ = mark.mark;
    account->allowance_ = mark.mark;
    account->unknown_before_ = mark.window.start;
    accounts_.insert_or_assign(mark.key, std::move(account));
  }
}

Attempt Ledger::reserve(std::span<const Draw> draws, std::span<Account* const> binding, Time now,
                        std::span<const Account* const> beyond) {
  Attempt attempt;
  if (draws.size() > Spend::kMaxDraws) return attempt;
  for (const Draw& draw : draws) {
    if (draw.account >= binding.size() || draw.amount < 0) return attempt;
  }
  const uint32_t lane = this->lane();
  Slot* const slot = slots_.acquire(lane);
  if (slot == nullptr) {
    attempt.outcome = Attempt::Outcome::kTooMany;
    return attempt;
  }
  slot->count = 0;
  if (reserve_from_lanes(draws, binding, now, *slot, lane)) {
    attempt.outcome = Attempt::Outcome::kReserved;
  } else {
    reserve_from_pools(draws, binding, now, beyond, *slot, lane, attempt);
  }
  if (attempt.outcome != Attempt::Outcome::kReserved) {
    slots_.release(*slot, lane);
    return attempt;
  }
  const uint64_t turn = slot->state.load(std::memory_order_relaxed);
  slot->state.store(turn | Slot::kOpen, std::memory_order_release);
  attempt.reservation.ledger_ = this;
  attempt.reservation.slot_ = slot;
  attempt.reservation.turn_ = turn;
  return attempt;
}

bool Ledger::reserve_from_lanes(std::span<const Draw> draws, std::span<Account* const> binding,
                                Time now, Slot& slot, uint32_t lane) {
  // Looked at first, taken after: what is given back has been in nobody's way.
  for (const Draw& draw : draws) {
    if (draw.amount == 0) continue;
    Books& books = *binding[draw.account]->current_.load(std::memory_order_acquire);
    if (now >= books.end.load(std::memory_order_relaxed) || !books.lanes[lane].has(draw.amount)) {
      slot.count = 0;
      return false;
    }
    slot.holds[slot.count++] = {&books, draw.amount};
  }
  for (uint32_t i = 0; i < slot.count; ++i) {
    if (slot.holds[i].books->lanes[lane].take(slot.holds[i].amount)) continue;
    while (i > 0) {
      --i;
      slot.holds[i].books->lanes[lane].give(slot.holds[i].amount);
    }
    slot.count = 0;
    return false;
  }
  return true;
}

void Ledger::reserve_from_pools(std::span<const Draw> draws, std::span<Account* const> binding,
                                Time now, std::span<const Account* const> beyond, Slot& slot,
                                uint32_t lane, Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  if (!draw_from_pools(draws, binding, now, beyond, slot, attempt)) {
    undo_pools(slot);
    if (attempt.outcome == Attempt::Outcome::kNeedsLease) return;
    const auto tell_used = [this](Shortfall& shortfall) {
      shortfall.used = used_by_all(*shortfall.account);
    };
    tell_used(attempt.shortfall);
    for (Shortfall& shortfall : attempt.asks) tell_used(shortfall);
    attempt.outcome = Attempt::Outcome::kOverLimit;
    return;
  }
  if (ask_for_marks(slot, attempt)) {
    undo_pools(slot);
    attempt.outcome = Attempt::Outcome::kNeedsMark;
    return;
  }
  for (uint32_t i = 0; i < slot.count; ++i) {
    const auto& [books, amount] = slot.holds[i];
    books->lanes[lane].touch();
    attempt.has_writes |= ask_ahead(*books->account, amount);
    if (leased_) attempt.has_asks |= ask_lease_ahead(*books->account, amount);
    fill_lane(*books, amount, lane);
  }
  attempt.outcome = Attempt::Outcome::kReserved;
}

// False when one would go over its limit, of which attempt.shortfall tells, or over what the fleet
// has allowed so far, which is asked for more. Those that ask people are all found, so that they
// are asked once.
bool Ledger::draw_from_pools(std::span<const Draw> draws, std::span<Account* const> binding,
                             Time now, std::span<const Account* const> beyond, Slot& slot,
                             Attempt& attempt) {
  for (const Draw& draw : draws) {
    if (draw.amount == 0) continue;
    Account& account = *binding[draw.account];
    turn_over(account, now);
    Books& books = *account.current_.load(std::memory_order_relaxed);
    if (books.pool < draw.amount) gather(books);
    const Micros used = books.granted - books.pool;
    const Micros left = ceiling(account, books) - used;
    if (books.pool < draw.amount && draw.amount > left) {
      if (leased_ && ask_lease(account, used, draw.amount, attempt)) return false;
      if (std::find(beyond.begin(), beyond.end(), &account) == beyond.end()) {
        account.refused_ = true;
        // What is left here serves no such call; together with what others have left it may.
        account.idle_ = leased_;
        attempt.shortfall = {&account, account.limit_, 0, draw.amount, books.window, account.ask_};
        if (!account.ask_) {
          attempt.asks.clear();
          return false;
        }
        attempt.asks.push_back(attempt.shortfall);
        continue;
      }
      raise(account, books, draw.amount, left, slot);
    }
    books.pool -= draw.amount;
    slot.holds[slot.count++] = {&books, draw.amount};
  }
  if (attempt.asks.empty()) return true;
  attempt.shortfall = attempt.asks.front();
  return false;
}

// Raises the limit for the hold that comes next by what it lacks, and grants that as far as it is
// marked; `left` is below zero where a limit was lowered below what is used.
void Ledger::raise(Account& account, Books& books, Micros amount, Micros left, Slot& slot) {
  if (slot.raises == nullptr) slot.raises = std::make_unique<Slot::Raises>();
  Slot::Raise& raise = (*slot.raises)[slot.count];
  raise.approved = amount - std::max<Micros>(left, 0);
  raise.granted = std::clamp<Micros>(account.mark_ - books.granted, 0, raise.approved);
  books.approved += raise.approved;
  books.granted += raise.granted;
  books.pool += raise.granted;
}

// Whether some account has drawn more than is marked: each of them has a write on its way then.
bool Ledger::ask_for_marks(Slot& slot, Attempt& attempt) {
  for (uint32_t i = 0; i < slot.count; ++i) {
    const Books& books = *slot.holds[i].books;
    if (books.pool >= 0) continue;
    Account& account = *books.account;
    const Micros used = books.granted - books.pool;
    // Below zero where a limit was lowered, and people let a call through all the same.
    const Micros left = std::max<Micros>(ceiling(account, books) - used, 0);
    if (account.write_ == 0) {
      // Whoever came while the last write was on its way is waiting for this one.
      const Micros slice = std::max(left / kSlicesLeft, std::min(left, account.demand_));
      request(account, used + slice);
      attempt.has_writes = true;
    } else {
      account.demand_ =
          std::min(account.limit_,
                   checked_add(account.demand_, slot.holds[i].amount).value_or(account.limit_));
    }
    attempt.account = &account;
    attempt.write = account.write_;
  }
  return attempt.account != nullptr;
}

void Ledger::undo_pools(Slot& slot) {
  for (uint32_t i = 0; i < slot.count; ++i) {
    Books& books = *slot.holds[i].books;
    books.pool += slot.holds[i].amount;
    if (slot.raises == nullptr) continue;
    const Slot::Raise& raise = (*slot.raises)[i];
    books.pool -= raise.granted;
    books.granted -= raise.granted;
    books.approved -= raise.approved;
  }
  slot.raises.reset();
  slot.count = 0;
}

void Ledger::fill_lane(Books& books, Micros amount, uint32_t lane) {
  const Micros part = books.pool / (2 * static_cast<Micros>(lanes_));
  if (part / kWorthFilling < amount) return;
  books.pool -= part;
  books.lanes[lane].give(part);
}

// Near the limit, where a slice would not hold another call like this one, nothing is asked ahead.
bool Ledger::ask_ahead(Account& account, Micros amount) {
  const Books& books = *account.current_.load(std::memory_order_relaxed);
  const Micros ceiling = this->ceiling(account, books);
  if (account.write_ != 0 || account.mark_ >= ceiling) return false;
  const Micros used = this->used(books);
  const Micros slice = (ceiling - used) / kSlicesLeft;
  if (slice < amount || account.mark_ - used >= slice / 2) return false;
  request(account, used + slice);
  return true;
}

bool Ledger::resolve(Slot& slot, uint64_t turn, const Cost* cost, bool locked) {
  // Whoever changes the state has the slot; the turn tells another's reservation in it from this.
  uint64_t state = turn | Slot::kSent;
  const uint64_t idle = turn + Slot::kTurn;
  if (!slot.state.compare_exchange_strong(state, idle, std::memory_order_acq_rel)) {
    state = turn | Slot::kOpen;
    if (!slot.state.compare_exchange_strong(state, idle, std::memory_order_acq_rel)) return false;
  }
  if (slot.raises == nullptr) [[likely]] {
    book(slot, cost);
    return true;
  }
  // A limit goes down again by what was raised and is not needed: rare, and worth a lock.
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!locked) lock.lock();
  book(slot, cost);
  return true;
}

void Ledger::book(Slot& slot, const Cost* cost) {
  const uint32_t lane = this->lane();
  for (uint32_t i = 0; i < slot.count; ++i) {
    const auto& [books, amount] = slot.holds[i];
    Micros settled = 0;
    if (cost != nullptr) {
      const Unit unit = books->account->key().unit;
      settled = std::clamp<Micros>(cost_in(*cost, unit).value_or(amount), 0, amount);
    }
    // In this order: what is settled is at no instant neither settled nor reserved.
    if (settled > 0) books->lanes[lane].settle(settled);
    Micros freed = amount - settled;
    if (slot.raises != nullptr) [[unlikely]] {
      const Micros back = std::min((*slot.raises)[i].approved, freed);
      books->approved -= back;
      books->granted -= back;
      freed -= back;
    }
    if (freed > 0) books->lanes[lane].give(freed);
  }
  if (slot.raises != nullptr) [[unlikely]]
    slot.raises.reset();
  slots_.release(slot, lane);
}

size_t Ledger::expire(Steady now, std::chrono::nanoseconds ttl) {
  size_t expired = 0;
  const std::lock_guard lock(mutex_);
  ages_.resize(slots_.size());
  for (uint32_t number = 1; number <= ages_.size(); ++number) {
    Slot& slot = slots_.at(number);
    Age& age = ages_[number - 1];
    const uint64_t state = slot.state.load(std::memory_order_acquire);
    if ((state & Slot::kStatus) == Slot::kIdle) continue;
    // Of one turn, sent or not.
    if (age.state != (state | Slot::kStatus)) {
      age = {state | Slot::kStatus, now};
    } else if (now - age.since >= ttl) {
      const Cost all;
      expired += resolve(slot, state & ~Slot::kStatus, &all, true) ? 1 : 0;
    }
  }
  return expired;
}

}  // namespace reeve::policy
