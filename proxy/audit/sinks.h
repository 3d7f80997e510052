// All sinks of a record, and who waits for those that are `required`: then a decision's call goes
// on when each of them has its line, and is refused when one of them fails or takes too long.
#ifndef REEVE_PROXY_AUDIT_SINKS_H_
#define REEVE_PROXY_AUDIT_SINKS_H_

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/audit/sink.h"
#include "proxy/journal.h"
#include "proxy/metrics.h"

namespace reeve::audit {

class Sinks {
 public:
  // `folder` is where they keep their positions; it is made where it is needed. The record is that
  // of `options`, into which goes what the journal must know; `configs` is not empty.
  static Result<std::unique_ptr<Sinks>> create(const std::vector<SinkConfig>& configs,
                                               const std::string& folder, JournalOptions& options);
  ~Sinks();  // stop()
  Sinks(const Sinks&) = delete;
  Sinks& operator=(const Sinks&) = delete;

  // Finds where they were; new ones begin behind what the record has now.
  Result<bool> open(const Journal& journal);
  // Begins to deliver. The journal, made with those options, must live until stop().
  void start(const Journal& journal);
  // After Journal::finish(): delivers what is left, for some seconds.
  void stop();

  std::vector<SinkGauge> gauges() const;
  // Why calls are refused; nothing while they are not.
  std::optional<std::string> trouble() const;

 private:
  using Dones = std::vector<std::function<void(bool)>>;
  struct Waiting {
    uint64_t seq;
    Dones done;
  };

  Sinks() = default;
  void acknowledge(uint64_t seq, Dones done);
  void delivered(bool ok);

  std::vector<SinkConfig> configs_;
  std::string folder_, record_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::mutex mutex_;
  std::vector<Waiting> waiting_;  // guarded by mutex_; by seq
  bool stopped_ = false;          // guarded by mutex_
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SINKS_H_
