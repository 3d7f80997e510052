// The thread that seals a journal: five times a second it looks, and when something was written and
// a second has passed since the last checkpoint, it puts that on the disk and signs the next;
// deletes files older than `keep`; helps a journal that failed back to work. Calls never wait for
// it.
#ifndef REEVE_PROXY_AUDIT_SEALER_H_
#define REEVE_PROXY_AUDIT_SEALER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proxy/audit/sealing.h"
#include "proxy/journal.h"

namespace reeve::audit {

struct SealerOptions {
  std::string path;             // of the record
  std::chrono::seconds keep{};  // age at which a rotated file is deleted; 0: never
  // Gets each checkpoint's line, on the sealer's thread: an anchor outside.
  std::function<void(const std::string&)> anchor;
};

class Sealer {
 public:
  // `journal` outlives it.
  Sealer(Journal& journal, std::unique_ptr<Sealing> sealing, SealerOptions options);
  ~Sealer();  // seals what is left
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  // Whether the last checkpoint could be written.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }

 private:
  void run();
  void look(bool last);
  bool seal(const JournalHead& head, policy::Time now);
  void prune(const JournalHead& head, policy::Time now);

  Journal& journal_;
  const std::unique_ptr<Sealing> sealing_;
  const SealerOptions options_;
  std::atomic<bool> healthy_{true};
  Steady sealed_at_{}, looked_after_{}, pruned_at_{};
  Steady::duration seal_every_{};
  std::optional<uint64_t> sealed_lines_;  // of journal_.lines(), all of which are sealed
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SEALER_H_
