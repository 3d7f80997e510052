// Tested against a real server by tests/proxy/fleet_test.cc, beside the store in memory.
#include "proxy/fleet/postgres_leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "proxy/store/account_names.h"

namespace reeve::fleet {
namespace {

using policy::AccountKey;
using policy::Exchange;
using policy::LeaseAnswer;
using policy::LeaseLine;
using policy::Micros;
using policy::Reply;

constexpr int kFormat = 1;
// Of reeve's advisory locks: "reev" and what it is for.
constexpr char kLockAlone[] = "SELECT pg_advisory_xact_lock(1919247734, 1)";
constexpr char kLockShared[] = "SELECT pg_advisory_xact_lock_shared(1919247734, 1)";

// Amounts are millionths of the unit, times microseconds since 1970 in UTC.
constexpr const char* kSchema[] = {
    "CREATE TABLE IF NOT EXISTS reeve_fleet (one boolean PRIMARY KEY DEFAULT true CHECK (one), "
    "format int NOT NULL, era bigint NOT NULL, history text NOT NULL, ancestors text[] NOT NULL, "
    "system text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS reeve_member (member text PRIMARY KEY, instance text NOT NULL, "
    "token text NOT NULL, attempt bigint NOT NULL, era bigint NOT NULL, beat bigint NOT NULL, "
    "active boolean NOT NULL, seen timestamptz NOT NULL)",
    "CREATE TABLE IF NOT EXISTS reeve_account (id bigserial PRIMARY KEY, budget text NOT NULL, "
    "scope text NOT NULL, unit text NOT NULL, currency text NOT NULL, period text NOT NULL, "
    "closed_before bigint NOT NULL, UNIQUE (budget, scope, unit, currency, period))",
    "CREATE TABLE IF NOT EXISTS reeve_lease (account bigint NOT NULL REFERENCES reeve_account, "
    "window_start bigint NOT NULL, window_end bigint NOT NULL, member text NOT NULL, "
    "allowance bigint NOT NULL CHECK (allowance >= 0), PRIMARY KEY (account, window_start, "
    "member))",
    "CREATE INDEX IF NOT EXISTS reeve_lease_member ON reeve_lease (member)",
    "INSERT INTO reeve_fleet VALUES (true, 1, 0, '', '{}', '') ON CONFLICT DO NOTHING"};

// Locks the account's row, made if need be.
constexpr char kAccount[] =
    "INSERT INTO reeve_account (budget, scope, unit, currency, period, closed_before) "
    "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (budget, scope, unit, currency, period) "
    "DO UPDATE SET closed_before = greatest(reeve_account.closed_before, excluded.closed_before) "
    "RETURNING id, closed_before";

constexpr char kLive[] =
    "SELECT era, history, system, $1 = ANY (ancestors), format, current_setting('fsync'), "
    "(SELECT system_identifier FROM pg_control_system())::text || '/' || "
    "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) FROM reeve_fleet";

// A former window is of no more use after this.
constexpr std::chrono::hours kKept{24 * 8};
constexpr std::chrono::seconds kUnseenReplicas{10};

std::string text(int64_t number) { return std::to_string(number); }
std::string text(policy::Time time) { return text(time.time_since_epoch().count()); }

int64_t number(const std::optional<std::string>& value) {
  int64_t number = 0;
  if (value) std::from_chars(value->data(), value->data() + value->size(), number);
  return number;
}

bool truth(const std::optional<std::string>& value) { return value == "t"; }

std::vector<std::string> parameters_of(const AccountKey& key) {
  return {key.budget, key.scope, std::string(store::name_of(key.unit)), key.currency,
          std::string(store::name_of(key.period))};
}

bool among(const std::string& token, const std::vector<std::string>& tokens) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

DbError refused(std::string message) { return {std::move(message), "reeve"}; }

}  // namespace

Result<Reply> PostgresLeases::exchange(const Exchange& x) {
  const auto wrong = [](const DbError& error) {
    return Error{fmt::format("the fleet's database: {}", error.message)};
  };
  bool alone = x.kind == Exchange::Kind::kJoin;
  for (int round = 0; round < 3; ++round) {
    Reply reply;
    auto verdict = attempt(x, alone, reply);
    if (!verdict && verdict.error().code == "42P01") {  // there are no such tables
      if (auto made = prepare(); !made) return wrong(made.error());
      continue;
    }
    if (!verdict) return wrong(verdict.error());
    if (*verdict == Verdict::kAlone) {
      alone = true;
      continue;
    }
    if (x.kind == Exchange::Kind::kJoin && reply.outcome == Reply::Outcome::kDone) {
      auto at = session_.query("SELECT pg_current_wal_insert_lsn()");
      if (!at) return wrong(at.error());
      joined_at_ = (*at)[0][0].value_or("");
      joined_ = Clock::now();
    }
    return reply;
  }
  return Error{"the fleet's database: it changes under way; this is tried again"};
}

Result<bool, DbError> PostgresLeases::prepare() {
  return session_.transaction([](Session& s) -> Result<bool, DbError> {
    if (auto locked = s.query(kLockAlone); !locked) return locked.error();
    for (const char* statement : kSchema) {
      if (auto made = s.query(statement); !made) return made.error();
    }
    return true;
  });
}

Result<PostgresLeases::Verdict, DbError> PostgresLeases::attempt(const Exchange& x, bool alone,
                                                                 Reply& reply) {
  Verdict verdict = Verdict::kRollback;
  auto done = session_.transaction([&](Session& s) -> Result<bool, DbError> {
    auto found = carry_out(s, x, alone, reply);
    if (!found) return found.error();
    verdict = *found;
    return verdict == Verdict::kCommit;
  });
  if (!done) return done.error();
  return verdict;
}

Result<PostgresLeases::Verdict, DbError> PostgresLeases::carry_out(Session& s, const Exchange& x,
                                                                   bool alone, Reply& reply) {
  // An answer is worth nothing if its commit can be lost by a crash of the server. What is stricter
  // stays as the server has it.
  auto sync = s.query(
      "SELECT set_config('synchronous_commit', 'on', true) "
      "WHERE current_setting('synchronous_commit') IN ('off', 'local')");
  if (!sync) return sync.error();
  if (auto locked = s.query(alone ? kLockAlone : kLockShared); !locked) return locked.error();
  auto fleet = standing(s, x);
  if (!fleet) return fleet.error();
  if (fleet->live != fleet->system) {
    if (!alone) return Verdict::kAlone;
    if (auto begun = begin_history(s, *fleet, fleet->era + 1); !begun) return begun.error();
  }
  return x.kind == Exchange::Kind::kJoin ? join(s, x, *fleet, reply)
                                         : trade(s, x, *fleet, alone, reply);
}

Result<PostgresLeases::Standing, DbError> PostgresLeases::standing(Session& s, const Exchange& x) {
  auto rows = s.query(kLive, {x.history});
  if (!rows) {
    if (rows.error().code != "55000") return rows.error();
    return refused(
        "it is a replica; name all its servers in `fleet.database` and add "
        "target_session_attrs=read-write");
  }
  if (rows->empty()) return refused("the table reeve_fleet is empty; restore it from a backup");
  const Row& row = (*rows)[0];
  if (number(row[4]) > kFormat) {
    return refused("its tables are of a newer reeve; run that version here too");
  }
  if (row[5] != "on") {
    return refused("`fsync` is off: it would forget what it allowed; turn it on");
  }
  return Standing{number(row[0]), row[1].value_or(""), row[2].value_or(""), row[6].value_or(""),
                  truth(row[3])};
}

Result<bool, DbError> PostgresLeases::begin_history(Session& s, Standing& fleet, int64_t era) {
  auto rows = s.query(
      "UPDATE reeve_fleet SET era = $1, history = gen_random_uuid()::text, system = $2, "
      "ancestors = CASE WHEN history = '' THEN ancestors ELSE array_append(ancestors, history) END "
      "RETURNING era, history",
      {text(era), fleet.live});
  if (!rows) return rows.error();
  fleet.era = number((*rows)[0][0]);
  fleet.history = (*rows)[0][1].value_or("");
  fleet.system = fleet.live;
  return true;
}

Result<PostgresLeases::Verdict, DbError> PostgresLeases::join(Session& s, const Exchange& x,
                                                              Standing& fleet, Reply& reply) {
  const auto refuse = [&reply](Reply::Outcome outcome) {
    reply.outcome = outcome;
    return Verdict::kRollback;
  };
  auto known = s.query("SELECT token, attempt FROM reeve_member WHERE member = $1", {x.member});
  if (!known) return known.error();
  if (!known->empty()) {
    const std::string token = (*known)[0][0].value_or("");
    if (!among(token, x.tokens)) return refuse(Reply::Outcome::kFenced);
    if (token == x.next_token && x.attempt <= static_cast<uint64_t>(number((*known)[0][1]))) {
      return refuse(Reply::Outcome::kTooLate);
    }
  }
  auto now = s.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
  if (!now) return now.error();
  const policy::Time at{std::chrono::microseconds{number((*now)[0][0])}};
  for (const LeaseLine& line : x.lines) {
    if (line.unknown_before > at + std::chrono::hours(1)) return refuse(Reply::Outcome::kAhead);
  }
  if (x.era > 0 && x.history != fleet.history && !fleet.is_ancestor) {
    const int64_t era = std::max(fleet.era, static_cast<int64_t>(x.era)) + 1;
    if (auto begun = begin_history(s, fleet, era); !begun) return begun.error();
  }
  if (auto told = report(s, x); !told) return told.error();
  auto row = s.query(
      "INSERT INTO reeve_member VALUES ($1, $2, $3, $4, $5, 1, true, now()) "
      "ON CONFLICT (member) DO UPDATE SET instance = $2, token = $3, attempt = $4, era = $5, "
      "beat = reeve_member.beat + 1, active = true, seen = now()",
      {x.member, x.instance, x.next_token, text(static_cast<int64_t>(x.attempt)), text(fleet.era)});
  if (!row) return row.error();
  auto old = s.query("DELETE FROM reeve_lease WHERE window_end < $1", {text(at - kKept)});
  if (!old) return old.error();
  joined_at_ = "";  // to be looked for after the commit
  if (auto told = tell(s, fleet, reply); !told) return told.error();
  return Verdict::kCommit;
}

// All that the member holds, instead of what is counted for it.
Result<bool, DbError> PostgresLeases::report(Session& s, const Exchange& x) {
  std::map<AccountKey, policy::Time> current;  // of each account, the latest window that it knows
  for (const LeaseLine& line : x.lines) {
    policy::Time& start = current.try_emplace(line.key, line.window.start).first->second;
    start = std::max(start, line.window.start);
  }
  auto counted = s.query(
      "SELECT a.budget, a.scope, a.unit, a.currency, a.period, l.account, l.window_start "
      "FROM reeve_lease l JOIN reeve_account a ON a.id = l.account WHERE l.member = $1",
      {x.member});
  if (!counted) return counted.error();
  std::set<AccountKey> is_counted;
  for (const Row& row : *counted) {
    const auto unit = store::unit_of(row[2].value_or(""));
    const auto period = store::period_of(row[4].value_or(""));
    if (!unit || !period) continue;  // of a newer reeve
    const AccountKey key{row[0].value_or(""), row[1].value_or(""), *unit, row[3].value_or(""),
                         *period};
    is_counted.insert(key);
    const auto latest = current.find(key);
    const policy::Time start{std::chrono::microseconds{number(row[6])}};
    // Of windows before those that it knows nothing is known: they stay counted.
    if (latest != current.end() && start <= latest->second) continue;
    auto gone =
        s.query("DELETE FROM reeve_lease WHERE account = $1 AND window_start = $2 AND member = $3",
                {*row[5], *row[6], x.member});
    if (!gone) return gone.error();
  }
  for (const LeaseLine& line : x.lines) {
    const bool is_new = line.held == 0 && line.unknown_before == policy::Time::min();
    if (is_new && !is_counted.contains(line.key)) continue;
    auto parameters = parameters_of(line.key);
    parameters.push_back(text(line.unknown_before));
    auto account = s.query(kAccount, parameters);
    if (!account) return account.error();
    const bool is_current = line.window.start == current[line.key];
    auto set =
        s.query(is_current ? "INSERT INTO reeve_lease VALUES ($1, $2, $3, $4, $5) ON CONFLICT "
                             "(account, window_start, member) DO UPDATE SET allowance = $5"
                           : "INSERT INTO reeve_lease VALUES ($1, $2, $3, $4, $5) ON CONFLICT "
                             "(account, window_start, member) DO UPDATE SET allowance = "
                             "greatest(reeve_lease.allowance, $5)",
                {*(*account)[0][0], text(line.window.start), text(line.window.end), x.member,
                 text(line.held)});
    if (!set) return set.error();
  }
  return true;
}

Result<PostgresLeases::Verdict, DbError> PostgresLeases::trade(Session& s, const Exchange& x,
                                                               Standing& fleet, bool alone,
                                                               Reply& reply) {
  const auto refuse = [&reply](Reply::Outcome outcome) {
    reply.outcome = outcome;
    return Verdict::kCommit;  // a history that has begun stays begun
  };
  auto known =
      s.query("SELECT token, attempt, active, era FROM reeve_member WHERE member = $1 FOR UPDATE",
              {x.member});
  if (!known) return known.error();
  if (known->empty()) return refuse(Reply::Outcome::kMustJoin);
  const Row& row = (*known)[0];
  const std::string token = row[0].value_or("");
  if (token != x.tokens.front()) {
    return refuse(among(token, x.tokens) ? Reply::Outcome::kMustJoin : Reply::Outcome::kFenced);
  }
  if (x.attempt <= static_cast<uint64_t>(number(row[1]))) return refuse(Reply::Outcome::kTooLate);
  if (!truth(row[2]) || number(row[3]) != fleet.era || x.history != fleet.history) {
    return refuse(Reply::Outcome::kMustJoin);
  }
  auto beaten = s.query(
      "UPDATE reeve_member SET attempt = $2, beat = beat + 1, seen = now(), active = $3 "
      "WHERE member = $1",
      {x.member, text(static_cast<int64_t>(x.attempt)),
       x.kind == Exchange::Kind::kLeave ? "false" : "true"});
  if (!beaten) return beaten.error();
  for (const policy::FleetMember& silent : x.silent) {
    auto gone = s.query(
        "UPDATE reeve_member SET active = false WHERE member = $1 AND beat = $2 AND era = $3",
        {silent.member, text(static_cast<int64_t>(silent.beat)), text(fleet.era)});
    if (!gone) return gone.error();
  }
  if (auto told = tell(s, fleet, reply); !told) return told.error();
  for (const LeaseLine& line : x.lines) {
    auto answer = settle(s, x.member, line, reply.grants);
    if (!answer) return answer.error();
    if (answer->held < line.held && line.want >= line.held) {
      // It forgot what it acknowledged.
      if (!alone) return Verdict::kAlone;
      if (auto begun = begin_history(s, fleet, fleet.era + 1); !begun) return begun.error();
      reply = {};
      return refuse(Reply::Outcome::kMustJoin);
    }
    reply.answers.push_back(*answer);
  }
  return Verdict::kCommit;
}

Result<LeaseAnswer, DbError> PostgresLeases::settle(Session& s, const std::string& member,
                                                    const LeaseLine& line, bool grants) {
  auto parameters = parameters_of(line.key);
  parameters.push_back(text(policy::Time::min()));
  auto account = s.query(kAccount, parameters);
  if (!account) return account.error();
  const std::string id = *(*account)[0][0];
  const bool open = line.window.start.time_since_epoch().count() >= number((*account)[0][1]);
  // A statement of its own, so that it sees what was committed before the row was locked.
  auto sums = s.query(
      "SELECT coalesce(sum(allowance), 0), "
      "coalesce(sum(allowance) FILTER (WHERE member = $3), 0) "
      "FROM reeve_lease WHERE account = $1 AND window_start = $2",
      {id, text(line.window.start), member});
  if (!sums) return sums.error();
  Micros taken = number((*sums)[0][0]);
  const Micros before = number((*sums)[0][1]);
  if (before < line.held) return LeaseAnswer{before, taken};
  Micros amount = before;
  if (line.want < before) {
    amount = line.want;
  } else if (grants && open) {
    const Micros left = std::max<Micros>(line.limit - taken, 0);
    const Micros most = std::min(line.want, before + left);
    if (most >= line.least) amount = most;
  }
  if (amount != before) {
    auto set = s.query(
        "INSERT INTO reeve_lease VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (account, window_start, member) DO UPDATE SET allowance = $5",
        {id, text(line.window.start), text(line.window.end), member, text(amount)});
    if (!set) return set.error();
    taken += amount - before;
  }
  return LeaseAnswer{amount, taken};
}

// Who is there, and whether anybody may have more now.
Result<bool, DbError> PostgresLeases::tell(Session& s, const Standing& fleet, Reply& reply) {
  if (auto looked = look_at_replicas(s); !looked) return looked.error();
  reply.outcome = Reply::Outcome::kDone;
  reply.era = static_cast<uint64_t>(fleet.era);
  reply.history = fleet.history;
  reply.safe = !joined_at_;
  reply.grants = reply.safe;
  auto members = s.query("SELECT member, instance, beat, era FROM reeve_member WHERE active");
  if (!members) return members.error();
  for (const Row& row : *members) {
    reply.members.push_back(
        {row[0].value_or(""), row[1].value_or(""), static_cast<uint64_t>(number(row[2]))});
    if (number(row[3]) == fleet.era) continue;
    reply.waited_for.push_back(row[1].value_or(""));
    reply.grants = false;
  }
  return true;
}

// Whether each replica that is there has this member's join. A role that may not see where they are
// waits for a while instead.
Result<bool, DbError> PostgresLeases::look_at_replicas(Session& s) {
  if (!joined_at_ || joined_at_->empty()) return true;
  auto behind = s.query(
      "SELECT count(*) FILTER (WHERE flush_lsn < $1::pg_lsn), "
      "count(*) FILTER (WHERE flush_lsn IS NULL) "
      "FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'",
      {*joined_at_});
  if (!behind) return behind.error();
  const bool unseen = number((*behind)[0][1]) > 0;
  if (number((*behind)[0][0]) > 0) return true;
  if (unseen && Clock::now() - joined_ < kUnseenReplicas) return true;
  joined_at_.reset();
  return true;
}

}  // namespace reeve::fleet
