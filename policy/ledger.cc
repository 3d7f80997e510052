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
    open_books(*account, mark.window, mark.mark);
    account->mark_ = mark.mark;
    account->durable_ = mark.mark;
    account->allowance_ = mark.mark;
    account->unknown_before_ = mark.window.start;
    accounts_.insert_or_assign(mark.key, std::move(account));
  }
}

Attempt Ledger::reserve(std::span<const Draw> draws, std::span<Account* const> binding, Time now) {
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
    reserve_from_pools(draws, binding, now, *slot, lane, attempt);
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
                                Time now, Slot& slot, uint32_t lane, Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  if (!draw_from_pools(draws, binding, now, slot, attempt)) {
    undo_pools(slot);
    if (attempt.outcome == Attempt::Outcome::kNeedsLease) return;
    Shortfall& shortfall = attempt.shortfall;
    shortfall.used = used_by_all(*shortfall.account);
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
// has allowed so far, which is asked for more.
bool Ledger::draw_from_pools(std::span<const Draw> draws, std::span<Account* const> binding,
                             Time now, Slot& slot, Attempt& attempt) {
  for (const Draw& draw : draws) {
    if (draw.amount == 0) continue;
    Account& account = *binding[draw.account];
    turn_over(account, now);
    Books& books = *account.current_.load(std::memory_order_relaxed);
    if (books.pool < draw.amount) gather(books);
    const Micros used = books.granted - books.pool;
    if (books.pool < draw.amount && draw.amount > ceiling(account) - used) {
      if (leased_ && ask_lease(account, used, draw.amount, attempt)) return false;
      account.refused_ = true;
      attempt.shortfall = {&account, account.limit_, 0, draw.amount, books.window, account.ask_};
      return false;
    }
    books.pool -= draw.amount;
    slot.holds[slot.count++] = {&books, draw.amount};
  }
  return true;
}

// Whether some account has drawn more than is marked: each of them has a write on its way then.
bool Ledger::ask_for_marks(Slot& slot, Attempt& attempt) {
  for (uint32_t i = 0; i < slot.count; ++i) {
    const Books& books = *slot.holds[i].books;
    if (books.pool >= 0) continue;
    Account& account = *books.account;
    const Micros used = books.granted - books.pool;
    const Micros left = ceiling(account) - used;
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
  for (uint32_t i = 0; i < slot.count; ++i) slot.holds[i].books->pool += slot.holds[i].amount;
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
  const Micros ceiling = this->ceiling(account);
  if (account.write_ != 0 || account.mark_ >= ceiling) return false;
  const Micros used = this->used(*account.current_.load(std::memory_order_relaxed));
  const Micros slice = (ceiling - used) / kSlicesLeft;
  if (slice < amount || account.mark_ - used >= slice / 2) return false;
  request(account, used + slice);
  return true;
}

bool Ledger::resolve(Slot& slot, uint64_t turn, const Cost* cost) {
  // Whoever changes the state has the slot; the turn tells another's reservation in it from this.
  uint64_t state = turn | Slot::kSent;
  const uint64_t idle = turn + Slot::kTurn;
  if (!slot.state.compare_exchange_strong(state, idle, std::memory_order_acq_rel)) {
    state = turn | Slot::kOpen;
    if (!slot.state.compare_exchange_strong(state, idle, std::memory_order_acq_rel)) return false;
  }
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
    if (settled < amount) books->lanes[lane].give(amount - settled);
  }
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
      expired += resolve(slot, state & ~Slot::kStatus, &all) ? 1 : 0;
    }
  }
  return expired;
}

}  // namespace reeve::policy
