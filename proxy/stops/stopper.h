// Stops and resumes on this sidecar, and remembers it: a stop is in force before it is kept, and
// kept before it is acknowledged.
//
// On the admin side's thread, which no call can keep busy, so that a stop works while the workers
// are saturated. A stop that cannot be kept or recorded is in force all the same, and says so.
#ifndef REEVE_PROXY_STOPS_STOPPER_H_
#define REEVE_PROXY_STOPS_STOPPER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "policy/stops.h"
#include "proxy/approvals/desk.h"
#include "proxy/journal.h"
#include "proxy/net/asio.h"
#include "proxy/stops/cut.h"
#include "proxy/store/agent_store.h"

namespace reeve {

class Worker;

class Stopper {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;
  using Policy = std::shared_ptr<const policy::PolicySet>;

  // All of it outlives the stopper. `context` is the admin side's.
  struct Means {
    store::AgentStore& store;
    Journal& journal;
    approvals::Desk& desk;
    const Workers& workers;
    net::asio::io_context& context;
  };
  // `kept` is what the store has.
  Stopper(Means means, policy::Stops kept);

  // In force now; never null.
  const std::shared_ptr<const policy::Stops>& stops() const { return stops_; }

  struct Stopped {
    Cut cut;
    size_t approvals = 0;  // questions and unused answers that ended
    std::string trouble;   // empty: kept, recorded, and cut on every worker
  };
  net::Task<Stopped> stop(policy::Stop stop, Policy policy);
  // What a stop would cut now. Changes nothing.
  net::Task<Cut> rehearse(policy::Stop stop);

  // Kept first, then in force. The error: it is still stopped, and why.
  net::Task<Result<policy::Stops::Resumed>> resume(policy::StopScope scope, std::string name,
                                                   std::string by, std::string why, Policy policy);

  // An `agent` line about one agent; false: the record cannot be written.
  bool note(const std::string& agent, std::string_view state, std::string by, std::string why);

 private:
  // On every worker; nothing when one has not answered in time.
  net::Task<std::optional<Cut>> apply(std::shared_ptr<const policy::Stops> stops, bool cuts);
  bool record(const policy::Stop& stop, std::string_view state, const Cut* cut);

  const Means means_;
  std::shared_ptr<const policy::Stops> stops_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_STOPS_STOPPER_H_
