// The record: JSON lines, in order, each chained to the one before by SHA-256.
//
// No record, no call: append() returns only when the line is with the kernel, and its failure means
// the call is refused. A line begins with `v`, `seq`, `time`, `kind` and ends with `prev`, `hash`,
// which this class adds; between them stands what the caller formatted. `hash` is SHA-256 over the
// line's bytes from `{` up to and without `,"hash"`, plus `}`; the first `prev` is 64 zeros.
// Thread-safe.
#ifndef REEVE_PROXY_JOURNAL_H_
#define REEVE_PROXY_JOURNAL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "policy/call.h"
#include "policy/result.h"

namespace reeve {

struct JournalLine {
  std::string_view kind;
  // What stands between `kind` and `prev`: JSON members, each with a leading comma
  // (`,"call":"…"`), or empty.
  std::string_view members;
  policy::Time time;
};

class Journal {
 public:
  // Opens or creates `path` (mode 0600) and goes on with its chain. A last line that a crash cut
  // short is closed with a newline and kept; the next line says so (`torn`).
  static Result<std::unique_ptr<Journal>> open(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Writes the lines with one write. False when they could not be written whole; what was written
  // of them is taken back.
  bool append(std::span<const JournalLine> lines);
  bool append(std::string_view kind, std::string_view members, policy::Time now) {
    const JournalLine line{kind, members, now};
    return append({&line, 1});
  }

  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  uint64_t lines() const { return lines_.load(std::memory_order_relaxed); }
  uint64_t errors() const { return errors_.load(std::memory_order_relaxed); }
  bool found_torn_line() const { return found_torn_line_; }

 private:
  Journal(int fd, std::string path);
  Result<bool> recover();
  bool write_block();
  void add_line(uint64_t seq, const JournalLine& line);

  const int fd_;
  const std::string path_;
  bool found_torn_line_ = false;
  std::atomic<bool> healthy_{true};
  std::atomic<uint64_t> lines_{0};
  std::atomic<uint64_t> errors_{0};

  std::mutex mutex_;  // protects all below
  uint64_t seq_ = 0;
  std::string prev_;  // 64 hex digits
  std::string block_;
  std::string hash_;         // of the block's last line
  uint64_t size_ = 0;        // of the file, whole lines only
  bool dirty_tail_ = false;  // bytes after size_ that could not be taken back
};

}  // namespace reeve

#endif  // REEVE_PROXY_JOURNAL_H_
