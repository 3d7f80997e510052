// Where calls wait for people: one thread owns the records, keeps them, and tells who waits.
//
// Every change is on disk and in the record (`approval` lines) before anybody hears of it; one that
// cannot be kept has not happened. Calls come from the workers' threads and go back to them by a
// post; nothing here is on the way of a call that no rule asks about. Thread-safe.
#ifndef REEVE_PROXY_APPROVALS_DESK_H_
#define REEVE_PROXY_APPROVALS_DESK_H_

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "policy/approvals.h"
#include "policy/policy_set.h"
#include "policy/result.h"
#include "proxy/approvals/counts.h"
#include "proxy/approvals/held.h"
#include "proxy/clock.h"
#include "proxy/journal.h"
#include "proxy/store/approval_store.h"

namespace reeve::approvals {

class Desk {
 public:
  using Policy = std::shared_ptr<const policy::PolicySet>;
  struct Options {
    std::string audit_path;  // of the record, for what an agent did before; empty: not shown
    policy::Approvals::Limits limits;
    // Hears of what was asked and decided, on the desk's thread, which it must not hold up.
    std::function<void(const policy::Approval&)> listener;
  };

  static Result<std::unique_ptr<Desk>> open(std::unique_ptr<store::ApprovalStore> store,
                                            Journal& journal, Options options);
  // The same with the store of one host, in this file.
  static Result<std::unique_ptr<Desk>> open(const std::string& file, Journal& journal,
                                            Options options);
  ~Desk();  // stop(); io_contexts that wait here must outlive it
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  struct Asked {
    policy::Approvals::Answer::Kind kind = policy::Approvals::Answer::Kind::kTooMany;
    policy::Approval record;  // as it is now; empty for kTooMany
  };
  // The record of the call, an open one or a new one. `held`, which may be null, hears what becomes
  // of it. An error: it could not be kept.
  net::Task<Result<Asked>> ask(policy::Approvals::Question question, std::string id,
                               std::string call, std::shared_ptr<Held> held);

  // Whether this one call may go on by that record's yes. Nobody else may, then.
  net::Task<Result<policy::Approvals::Released>> release(std::string id,
                                                         policy::ApprovalBinding bound,
                                                         std::vector<policy::ApprovalAsk> asks,
                                                         Policy policy);
  // A record whose call may not go, or needs no yes any more.
  void void_open(std::string id);

  net::Task<Result<policy::Approvals::Voted>> vote(std::string id, std::string person, bool yes,
                                                   std::string why, Policy policy);

  // What is open and about something that was stopped by this person: denied, or its yes void. How
  // many were.
  using About = std::function<bool(const policy::ApprovalBinding&)>;
  net::Task<Result<size_t>> stop_open(About about, std::string person, std::string why);

  net::Task<std::optional<policy::Approval>> find(std::string id);
  // Those that are open, or all that are kept, newest first.
  net::Task<std::vector<policy::Approval>> list(bool all);

  // A client has cancelled the request with this key.
  void cancel(std::string key);
  // Calls that wait are told that the sidecar stops.
  void drain();
  // Ends the thread; whoever waits is told that nothing was kept. Later calls do nothing.
  void stop();

  // Places for calls that wait; false when there is none.
  bool take_place(size_t bytes, size_t most, size_t most_bytes);
  void give_place(size_t bytes);

  Counts counts() const;

 private:
  struct Waiter;
  struct Before;
  // A call that waits. The strong pointer is its thread's alone: a timer must end there.
  struct Listener {
    std::weak_ptr<Held> held;
    net::asio::io_context* context = nullptr;
    std::string key;
  };

  Desk(std::unique_ptr<store::ApprovalStore> store, Journal& journal, Options options);
  void run();
  bool submit(std::function<void()> job);
  net::Task<bool> on_thread(std::function<void()> job);

  // On the thread.
  Result<Asked> ask_now(policy::Approvals::Question& question, const std::string& id,
                        std::string_view call, const Listener& listener);
  Result<store::Done> keep(const std::vector<Before>& before, std::string_view call);
  void take_back(const std::vector<Before>& before);
  void expire();
  void tell(const std::string& id);
  static void post(const Listener& listener, std::function<void(Held&)> news);
  bool is_waited_for(const std::string& id);
  void count(const policy::Approval& record);
  bool write_line(const policy::Approval& record, std::string_view call);

  const std::unique_ptr<store::ApprovalStore> store_;  // of the thread
  Journal& journal_;
  const Options options_;
  policy::Approvals records_;                          // of the thread
  std::map<std::string, std::vector<Listener>> held_;  // of the thread, by record

  std::atomic<size_t> places_{0}, place_bytes_{0};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  Counts counts_;

  std::thread thread_;
};

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_DESK_H_
