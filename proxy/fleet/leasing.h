// What keeps this sidecar's leases: it asks the fleet's store when the ledger runs low, gives back
// what is idle, and shows that it is there; all on the database's thread.
//
// Calls wait for it only when their lease is used up. When the store is away they are told so at
// once (503), as long as it is; what is leased is spent without it.
#ifndef REEVE_PROXY_FLEET_LEASING_H_
#define REEVE_PROXY_FLEET_LEASING_H_

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "policy/leases.h"
#include "policy/result.h"
#include "proxy/fleet/database.h"
#include "proxy/fleet/member_store.h"
#include "proxy/fleet/postgres_leases.h"
#include "proxy/spend.h"

namespace reeve::fleet {

// For people and metrics.
struct LeasingState {
  std::string instance;
  bool up = false;      // the store answered last time
  std::string trouble;  // why it did not, or why nothing more can be had now; empty: none
  size_t members = 0;   // as last heard, this one included
  uint64_t era = 0;
};

class Leasing {
 public:
  // Its treasury's ledger is bounded by leases from here on. Both must outlive it; to be made
  // before the treasury is bound to a policy, and before the database is started.
  static Result<std::unique_ptr<Leasing>> open(Treasury& treasury, Database& database,
                                               std::unique_ptr<MemberStore> store,
                                               std::string instance);

  // Stops the database.
  ~Leasing();
  Leasing(const Leasing&) = delete;
  Leasing& operator=(const Leasing&) = delete;

  // Thread-safe.
  LeasingState state() const;

  // When the treasury has stopped: gives back what is left, on the database's thread, and waits for
  // it. An error: the fleet counts it as spent until this sidecar comes back.
  Result<bool> leave();

 private:
  using Clock = std::chrono::steady_clock;

  Leasing(Treasury& treasury, Database& database, std::unique_ptr<MemberStore> store,
          std::string instance, policy::MemberState state);
  void look(Session& session);
  void exchange(bool beat);
  Result<bool> save();
  void take(const policy::Exchange& asked, const policy::Reply& reply);
  void postpone(const policy::LeaseLine& line, const std::string& why);
  void refuse(const std::vector<policy::LeaseLine>& lines, const std::string& why);
  void tell(bool up, std::string trouble);

  Treasury& treasury_;
  policy::Ledger& ledger_;
  Database& database_;
  const std::unique_ptr<MemberStore> store_;
  const std::string instance_;
  std::atomic<bool> asked_{false};  // a look is posted

  // Of the database's thread:
  policy::LeaseMember member_;
  policy::MemberState saved_;
  std::unique_ptr<PostgresLeases> leases_;
  bool left_ = false;
  Clock::time_point next_beat_{};
  Clock::time_point next_denials_{};
  Clock::time_point again_{};                        // after a failure
  Clock::time_point soon_{};                         // when what was postponed is asked again
  std::map<uint64_t, Clock::time_point> postponed_;  // questions, and since when

  mutable std::mutex mutex_;
  LeasingState state_;  // guarded by mutex_
};

}  // namespace reeve::fleet

#endif  // REEVE_PROXY_FLEET_LEASING_H_
