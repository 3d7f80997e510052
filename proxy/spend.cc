// Calls try the ledger on their own threads; the store's thread writes, answers the ledger, then
// wakes who waits. That order is what makes "is it still pending?" a safe question (wait_for).
//
// Tested by tests/proxy/spend_test.cc.
#include "proxy/spend.h"

#include <fmt/core.h>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "proxy/budget_view.h"
#include "proxy/clock.h"

namespace reeve {

namespace asio = boost::asio;
using policy::Attempt;

namespace {

// Each round of waiting ends with a higher mark that someone uses, so a call ends by reserving or
// at the limit long before; this only bounds the loop.
constexpr int kMaxRounds = 1000;

std::string per(policy::Period period) {
  if (period == policy::Period::kTotal) return "in total";
  return fmt::format("per {}", policy::to_string(period));
}

SpendRefusal over_budget(const policy::Shortfall& shortfall) {
  const policy::AccountKey& key = shortfall.account->key();
  SpendRefusal refusal{.kind = SpendRefusal::Kind::kOverBudget,
                       .message = {},
                       .budget = key.budget,
                       .scope = key.scope,
                       .unit = key.unit,
                       .currency = key.currency,
                       .period = key.period,
                       .limit = shortfall.limit,
                       .used = shortfall.used,
                       .asked = shortfall.asked,
                       .resets = {},
                       .asks = {}};
  if (key.period != policy::Period::kTotal) refusal.resets = shortfall.window.end;
  refusal.message = fmt::format("budget `{}` ({}) has used {} of {} {} {}, this call may take {}",
                                key.budget, key.scope, policy::format_decimal(shortfall.used),
                                policy::format_decimal(shortfall.limit), unit_name(key),
                                per(key.period), policy::format_decimal(shortfall.asked));
  if (refusal.resets) refusal.message += "; it resets at " + format_time(*refusal.resets);
  return refusal;
}

SpendRefusal unavailable(std::string why) {
  SpendRefusal refusal;
  refusal.message = std::move(why);
  return refusal;
}

}  // namespace

// A coroutine that waits for a write, and the loop that it runs in. Resumed with whether the write
// succeeded; always by a post, never within the store's thread.
struct Treasury::Waiter {
  asio::executor_work_guard<net::Executor> loop;
  asio::any_completion_handler<void(bool)> handler;

