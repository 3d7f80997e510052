// Tested by tests/proxy/fleet_test.cc and tests/e2e/fleet_test.mjs.
#include "proxy/fleet/leasing.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <future>

#include "proxy/ids.h"
#include "proxy/log.h"

namespace reeve::fleet {
namespace {

using policy::Exchange;
using policy::LeaseLine;
using policy::Reply;

constexpr std::chrono::milliseconds kLook{25};
constexpr std::chrono::milliseconds kBeat{1000};  // says that it is there, and asks how things are
constexpr std::chrono::milliseconds kDenials{250};  // how long a denial stands for like calls
constexpr std::chrono::milliseconds kPause{500};    // after a failure
constexpr std::chrono::milliseconds kSoon{50};
constexpr std::chrono::milliseconds kLongestWait{3000};

std::string random_id() {
  uint8_t bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return {};
  std::string text;
  append_hex(text, bytes, sizeof bytes);
  return text;
}

}  // namespace

Result<std::unique_ptr<Leasing>> Leasing::open(Treasury& treasury, Database& database,
                                               std::unique_ptr<MemberStore> store,
                                               std::string instance) {
  auto state = store->load();
  if (!state) return state.error();
  std::unique_ptr<Leasing> leasing(
      new Leasing(treasury, database, std::move(store), std::move(instance), std::move(*state)));
  treasury.lease([raw = leasing.get()] {
    if (raw->asked_.exchange(true)) return;
    raw->database_.post([raw](Session& session) { raw->look(session); });
  });
  database.every(kLook, [raw = leasing.get()](Session& session) { raw->look(session); });
  return leasing;
}

Leasing::Leasing(Treasury& treasury, Database& database, std::unique_ptr<MemberStore> store,
                 std::string instance, policy::MemberState state)
    : treasury_(treasury),
      ledger_(treasury.ledger()),
      database_(database),
      store_(std::move(store)),
      instance_(std::move(instance)),
      member_(state, instance_, random_id),
      saved_(std::move(state)) {
  state_.instance = instance_;
  state_.trouble = "the fleet's database has not been asked yet";
}

Leasing::~Leasing() { database_.stop(); }

LeasingState Leasing::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Leasing::tell(bool up, std::string trouble) {
  std::unique_lock lock(mutex_);
  const bool changed = state_.up != up || state_.trouble != trouble;
  state_.up = up;
  state_.trouble = trouble;
  state_.members = member_.members();
  state_.era = member_.state().era;
  lock.unlock();
  if (!changed) return;
  if (trouble.empty()) {
    log(LogLevel::kInfo, fmt::format("fleet: {} has joined, {} sidecars share the budgets",
                                     instance_, member_.members()));
  } else {
    log(LogLevel::kWarning, fmt::format("fleet: {}; what is leased is spent without it", trouble));
  }
}

void Leasing::look(Session& session) {
  if (leases_ == nullptr) leases_ = std::make_unique<PostgresLeases>(session);
  asked_.store(false);
  if (left_) return;
  const auto now = Clock::now();
  if (now >= next_denials_) {
    ledger_.forget_denials();
    next_denials_ = now + kDenials;
  }
  if (now < again_) {
    // Whoever asks meanwhile is told at once.
    std::vector<LeaseLine> lines;
    ledger_.open_questions(lines);
    return refuse(lines, state().trouble);
  }
  exchange(now >= next_beat_);
}

Result<bool> Leasing::save() {
  if (member_.state() == saved_) return true;
  if (auto done = store_->save(member_.state()); !done) return done;
  saved_ = member_.state();
  return true;
}

void Leasing::exchange(bool beat) {
  std::vector<LeaseLine> lines;
  if (member_.joined()) {
    if (!postponed_.empty() && Clock::now() < soon_) return;
    ledger_.take_leases(member_.members(), beat, lines);
    if (lines.empty() && !beat) return;
  }
  Exchange asked = member_.next(Clock::now());
  const bool joins = asked.kind == Exchange::Kind::kJoin;
  if (joins) ledger_.all_leases(lines);
  asked.lines = std::move(lines);

  auto reply =
      save() ? leases_->exchange(asked) : Result<Reply>(Error{"the ledger is not writable"});
  if (reply) {
    member_.take(*reply, Clock::now());
    // A token that is not on disk must not be used.
    if (auto saved = save(); !saved) reply = saved.error();
  }
  if (!reply) {
    again_ = Clock::now() + kPause;
    tell(false, reply.error().message);
    if (joins) {
      asked.lines.clear();
      ledger_.open_questions(asked.lines);
    }
    return refuse(asked.lines, reply.error().message);
  }
  next_beat_ = Clock::now() + kBeat;
  take(asked, *reply);
  // Who has just joined asks for what is waiting.
  if (joins && member_.joined()) exchange(false);
}

void Leasing::take(const Exchange& asked, const Reply& reply) {
  switch (reply.outcome) {
    case Reply::Outcome::kDone:
      break;
    case Reply::Outcome::kFenced:
      log(LogLevel::kWarning,
          "fleet: another sidecar goes on with this one's state folder; what this one has not "
          "spent of its leases is given up");
      ledger_.drop_leases();
      [[fallthrough]];
    case Reply::Outcome::kMustJoin:
      next_beat_ = {};
      for (const LeaseLine& line : asked.lines) postpone(line, "the fleet begins anew");
      return;
    case Reply::Outcome::kTooLate:
      return refuse(asked.lines, "the fleet's database was too slow");
    case Reply::Outcome::kAhead: {
      const std::string why =
          "the ledger is in a window that has not begun by the database's clock; set the clock of "
          "this machine right";
      again_ = Clock::now() + kPause;
      tell(false, why);
      std::vector<LeaseLine> lines;
      ledger_.open_questions(lines);
      return refuse(lines, why);
    }
  }
  std::string why;
  if (!reply.grants) {
    why = reply.waited_for.empty()
              ? "the replicas of the fleet's database do not have this sidecar's joining yet"
              : fmt::format("the fleet's database has begun a new history, and waits for {}",
                            fmt::join(reply.waited_for, ", "));
  }
  // A join is followed at once by an exchange that tells how things are.
  if (asked.kind == Exchange::Kind::kJoin) return ledger_.lease_joined(asked.lines);
  tell(true, why);
  std::vector<uint64_t> answered;
  for (size_t i = 0; i < asked.lines.size(); ++i) {
    const LeaseLine& line = asked.lines[i];
    if (!reply.grants && line.ask != 0 && reply.answers[i].held < line.need) {
      postpone(line, why);
      continue;
    }
    ledger_.leased(line, reply.answers[i]);
    postponed_.erase(line.ask);
    if (line.ask != 0) answered.push_back(line.ask);
  }
  if (reply.grants) postponed_.clear();
  treasury_.answered(answered, std::nullopt);
}

// A call waits a little for what comes soon.
void Leasing::postpone(const LeaseLine& line, const std::string& why) {
  soon_ = Clock::now() + kSoon;
  if (line.ask == 0) return ledger_.unanswered(line);
  const auto since = postponed_.try_emplace(line.ask, Clock::now()).first->second;
  if (Clock::now() - since > kLongestWait) refuse({line}, why);
}

void Leasing::refuse(const std::vector<LeaseLine>& lines, const std::string& why) {
  std::vector<uint64_t> answered;
  for (const LeaseLine& line : lines) {
    ledger_.unanswered(line);
    postponed_.erase(line.ask);
    if (line.ask != 0) answered.push_back(line.ask);
  }
  treasury_.answered(answered, why);
}

Result<bool> Leasing::leave() {
  std::promise<Result<bool>> left;
  database_.post([this, &left](Session&) {
    left_ = true;
    if (leases_ == nullptr || !member_.joined()) return left.set_value(true);
    ledger_.idle_leases();
    Exchange exchange = member_.leave();
    ledger_.take_leases(member_.members(), true, exchange.lines);
    auto reply = leases_->exchange(exchange);
    if (!reply) return left.set_value(reply.error());
    left.set_value(true);
  });
  return left.get_future().get();
}

}  // namespace reeve::fleet
