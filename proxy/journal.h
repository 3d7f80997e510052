// The record: JSON lines, in order, each chained to the one before by SHA-256.
//
// No record, no call: append() returns true only when the line is kept as `sync` says, and its
// failure means the call is refused. A line begins with `v`, `seq`, `time`, `kind` and ends with
// `prev`, `hash`, which this class adds; between them stands what the caller formatted. `hash` is
// SHA-256 over the line's bytes from `{` up to and without `,"hash"`, plus `}`; the first `prev` is
// 64 zeros. audit/README.md tells how the chain is sealed. Thread-safe.
#ifndef REEVE_PROXY_JOURNAL_H_
#define REEVE_PROXY_JOURNAL_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "policy/call.h"
#include "policy/result.h"
#include "proxy/clock.h"
#include "proxy/config.h"
#include "proxy/journal_file.h"

namespace reeve {

struct JournalLine {
  std::string_view kind;
  // What stands between `kind` and `prev`: JSON members, each with a leading comma
  // (`,"call":"…"`), or empty.
  std::string_view members;
  policy::Time time;
};

// Where a chain stands: its last line.
struct JournalHead {
  uint64_t seq = 0;
  std::string hash;  // 64 hexadecimal digits
};

struct JournalOptions {
  std::string path;
  AuditSync sync = AuditSync::kCall;
  uint64_t rotate = 0;  // a new file before one would be larger than so many bytes; 0: never
  // A write that takes longer is a failure for all that wait for it or come after it.
  std::chrono::milliseconds deadline{2000};
  std::chrono::milliseconds gather{5};   // kBatch: how long lines are collected for one write
  size_t queue_bytes = 8 * 1024 * 1024;  // kBatch, kDisk: more is refused
  std::optional<JournalHead> sealed;     // what the last checkpoint says the chain reached
  // Who must have a decision's line as well before its call goes on. Called on the writer's thread
  // when the file has it, which is line `seq` or one before; calls each of `done` once, soon or
  // later, on any thread.
  std::function<void(uint64_t seq, std::vector<std::function<void(bool)>> done)> acknowledge;
  std::chrono::milliseconds acknowledged_within{0};  // how long that may take
  const FileCalls* calls = &kSystemCalls;
};

class Journal {
 public:
  // Opens or creates the file and goes on with its chain, that of rotated files included. A last
  // line that a crash cut short is closed with a newline and kept; the next line says so (`torn`).
  // When lines that were sealed are missing, the chain goes on behind them.
  static Result<std::unique_ptr<Journal>> open(JournalOptions options);
  static Result<std::unique_ptr<Journal>> open(const std::string& path) {
    return open(JournalOptions{.path = path});
  }
  ~Journal();  // finish()
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Writes or queues the lines, all or none. False when they are not kept: what was written of them
  // is taken back.
  bool append(std::span<const JournalLine> lines);
  bool append(std::string_view kind, std::string_view members, policy::Time now) {
    const JournalLine line{kind, members, now};
    return append({&line, 1});
  }

  // Whether a decision must wait for append_durable(): for the disk (kDisk) or for whoever must
  // have it as well.
  bool decisions_wait() const { return syncs() || options_.acknowledge; }
  // Queues the lines and calls `done`, once, on another thread: with true when they are on the
  // disk (kDisk) and acknowledged, with false when the first try failed or the journal is closed.
  // Returns false, and never calls it, when they cannot be queued. Only where decisions_wait().
  using Done = std::function<void(bool)>;
  bool append_durable(std::span<const JournalLine> lines, Done done);
  std::chrono::milliseconds deadline() const {
    return std::max(options_.deadline, options_.acknowledged_within);
  }

  // Writes what is queued and ends the writer; where there is a queue nothing can be added then.
  void finish();

  bool healthy() const { return healthy_.load(std::memory_order_relaxed) && !stalled(); }
  uint64_t lines() const { return lines_.load(std::memory_order_relaxed); }
  // Of the last line that the file has for good. What stands behind it may be taken back.
  uint64_t written_seq() const { return written_seq_.load(std::memory_order_acquire); }
  uint64_t errors() const { return errors_.load(std::memory_order_relaxed); }
  bool found_torn_line() const { return found_torn_line_; }
  // The first sealed line that was not there when the journal was opened; 0: none. All up to the
  // sealed head are missing.
  uint64_t lost_from() const { return lost_from_; }

  // For the sealer. Puts on the disk what is written and says where the chain stands, or why not.
  Result<JournalHead> sync_head();
  // Writes a line that says what failed, if something did and has not worked since; looks whether
  // the file is still at its path. At most waits for the deadline.
  void look_after(policy::Time now);

 private:
  struct Queue {
    struct Entry {
      std::string_view kind;  // a literal
      size_t begin, end;      // of the members, in text
      policy::Time time;
    };
    std::vector<Entry> entries;
    std::string text;
    std::vector<Done> done;
  };

  Journal(JournalOptions options, std::unique_ptr<JournalFile> file);
  bool syncs() const { return options_.sync == AuditSync::kDisk; }
  bool queues() const { return options_.sync != AuditSync::kCall || options_.acknowledge; }
  bool stalled() const;
  bool fail(size_t lines);
  void add_line(uint64_t seq, const JournalLine& line);
  bool write_locked(std::span<const JournalLine> lines);
  bool enqueue(std::span<const JournalLine> lines, Done* done);
  void write_queue();
  bool keep(const Queue& queue, bool& written);
  void complain();

  const JournalOptions options_;
  bool found_torn_line_ = false;
  uint64_t lost_from_ = 0;
  std::atomic<bool> healthy_{true};
  std::atomic<uint64_t> lines_{0};
  std::atomic<uint64_t> errors_{0};
  std::atomic<uint64_t> written_seq_{0};
  std::atomic<int64_t> busy_since_{0};  // steady nanoseconds; 0: nobody is writing

  std::timed_mutex mutex_;  // protects what follows
  std::unique_ptr<JournalFile> file_;
  uint64_t seq_ = 0;
  std::string prev_;  // 64 hex digits
  std::string block_;
  std::string hash_;  // of the block's last line
  bool complained_ = false;
  size_t failed_bytes_ = 0;    // of the largest block that failed: less may fit, and proves nothing
  uint64_t failed_lines_ = 0;  // since it last worked
  uint64_t rotate_again_at_ = 0;  // size, after a rotation that failed

  std::mutex queue_mutex_;  // protects queue_ and stopping_; never held while writing
  std::condition_variable queue_wake_;
  Queue queue_;
  bool stopping_ = false;
  std::thread writer_;  // where queues()
};

}  // namespace reeve

#endif  // REEVE_PROXY_JOURNAL_H_
