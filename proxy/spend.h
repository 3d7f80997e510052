// The proxy's purse: reserves from the ledger in memory and keeps its store ahead of it.
//
// Most reservations touch memory only. One that finds its slice used up waits, without blocking its
// thread, until the store's own thread has written a higher mark; all that wait share a
// transaction. A store that fails refuses (kUnavailable): nothing is ever free because a disk is
// full.
#ifndef REEVE_PROXY_SPEND_H_
#define REEVE_PROXY_SPEND_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "policy/ledger.h"
#include "policy/result.h"
#include "proxy/net/asio.h"
#include "proxy/store/store.h"

namespace reeve {

// A budget that has too little left, and whom it asks to let just this call through.
struct OverBudget {
  const policy::Account* account = nullptr;
  policy::AskTerms ask;
  std::string message;  // as SpendRefusal::message
};

// Why a call may not be paid.
struct SpendRefusal {
  enum class Kind : uint8_t {
    kOverBudget,   // 402: the rest tells which budget
    kUnavailable,  // 503: `message` tells why
  };
  Kind kind = Kind::kUnavailable;
  std::string message;  // one sentence, lower case, without a final stop; for kOverBudget too

  std::string budget;
  std::string scope;
  policy::Unit unit = policy::Unit::kMoney;
  std::string currency;  // empty unless unit is kMoney
  policy::Period period = policy::Period::kDay;
  policy::Micros limit = 0;
  policy::Micros used = 0;             // settled + reserved
  policy::Micros asked = 0;            // by this call
  std::optional<policy::Time> resets;  // nothing: never (total)

  // Where every budget that has too little left asks people: all of them; else none.
  std::vector<OverBudget> asks;
};

class Treasury {
 public:
  // An index of a policy's accounts (policy::Draw) to the running ones. Belongs to a snapshot of
  // the policy; valid as long as the Treasury.
  using Binding = std::vector<policy::Account*>;
  using Outcome = Result<policy::Reservation, SpendRefusal>;

  // How the store's thread spends its time.
  struct Pace {
    // How often accounts are looked at that may have marked more than they use; one that was not
    // used for that long gives the rest back. Notices are told as often.
    std::chrono::milliseconds quiet{250};
    // What is reserved for longer is charged in full: nothing that is known to live lives as long.
    std::chrono::milliseconds ttl = std::chrono::hours(25);
    std::chrono::milliseconds ttl_check = std::chrono::minutes(1);
  };

  // Loads the marks and starts the store's thread.
  static Result<std::unique_ptr<Treasury>> open(std::unique_ptr<store::Store> store, Pace pace);
  static Result<std::unique_ptr<Treasury>> open(std::unique_ptr<store::Store> store) {
    return open(std::move(store), Pace{});
  }
  // Stops. Reservations must be resolved before; io_contexts that wait in reserve() must outlive
  // it.
  ~Treasury();
  Treasury(const Treasury&) = delete;
  Treasury& operator=(const Treasury&) = delete;

  Binding bind(std::span<const policy::AccountSpec> accounts, policy::Time now);

  // Reserves all draws or none. Does not suspend unless the store has to be asked. `draws` and
  // `binding` must live in the caller's frame until it returns. Its io_context is posted to from
  // another thread, so it must not have the concurrency hint UNSAFE. `beyond`: see
  // Ledger::reserve().
  net::Task<Outcome> reserve(std::span<const policy::Draw> draws, const Binding& binding,
                             policy::Time now, std::span<const policy::Account* const> beyond = {});

  // The part of reserve() that needs no coroutine: nothing when the store has to be asked.
  std::optional<Outcome> try_reserve(std::span<const policy::Draw> draws, const Binding& binding,
                                     policy::Time now);

  // The accounts of the last bind(), each once. Thread-safe.
  std::vector<policy::AccountState> snapshot(policy::Time now);

  // Hears of budgets that warn, run out or turn over, while there is traffic; on the store's
  // thread, which it must not hold up for long. To be set once, before the first reservation.
  void listen(std::function<void(const policy::Notice&)> listener);

  // Why the last write failed; nothing when it did not. For /readyz and the log. Thread-safe.
  std::optional<std::string> trouble() const;

  // Bounds the ledger by leases of a fleet (fleet/leasing.h), before the first bind(). `wake` is
  // called on the threads of calls when there is something to ask for, and must not block.
  void lease(std::function<void()> wake);
  policy::Ledger& ledger() { return ledger_; }
  // The fleet's answers to these questions have been given to the ledger: who waits for them goes
  // on, or is refused with `trouble`. Thread-safe.
  void answered(std::span<const uint64_t> questions, const std::optional<std::string>& trouble);

  // Writes what is used as the marks and ends the thread; whoever waits is refused. Later calls do
  // nothing. An error means that a restart will count more as spent than was.
  Result<store::Done> stop();

 private:
  struct Waiter;

  Treasury(std::unique_ptr<store::Store> store, std::span<const policy::Mark> marks, Pace pace);
  policy::Attempt attempt(std::span<const policy::Draw> draws, const Binding& binding,
                          policy::Time now, std::span<const policy::Account* const> beyond = {});
  net::Task<bool> wait_for(const policy::Account& account, uint64_t write);
  void run();
  void tell();
  std::string why_not(policy::Attempt::Outcome waited_for) const;
  std::vector<Waiter> take_waiters(uint64_t write);
  Result<store::Done> write_all();

  const Pace pace_;
  const std::unique_ptr<store::Store> store_;  // of the thread
  policy::Ledger ledger_;

  std::atomic<bool> has_news_{false};  // a refusal, which has to be told
  std::function<void()> wake_fleet_;   // set before the first reservation
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  bool has_writes_ = false;
  bool stopping_ = false;  // asked to
  bool stopped_ = false;   // no write will be answered any more
  std::optional<std::string> trouble_;
  std::optional<std::string> fleet_trouble_;
  std::function<void(const policy::Notice&)> listener_;
  std::unordered_map<uint64_t, std::vector<Waiter>> waiters_;  // by number of the write

  Result<store::Done> last_result_;  // of the thread; after it, of stop()
  std::mutex stop_mutex_;            // only in stop()
  std::thread thread_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_SPEND_H_
