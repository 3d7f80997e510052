// One sink: a thread that reads the record behind what it has delivered, and the checkpoints beside
// it, delivers both in batches, and remembers in a file how far it is.
//
// The record itself is the queue: calls never wait for a sink (but see sinks.h), nothing is kept in
// memory for one that is away, and what it missed comes when it is back, as long as the files are
// kept. After a crash some lines are delivered twice.
#ifndef REEVE_PROXY_AUDIT_SINK_H_
#define REEVE_PROXY_AUDIT_SINK_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "proxy/audit/files.h"
#include "proxy/audit/receiver.h"
#include "proxy/audit/record_tail.h"
#include "proxy/clock.h"

namespace reeve::audit {

// How far a sink is: the record up to this line, the checkpoints file up to this byte.
struct SinkPosition {
  uint64_t seq = 0;
  uint64_t checkpoints = 0;
};

struct SinkOptions {
  SinkConfig config;
  std::string record;                          // its path
  std::string position_file;                   // in a folder that exists
  std::chrono::milliseconds look{100};         // how often it looks for what is new
  std::chrono::milliseconds first_pause{250};  // after a failure; doubles
  std::chrono::milliseconds last_pause{30'000};
  std::chrono::milliseconds last_words{3'000};  // to deliver what is left at the end
  // On the sink's thread, after each delivery: whether it succeeded.
  std::function<void(bool)> on_delivery;
};

class Sink {
 public:
  // Goes on behind what its file says; a new one begins behind `now`. The error names a file that
  // cannot be used.
  static Result<std::unique_ptr<Sink>> open(SinkOptions options, std::unique_ptr<Receiver> receiver,
                                            const SinkPosition& now);
  ~Sink();  // stop()
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Begins the thread. `written` (Journal::written_seq()) is asked until stop().
  void start(std::function<uint64_t()> written);
  void wake();
  // Tries to deliver what is left, for `last_words` at most, keeps its position, ends the thread.
  void stop();

  const SinkConfig& config() const { return options_.config; }
  uint64_t delivered_seq() const { return delivered_seq_.load(std::memory_order_acquire); }
  // Whether the last delivery succeeded.
  bool up() const { return up_.load(std::memory_order_relaxed); }
  uint64_t lag() const;  // lines of the record that it does not have yet
  uint64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }  // lines
  uint64_t errors() const { return errors_.load(std::memory_order_relaxed); }        // deliveries
  // Lines that it never gets: deleted before it had them, or larger than it takes.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  Sink(SinkOptions options, std::unique_ptr<Receiver> receiver, SinkPosition position)
      : options_(std::move(options)), receiver_(std::move(receiver)), position_(position) {}
  // What was read and is not delivered yet.
  struct Batch {
    RecordTail::Part part;
    std::vector<std::string> checkpoints;
    SinkPosition end;
    bool empty() const { return part.lines.empty() && checkpoints.empty(); }
  };
  void run();
  bool read();
  void read_checkpoints();
  bool deliver();
  void shrink();
  void save(bool now);

  const SinkOptions options_;
  const std::unique_ptr<Receiver> receiver_;
  std::function<uint64_t()> written_;
  SinkPosition position_;  // delivered
  SinkPosition saved_;
  Steady saved_at_{};
  std::unique_ptr<RecordTail> tail_;
  Batch batch_;
  size_t most_lines_ = 0;

  std::atomic<uint64_t> delivered_seq_{0}, seen_seq_{0}, delivered_{0}, errors_{0}, dropped_{0};
  std::atomic<bool> up_{true};
  std::atomic<bool> hurry_{false};  // ends a delivery that is under way
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false, stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SINK_H_
