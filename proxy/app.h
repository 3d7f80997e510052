// The sidecar put together: every object is built here once, in the order in which it depends on
// the others, and taken down in the reverse.
#ifndef REEVE_PROXY_APP_H_
#define REEVE_PROXY_APP_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/admin.h"
#include "proxy/agents/roster.h"
#include "proxy/audit/sealer.h"
#include "proxy/audit/sinks.h"
#include "proxy/config.h"
#include "proxy/console/live.h"
#include "proxy/fleet/leasing.h"
#include "proxy/journal.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"
#include "proxy/spend.h"
#include "proxy/stops/stopper.h"
#include "proxy/store/agent_store.h"
#include "proxy/store/state_folder.h"
#include "proxy/worker.h"

namespace reeve {

class App {
 public:
  // Reads the policy, locks the state folder, opens ledger and record, binds the listeners. On
  // failure every reason is in `diagnostics`, or the error is a line for the operator.
  static Result<std::unique_ptr<App>> create(Config config, Diagnostics& diagnostics);
  ~App();

  // Serves until SIGTERM or SIGINT, then drains: no new connections, calls in flight finish within
  // limits.drain, a second signal ends it at once. SIGHUP, or a change of the policy's files,
  // reloads the policy. Returns the exit code.
  int run();

 private:
  // The journal, and what seals it.
  struct Record {
    std::unique_ptr<audit::Sealing> sealing;
    std::unique_ptr<audit::Sinks> sinks;  // null: none
    std::unique_ptr<Journal> journal;
    std::string start_members;
  };
  // What is kept of agents, read once.
  struct Agents {
    std::unique_ptr<store::AgentStore> store;
    policy::Stops stops;
    store::Lives lives;
  };
  static Result<Agents> open_agents(const store::StateFolder& folder);
  static Result<Record> open_record(const Config& config, const store::StateFolder& folder);
  // What there is only with `fleet`.
  struct Fleet {
    std::unique_ptr<fleet::Database> database;
    std::unique_ptr<fleet::Leasing> leasing;
  };
  static Result<Fleet> open_fleet(const Config& config, const store::StateFolder& folder,
                                  Treasury& treasury);
  App(Config config, store::StateFolder folder, Record record, std::unique_ptr<Treasury> treasury,
      Fleet fleet, std::unique_ptr<approvals::Desk> approvals, Agents agents,
      std::shared_ptr<const policy::PolicySet> policy, Pins pins);

  std::shared_ptr<const Snapshot> make_snapshot(std::shared_ptr<const policy::PolicySet> policy,
                                                Pins pins);
  void reload();
  // The locks of a policy that is to be in force, as load_pins() has it. A lock that cannot be used
  // is counted.
  std::optional<Pins> next_pins(const policy::PolicySet& policy, Diagnostics& diagnostics);
  void reload_pins();
  void add_pin_gauges(Gauges& gauges) const;
  net::Task<void> watch_signals();
  net::Task<void> watch_files();
  net::Task<void> drain();
  void write_policy_line(std::string_view result, std::string_view error);
  AdminViews views();
  net::Task<AdminReply> ask_record(AdminCall call);
  Gauges gauges();
  UpstreamStatuses upstream_statuses() const;

  const Config config_;
  store::StateFolder folder_;
  std::unique_ptr<audit::Sinks> sinks_;  // of the record; outlives the journal
  std::unique_ptr<Journal> journal_;
  const std::string start_members_;  // of the record's first line, what its opening found
  std::unique_ptr<audit::Sealer> sealer_;
  std::unique_ptr<Treasury> treasury_;
  Fleet fleet_;
  Metrics metrics_;
  const DescriptorPlan descriptors_;
  Services services_;
  net::asio::io_context context_{1};  // of the admin side, signals and reloads: the main thread
  const std::unique_ptr<store::AgentStore> agent_store_;  // of the main thread
  std::unique_ptr<console::Live> live_;
  net::Beside record_readers_{1};  // for the admin side's questions about the record
  size_t record_questions_ = 0;    // under way
  std::unique_ptr<Admin> admin_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Stopper stopper_;
  Roster roster_;
  net::Timer watch_timer_;
  net::Timer drain_timer_;
  uint64_t reloads_ok_ = 0, reloads_failed_ = 0;
  std::string last_reload_error_;
  std::string seen_;       // signature of the policy's files before they were last read
  std::string pins_seen_;  // the same of its locks
  uint64_t pin_reloads_ok_ = 0, pin_reloads_failed_ = 0;
  policy::Time loaded_at_{}, started_at_{};
  // Until no worker has them: freeing a large one takes longer than a call should wait.
  std::vector<std::shared_ptr<const policy::PolicySet>> replaced_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_APP_H_
