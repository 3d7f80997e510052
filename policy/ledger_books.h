// The parts of an account that calls touch without a lock. Internal to the ledger.
//
// An account's books of one window are split into lanes, each on a cache line of its own: what
// threads reserve and settle they take from and add to their own lane, so that sixteen on one
// budget do not wait for one another. What lanes hold as free was granted to them before.
//
// Books and slots are never freed while the ledger lives, only used again: whoever still has a
// pointer to old ones finds them closed, or open for a later window, both of which are safe.
#ifndef REEVE_POLICY_LEDGER_BOOKS_H_
#define REEVE_POLICY_LEDGER_BOOKS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>

#include "policy/budget.h"
#include "policy/calendar.h"

namespace reeve::policy {

class Account;

// One thread's part, or that of several threads, of the books of one window.
class alignas(64) Lane {
 public:
  // False, and no change, when less is free here.
  bool take(Micros amount) {
    Micros free = free_.load(std::memory_order_relaxed);
    while (free >= amount) {
      if (free_.compare_exchange_weak(free, free - amount, std::memory_order_acq_rel)) {
        if (!busy_.load(std::memory_order_relaxed)) busy_.store(true, std::memory_order_relaxed);
        return true;
      }
    }
    return false;
  }
  bool has(Micros amount) const { return free_.load(std::memory_order_relaxed) >= amount; }
  void give(Micros amount) { free_.fetch_add(amount, std::memory_order_acq_rel); }
  void settle(Micros amount) { settled_.fetch_add(amount, std::memory_order_acq_rel); }

  // Takes at most `most` of what is free; nothing of a closed lane.
  Micros drain(Micros most) {
    Micros free = free_.load(std::memory_order_relaxed);
    while (free > 0) {
      const Micros taken = free < most ? free : most;
      if (free_.compare_exchange_weak(free, free - taken, std::memory_order_acq_rel)) return taken;
    }
    return 0;
  }

  // A closed lane lets nothing be taken, and still receives. Its sign bit says that it is closed,
  // the others what is free, so that one operation closes it and loses nothing.
  void close() { free_.fetch_or(kClosed, std::memory_order_acq_rel); }
  // Requires that it is closed, and that nothing of it is held.
  void reopen(Micros settled) {
    settled_.store(settled, std::memory_order_relaxed);
    free_.store(0, std::memory_order_release);
  }
  Micros free() const { return free_.load(std::memory_order_acquire) & ~kClosed; }
  Micros settled() const { return settled_.load(std::memory_order_acquire); }

  void touch() { busy_.store(true, std::memory_order_relaxed); }
  bool take_busy() { return busy_.exchange(false, std::memory_order_relaxed); }

 private:
  static constexpr Micros kClosed = std::numeric_limits<Micros>::min();

  std::atomic<Micros> free_{kClosed};
  std::atomic<Micros> settled_{0};
  std::atomic<bool> busy_{false};  // reserved on since the last trim()
};

// The books of one window of one account.
struct Books {
  Books(Account& of, uint32_t lane_count)
      : account(&of), lanes(std::make_unique<Lane[]>(lane_count)) {}

  Account* const account;
  const std::unique_ptr<Lane[]> lanes;
  std::atomic<Time> end{Time{}};  // of the window; read without the lock
  // Guarded by Ledger::mutex_.
  Window window;
  Micros granted = 0;   // settled, reserved, free in the lanes and in the pool, all together
  Micros pool = 0;      // free, and in no lane
  Micros approved = 0;  // beyond the limit, of calls that people let through
};

// What one open reservation holds. Used again and again; `state` says by whom and for what.
struct Slot {
  static constexpr uint64_t kIdle = 0;  // of no reservation
  static constexpr uint64_t kOpen = 1;
  static constexpr uint64_t kSent = 2;  // may have reached the upstream
  static constexpr uint64_t kStatus = 3;
  static constexpr uint64_t kTurn = 4;  // above: counts up with each resolution

  struct Hold {
    Books* books;
    Micros amount;
  };
  // Of a hold, what a limit was raised by for it, and what of that was granted for it.
  struct Raise {
    Micros approved = 0;
    Micros granted = 0;
  };
  using Raises = std::array<Raise, Spend::kMaxDraws>;

  std::atomic<uint64_t> state{kIdle};
  std::atomic<uint32_t> next{0};  // in a list of idle ones
  uint32_t number = 0;            // counts from 1
  uint32_t count = 0;
  std::array<Hold, Spend::kMaxDraws> holds;  // only the first `count` are initialised
  std::unique_ptr<Raises> raises;            // null: no limit was raised for it
};

// Slots for all that is open at once; the idle ones in a list for each lane.
class Slots {
 public:
  static constexpr uint32_t kPerChunk = 64;
  static constexpr uint32_t kChunks = 4096;  // 262,144 reservations open at once

  explicit Slots(uint32_t lanes) : lists_(std::make_unique<List[]>(lanes)), lanes_(lanes) {}
  ~Slots();
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // Null when all are in use.
  Slot* acquire(uint32_t lane);
  void release(Slot& slot, uint32_t lane);

  uint32_t size() const { return chunks_.load(std::memory_order_acquire) * kPerChunk; }
  Slot& at(uint32_t number) const {
    const uint32_t index = number - 1;
    return table_[index / kPerChunk].load(std::memory_order_acquire)[index % kPerChunk];
  }

 private:
  // The number of the first slot, and above it a count that makes each change another value, so
  // that a list which was emptied and filled meanwhile is not taken for the same.
  struct alignas(64) List {
    std::atomic<uint64_t> head{0};
  };
  Slot* pop(List& list);
  Slot* grow();

  const std::unique_ptr<List[]> lists_;
  const uint32_t lanes_;
  std::mutex growing_;  // one at a time
  std::atomic<uint32_t> chunks_{0};
  std::array<std::atomic<Slot*>, kChunks> table_{};
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_LEDGER_BOOKS_H_
