// One event loop on one thread, with everything that a call needs: listeners (SO_REUSEPORT),
// upstream pools, the policy's snapshot, counters. Workers share nothing on a call's path but the
// ledger and the journal.
//
// Time limits: a connection has a phase and a deadline; one sweep per worker looks at all of them
// every 50 ms. A timer per operation costs more than the rest of a call (../bench/README.md).
#ifndef REEVE_PROXY_WORKER_H_
#define REEVE_PROXY_WORKER_H_

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proxy/connection.h"
#include "proxy/guard_tools.h"
#include "proxy/ids.h"
#include "proxy/overload.h"
#include "proxy/services.h"
#include "proxy/snapshot.h"
#include "proxy/stops/cut.h"
#include "proxy/turn.h"
#include "proxy/upstream/upstream.h"

namespace reeve {

class Worker {
 public:
  Worker(Services& services, std::shared_ptr<const Snapshot> snapshot,
         std::shared_ptr<const policy::Stops> stops);
  ~Worker();

  // Binds all listeners; the error names the address and the remedy.
  Result<bool> listen();
  void start();  // the thread
  void join();

  // From any thread.
  void replace_snapshot(std::shared_ptr<const Snapshot> snapshot);
  void drain();  // no new connections; idle ones are closed
  void stop();   // cuts what is left and ends the loop
  // From now on these are stopped. What of them is under way is cut before `done` is called, on
  // this worker's thread; without `cuts` it is only counted, and nothing changes.
  void stop_calls(std::shared_ptr<const policy::Stops> stops, bool cuts, CutDone done);
  // Of a moment ago: a quarter of a second at most.
  std::shared_ptr<const UpstreamStatuses> upstream_statuses() const;
  size_t connection_count() const { return count_.load(std::memory_order_relaxed); }

  // On the worker's thread, for the steps of a call.
  Services& services() { return services_; }
  Metrics::Shard& metrics() { return metrics_; }
  IdSource& ids() { return ids_; }
  Turn& turn() { return turn_; }
  GuardTools& guard_tools() { return guard_tools_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  // What is stopped; null when nothing is.
  const policy::Stops* stops() const { return stops_.get(); }
  Upstream* find_upstream(std::string_view name);
  net::asio::io_context& context() { return context_; }
  // The agent of an answer that is metered has gone: its upstream has a bounded time to tell what
  // the call cost. False when too many are waited for already, or it is to stop; then it is cut.
  bool read_on(Connection& connection);
  void end_read_on(Connection& connection);
  void set_phase(Connection& connection, Phase phase, std::chrono::milliseconds limit);
  Workspaces& workspaces() { return workspaces_; }
  Buffers& upstream_buffers() { return upstream_buffers_; }
  // The other end of a connection inside the process, on which calls are made as `peer`, each as
  // any other. Nothing when there is no room for one more.
  std::optional<net::Stream> open_inner(const Peer& peer);

 private:
  void run();
  net::ErrorCode bind(net::Acceptor& acceptor, const Address& at) const;
  net::Task<void> accept(net::Acceptor& acceptor, const ListenerConfig& listener);
  net::Task<void> sweep();
  void admit(net::Socket socket, const ListenerConfig& listener);
  void serve(std::shared_ptr<Connection> connection);
  // Whether there is room for one more, after closing an idle connection if need be.
  bool has_room(Steady now);
  void look_at(Connection& connection, Steady now);
  void cut(Connection& connection);
  Cut cut_stopped(const policy::Stops& stops, bool cuts);
  static void end_waiting(Connection& connection);
  void publish_status(Steady now);

  Services& services_;
  Metrics::Shard& metrics_;
  IdSource ids_;
  Workspaces workspaces_;
  Buffers upstream_buffers_;
  // Sockets are touched on this thread only; posts come from others.
  net::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  Turn turn_;
  GuardTools guard_tools_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const policy::Stops> stops_;
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  std::unordered_map<std::string_view, Upstream*> upstream_by_name_;
  mutable std::mutex status_mutex_;
  std::shared_ptr<const UpstreamStatuses> status_;  // guarded by it
  std::list<std::pair<net::Acceptor, const ListenerConfig*>> acceptors_;
  std::list<std::shared_ptr<Connection>> connections_;
  Overload overload_;
  std::atomic<size_t> count_{0};
  bool stopping_ = false;
  size_t reading_on_ = 0;
  net::Timer sweep_timer_;
  std::thread thread_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_WORKER_H_
