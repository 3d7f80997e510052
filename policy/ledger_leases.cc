// The part of the ledger that a fleet bounds: what is asked for, held and given back (leases.h).
//
// Tested by tests/policy/leases_test.cc and fleet_simulation_test.cc.
#include <algorithm>

#include "policy/ledger.h"

namespace reeve::policy {

namespace {

// Ahead of need a member asks for this part of what is left, divided by all of them: together they
// take a quarter at once, so that it shrinks to a single call near the limit.
constexpr Micros kPartsLeft = 4;
// Windows before the current one that a member remembers, for a store that forgot.
constexpr size_t kPastWindows = 64;

Micros slice_of(Micros left, size_t members) {
  return std::max<Micros>(left, 0) / (kPartsLeft * static_cast<Micros>(members));
}

}  // namespace

void Ledger::use_leases() {
  const std::lock_guard lock(mutex_);
  leased_ = true;
}

// What others may use counts: it is theirs.
Micros Ledger::used_by_all(const Account& account) const {
  return used(*account.current_.load(std::memory_order_relaxed)) + account.others_;
}

// False when there is nothing to ask for: the draw is refused.
bool Ledger::ask_lease(Account& account, Micros used, Micros amount, Attempt& attempt) {
  account.idle_ = false;
  if (amount > account.limit_ - used || account.dry_) return false;
  account.least_ = account.need_ == 0 ? amount : std::min(account.least_, amount);
  account.need_ =
      std::min(account.limit_, checked_add(account.need_, amount).value_or(account.limit_));
  if (account.question_ == 0) account.question_ = ++last_write_;
  attempt.outcome = Attempt::Outcome::kNeedsLease;
  attempt.account = &account;
  attempt.write = account.question_;
  attempt.has_asks = true;
  return true;
}

bool Ledger::ask_lease_ahead(Account& account, Micros amount) {
  account.idle_ = false;
  if (account.low_ || account.dry_) return false;
  const Micros used = this->used(*account.current_.load(std::memory_order_relaxed));
  const Micros slice = slice_of(account.limit_ - account.others_ - used, members_);
  if (slice < amount || account.allowance_ - used >= slice / 2) return false;
  account.low_ = true;
  return true;
}

// A new window: nothing of it is allowed yet.
void Ledger::begin_allowance(Account& account, const Window& past) {
  if (account.allowance_ > 0) account.past_allowances_.emplace_back(past, account.allowance_);
  if (account.past_allowances_.size() > kPastWindows) {
    account.past_allowances_.erase(account.past_allowances_.begin());
  }
  account.allowance_ = account.counted_ = account.others_ = account.need_ = 0;
  account.low_ = account.dry_ = account.idle_ = false;
}

LeaseLine Ledger::lease_line(Account& account) const {
  const Books& books = *account.current_.load(std::memory_order_relaxed);
  LeaseLine line;
  line.account = &account;
  line.key = account.key_;
  line.window = books.window;
  line.limit = account.limit_;
  line.unknown_before = account.unknown_before_;
  // After a crash the durable mark is what counts as used.
  line.held = line.want = std::max(account.allowance_, account.durable_);
  return line;
}

void Ledger::all_leases(std::vector<LeaseLine>& lines) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, account] : accounts_) {
    lines.push_back(lease_line(*account));
    for (const auto& [window, allowance] : account->past_allowances_) {
      LeaseLine line;
      line.account = account.get();
      line.key = key;
      line.window = window;
      line.unknown_before = account->unknown_before_;
      line.held = line.want = allowance;
      lines.push_back(std::move(line));
    }
  }
}

void Ledger::lease_joined(const std::vector<LeaseLine>& lines) {
  const std::lock_guard lock(mutex_);
  for (const LeaseLine& line : lines) {
    const Books& books = *line.account->current_.load(std::memory_order_relaxed);
    if (books.window.start == line.window.start) line.account->counted_ = line.held;
  }
}

void Ledger::take_leases(size_t members, bool all, std::vector<LeaseLine>& lines) {
  const std::lock_guard lock(mutex_);
  members_ = members;
  for (const auto& [key, owned] : accounts_) {
    Account& account = *owned;
    const Books& books = *account.current_.load(std::memory_order_relaxed);
    if (account.idle_ && account.question_ == 0 && account.write_ == 0) {
      // The mark is lowered and written before, so that a crash does not count what is another's.
      const Micros kept = std::max(books.granted, account.durable_);
      account.allowance_ = std::min(account.allowance_, kept);
    } else if (all && account.question_ == 0 && !account.low_) {
      // The less there is left, the less anybody should keep beyond what it is using.
      const Micros used = this->used(books);
      const Micros slice = slice_of(account.limit_ - account.others_ - used, members);
      const Micros kept = std::max({books.granted, account.durable_, used + slice});
      account.allowance_ = std::min(account.allowance_, kept);
    }
    LeaseLine line = lease_line(account);
    if (account.question_ != 0 || account.low_) {
      const Micros used = this->used(books);
      const Micros left = account.limit_ - account.others_ - used;
      const Micros need = account.question_ == 0 ? 0 : account.need_;
      const Micros more = std::min(std::max(need, slice_of(left, members)), account.limit_ - used);
      if (used + more > line.held) {
        line.want = used + more;
        line.need = std::min(used + need, account.limit_);
        line.least = used + (need == 0 ? 0 : account.least_);
      }
      line.ask = account.question_;
    } else if (line.want == account.counted_ && !(all && account.counted_ > 0)) {
      continue;
    }
    lines.push_back(std::move(line));
  }
}

void Ledger::leased(const LeaseLine& line, const LeaseAnswer& answer) {
  const std::lock_guard lock(mutex_);
  Account& account = *line.account;
  if (line.ask != 0 && account.question_ == line.ask) {
    account.question_ = 0;
    account.need_ = 0;
  }
  const Books& books = *account.current_.load(std::memory_order_relaxed);
  if (books.window.start != line.window.start) return;  // turned over since
  account.counted_ = answer.held;
  account.others_ = answer.taken - answer.held;
  account.low_ = false;
  if (answer.held > account.allowance_) {
    account.allowance_ = answer.held;
    level(account);
  }
  if (line.need > line.held && answer.held < line.need) account.dry_ = true;
}

void Ledger::open_questions(std::vector<LeaseLine>& lines) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, account] : accounts_) {
    if (account->question_ == 0) continue;
    lines.push_back(lease_line(*account));
    lines.back().ask = account->question_;
  }
}

void Ledger::unanswered(const LeaseLine& line) {
  const std::lock_guard lock(mutex_);
  Account& account = *line.account;
  const Books& books = *account.current_.load(std::memory_order_relaxed);
  // The store may have done it all the same.
  if (books.window.start == line.window.start) {
    account.counted_ = std::max(account.counted_, line.want);
  }
  if (line.ask == 0 || account.question_ != line.ask) return;
  account.question_ = 0;
  account.need_ = 0;
}

void Ledger::forget_denials() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, account] : accounts_) account->dry_ = false;
}

void Ledger::drop_leases() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, owned] : accounts_) {
    Account& account = *owned;
    Books& books = *account.current_.load(std::memory_order_relaxed);
    gather(books);
    books.granted -= std::exchange(books.pool, 0);
    account.allowance_ = books.granted;
    account.counted_ = 0;
    account.past_allowances_.clear();
  }
}

void Ledger::idle_leases() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, account] : accounts_) account->idle_ = true;
}

}  // namespace reeve::policy