  void resume(bool ok) && {
    asio::post(loop.get_executor(),
               [handler = std::move(handler), ok]() mutable { std::move(handler)(ok); });
  }
};

Result<std::unique_ptr<Treasury>> Treasury::open(std::unique_ptr<store::Store> store, Pace pace) {
  auto marks = store->load();
  if (!marks) return marks.error();
  return std::unique_ptr<Treasury>(new Treasury(std::move(store), *marks, pace));
}

Treasury::Treasury(std::unique_ptr<store::Store> store, std::span<const policy::Mark> marks,
                   Pace pace)
    : pace_(pace),
      store_(std::move(store)),
      ledger_(marks),
      last_result_(store::Done{}),
      thread_([this] { run(); }) {}

Treasury::~Treasury() { (void)stop(); }

Treasury::Binding Treasury::bind(std::span<const policy::AccountSpec> accounts, policy::Time now) {
  return ledger_.bind(accounts, now);
}

std::vector<policy::AccountState> Treasury::snapshot(policy::Time now) {
  return ledger_.snapshot(now);
}

std::optional<std::string> Treasury::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

policy::Attempt Treasury::attempt(std::span<const policy::Draw> draws, const Binding& binding,
                                  policy::Time now,
                                  std::span<const policy::Account* const> beyond) {
  Attempt attempt = ledger_.reserve(draws, binding, now, beyond);
  // The first refusal since the last look wakes the thread, which tells of it in a while.
  const bool refused = attempt.outcome == Attempt::Outcome::kOverLimit &&
                       !has_news_.exchange(true, std::memory_order_relaxed);
  if (attempt.has_writes || refused) {
    const std::lock_guard lock(mutex_);
    has_writes_ = true;
    wake_.notify_one();
  }
  if (attempt.has_asks) wake_fleet_();
  return attempt;
}

namespace {

// Nothing while a mark is missing.
std::optional<Treasury::Outcome> outcome_of(Attempt& attempt) {
  switch (attempt.outcome) {
    case Attempt::Outcome::kReserved:
      return std::move(attempt.reservation);
    case Attempt::Outcome::kOverLimit: {
      SpendRefusal refusal = over_budget(attempt.shortfall);
      for (const policy::Shortfall& each : attempt.asks) {
        refusal.asks.push_back({each.account, *each.ask, over_budget(each).message});
      }
      return refusal;
    }
    case Attempt::Outcome::kNeedsMark:
    case Attempt::Outcome::kNeedsLease:
      return std::nullopt;
    case Attempt::Outcome::kTooMany:
      return unavailable("too many calls are under way");
    case Attempt::Outcome::kInvalid:
      break;
  }
  return unavailable("the cost of this call does not fit the budgets of the policy");
}

}  // namespace

std::optional<Treasury::Outcome> Treasury::try_reserve(std::span<const policy::Draw> draws,
                                                       const Binding& binding, policy::Time now) {
  Attempt first = attempt(draws, binding, now);
  return outcome_of(first);
}

net::Task<Treasury::Outcome> Treasury::reserve(std::span<const policy::Draw> draws,
                                               const Binding& binding, policy::Time now,
                                               std::span<const policy::Account* const> beyond) {
  for (int round = 0; round < kMaxRounds; ++round) {
    Attempt next = attempt(draws, binding, now, beyond);
    if (auto outcome = outcome_of(next)) {
      co_return std::move(*outcome);
    }
    const bool written = co_await wait_for(*next.account, next.write);
    if (!written) {
      co_return unavailable(why_not(next.outcome));
    }
  }
  co_return unavailable("too many calls wait for the same budget");
}

std::string Treasury::why_not(Attempt::Outcome waited_for) const {
  const std::lock_guard lock(mutex_);
  const auto& why = waited_for == Attempt::Outcome::kNeedsLease ? fleet_trouble_ : trouble_;
  return stopped_ || !why ? "the ledger is closed, reeve is stopping" : *why;
}

void Treasury::lease(std::function<void()> wake) {
  wake_fleet_ = std::move(wake);
  ledger_.use_leases();
}

// Requires the lock.
std::vector<Treasury::Waiter> Treasury::take_waiters(uint64_t write) {
  const auto found = waiters_.find(write);
  if (found == waiters_.end()) return {};
  auto waiting = std::move(found->second);
  waiters_.erase(found);
  return waiting;
}

void Treasury::answered(std::span<const uint64_t> questions,
                        const std::optional<std::string>& trouble) {
  std::vector<Waiter> ready;
  {
    const std::lock_guard lock(mutex_);
    if (trouble) fleet_trouble_ = trouble;
    for (const uint64_t question : questions) {
      auto waiting = take_waiters(question);
      std::move(waiting.begin(), waiting.end(), std::back_inserter(ready));
    }
  }
  for (Waiter& waiter : ready) std::move(waiter).resume(!trouble);
}

net::Task<bool> Treasury::wait_for(const policy::Account& account, uint64_t write) {
  const bool written = co_await asio::async_initiate<decltype(net::kAwait), void(bool)>(
      [this, &account, write](auto handler) {
        const net::Executor loop = asio::get_associated_executor(handler);
        Waiter waiter{asio::make_work_guard(loop), std::move(handler)};
        std::unique_lock lock(mutex_);
        // The store's thread answers the ledger before it looks for waiters: what is still pending
        // here will be found there.
        if (!stopped_ && ledger_.is_pending(account, write)) {
          waiters_[write].push_back(std::move(waiter));
          return;
        }
        const bool retry = !stopped_;
        lock.unlock();
        std::move(waiter).resume(retry);
      },
      net::kAwait);
  co_return written;
}

void Treasury::run() {
  using Clock = std::chrono::steady_clock;
  bool trimming = false;  // some account may have something to give back
  Clock::time_point next_trim;
  Clock::time_point next_check = Clock::now() + pace_.ttl_check;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto woken = [this] { return has_writes_ || stopping_; };
    if (trimming) {
      wake_.wait_until(lock, next_trim, woken);
    } else {
      wake_.wait(lock, woken);
      trimming = true;
      next_trim = Clock::now() + pace_.quiet;
    }
    has_writes_ = false;
    lock.unlock();
    if (Clock::now() >= next_trim) {
      trimming = ledger_.trim(false);
      tell();
      next_trim = Clock::now() + pace_.quiet;
    }
    if (Clock::now() >= next_check) {
      (void)ledger_.expire(Clock::now(), pace_.ttl);
      next_check = Clock::now() + pace_.ttl_check;
    }
    (void)write_all();
    lock.lock();
  }
  lock.unlock();

  // What is on its way is answered first: an account takes one write at a time.
  (void)write_all();
  ledger_.trim(true);
  last_result_ = write_all();

  lock.lock();
  stopped_ = true;
  auto waiters = std::exchange(waiters_, {});
  lock.unlock();
  for (auto& [write, waiting] : waiters) {
    for (Waiter& waiter : waiting) std::move(waiter).resume(false);
  }
}

void Treasury::listen(std::function<void(const policy::Notice&)> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void Treasury::tell() {
  has_news_.store(false, std::memory_order_relaxed);
  std::vector<policy::Notice> notices;
  ledger_.take_notices(notices);
  if (notices.empty()) return;
  std::unique_lock lock(mutex_);
  const auto listener = listener_;
  lock.unlock();
  if (!listener) return;
  for (const policy::Notice& notice : notices) listener(notice);
}

Result<store::Done> Treasury::write_all() {
  std::vector<policy::MarkWrite> writes;
  ledger_.take_writes(writes);
  if (writes.empty()) return store::Done{};
  Result<store::Done> result = store_->persist(writes);
  for (const policy::MarkWrite& write : writes) {
    result ? ledger_.written(write) : ledger_.failed(write);
  }

  std::vector<Waiter> ready;
  {
    const std::lock_guard lock(mutex_);
    trouble_.reset();
    if (!result) trouble_ = result.error().message;
    for (const policy::MarkWrite& write : writes) {
      auto waiting = take_waiters(write.write);
      std::move(waiting.begin(), waiting.end(), std::back_inserter(ready));
    }
  }
  for (Waiter& waiter : ready) std::move(waiter).resume(result.ok());
  return result;
}

Result<store::Done> Treasury::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  const std::lock_guard joining(stop_mutex_);
  if (thread_.joinable()) thread_.join();
  return last_result_;
}

}  // namespace reeve
