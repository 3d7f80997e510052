// The fleet's leases in PostgreSQL: what policy/leases.h says, in tables that this makes where they
// do not exist. One exchange is one transaction.
//
// Two locks keep exchanges apart: an advisory one that joins hold alone and trades share, so that
// no history begins while somebody is granted something, and each account's row.
#ifndef REEVE_PROXY_FLEET_POSTGRES_LEASES_H_
#define REEVE_PROXY_FLEET_POSTGRES_LEASES_H_

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "policy/leases.h"
#include "proxy/fleet/database.h"

namespace reeve::fleet {

class PostgresLeases : public policy::LeaseStore {
 public:
  // Of the thread of `session`, which must outlive it.
  explicit PostgresLeases(Session& session) : session_(session) {}

  // The error names what the database said.
  Result<policy::Reply> exchange(const policy::Exchange& exchange) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Standing {  // of the fleet
    int64_t era = 0;
    std::string history;
    std::string system;  // that it last ran as
    std::string live;    // that it runs as now
    bool is_ancestor = false;
  };
  enum class Verdict : uint8_t { kCommit, kRollback, kAlone };

  Result<bool, DbError> prepare();
  Result<Verdict, DbError> attempt(const policy::Exchange& x, bool alone, policy::Reply& reply);
  Result<Verdict, DbError> carry_out(Session& s, const policy::Exchange& x, bool alone,
                                     policy::Reply& reply);
  Result<Standing, DbError> standing(Session& s, const policy::Exchange& x);
  Result<bool, DbError> begin_history(Session& s, Standing& fleet, int64_t era);
  Result<Verdict, DbError> join(Session& s, const policy::Exchange& x, Standing& fleet,
                                policy::Reply& reply);
  Result<bool, DbError> report(Session& s, const policy::Exchange& x);
  Result<Verdict, DbError> trade(Session& s, const policy::Exchange& x, Standing& fleet, bool alone,
                                 policy::Reply& reply);
  Result<policy::LeaseAnswer, DbError> settle(Session& s, const std::string& member,
                                              const policy::LeaseLine& line, bool grants);
  Result<bool, DbError> tell(Session& s, const Standing& fleet, policy::Reply& reply);
  Result<bool, DbError> look_at_replicas(Session& s);

  Session& session_;
  // Of this member's join: where a replica must be to have it; nothing once all of them are.
  std::optional<std::string> joined_at_;
  Clock::time_point joined_;
};

}  // namespace reeve::fleet

#endif  // REEVE_PROXY_FLEET_POSTGRES_LEASES_H_
