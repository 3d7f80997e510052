// `call`: one write(2) per block of lines on the caller's thread, under one lock, so the order of
// lines is the order of the chain. `batch` and `disk`: the lines are copied to a queue under a lock
// that is never held while something is written; one thread makes the chain of them.
// Tested by tests/proxy/journal_test.cc and tests/proxy/journal_faults_test.cc.
#include "proxy/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "policy/json.h"
#include "policy/text_writer.h"
#include "proxy/digest.h"
#include "proxy/ids.h"
#include "proxy/log.h"

namespace reeve {
namespace {

constexpr std::chrono::milliseconds kRetry{100};

int64_t now_ns() { return steady_now().time_since_epoch().count(); }

}  // namespace

Journal::Journal(JournalOptions options, std::unique_ptr<JournalFile> file)
    : options_(std::move(options)),
      found_torn_line_(file->found_torn_line()),
      file_(std::move(file)),
      seq_(file_->seq()),
      prev_(file_->hash()) {
  if (options_.sealed && options_.sealed->seq > seq_) {
    lost_from_ = seq_ + 1;
    seq_ = options_.sealed->seq;
    prev_ = options_.sealed->hash;
  }
  if (options_.sync == AuditSync::kDisk) file_->keep_unsynced();
  written_seq_.store(seq_, std::memory_order_release);
  if (queues()) writer_ = std::thread([this] { write_queue(); });
}

Journal::~Journal() { finish(); }

void Journal::finish() {
  {
    std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_wake_.notify_all();
  if (writer_.joinable()) writer_.join();
}

Result<std::unique_ptr<Journal>> Journal::open(JournalOptions options) {
  auto file = JournalFile::open(options.path, *options.calls);
  if (!file) return file.error();
  return std::unique_ptr<Journal>(new Journal(std::move(options), std::move(*file)));
}

// Whether a write has been under way for longer than anyone waits.
bool Journal::stalled() const {
  const int64_t since = busy_since_.load(std::memory_order_relaxed);
  return since != 0 && std::chrono::nanoseconds(now_ns() - since) > options_.deadline;
}

bool Journal::fail(size_t lines) {
  errors_.fetch_add(lines, std::memory_order_relaxed);
  healthy_.store(false, std::memory_order_relaxed);
  return false;
}

void Journal::add_line(uint64_t seq, const JournalLine& line) {
  constexpr size_t kFrame = 256;  // more than all but the members takes
  const size_t begin = block_.size();
  TextWriter out(block_, kFrame + line.kind.size() + line.members.size() + 2 * hash_.size());
  out.text("{\"v\":1,\"seq\":");
  out.number(seq);
  out.text(",\"time\":\"");
  out.wrote(write_time(out.room(kTimeBytes), line.time));
  out.text("\",\"kind\":\"");
  out.text(line.kind);
  out.character('"');
  out.text(line.members);
  out.text(",\"prev\":\"");
  out.text(hash_);
  out.text("\"}");
  char* const end = out.room(0);
  const policy::Sha256 hash = sha256({block_.data() + begin, end});
  write_hex(hash_.data(), hash.data(), hash.size());
  out.wrote(end - 1);  // the brace comes behind the hash
  out.text(",\"hash\":\"");
  out.text(hash_);
  out.text("\"}\n");
}

bool Journal::append(std::span<const JournalLine> lines) {
  if (queues()) return enqueue(lines, nullptr);
  if (stalled()) return fail(lines.size());
  std::unique_lock lock(mutex_, options_.deadline);
  if (!lock) return fail(lines.size());
  return write_locked(lines);
}

bool Journal::append_durable(std::span<const JournalLine> lines, Done done) {
  return enqueue(lines, &done);
}

// Requires the lock. In batches the file may grow past `rotate` by one of them.
bool Journal::write_locked(std::span<const JournalLine> lines) {
  busy_since_.store(now_ns(), std::memory_order_relaxed);
  block_.clear();
  hash_ = prev_;
  uint64_t seq = seq_;
  for (const JournalLine& line : lines) add_line(++seq, line);
  const uint64_t size = file_->size() + block_.size();
  if (options_.rotate > 0 && file_->size() > 0 && size > options_.rotate &&
      size > rotate_again_at_) {
    // One that fails must not refuse calls: the file grows, and some MB later is tried again.
    rotate_again_at_ = file_->rotate() ? 0 : size + options_.rotate / 16;
    if (rotate_again_at_ > 0) {
      log(LogLevel::kError, fmt::format("the record `{}` cannot be {}; it goes on growing",
                                        options_.path, file_->why()));
    }
  }
  const bool written = file_->write(block_, seq_ + 1);
  busy_since_.store(0, std::memory_order_relaxed);
  if (!written) {
    failed_lines_ += lines.size();
    failed_bytes_ = std::max(failed_bytes_, block_.size());
    complain();
    return fail(lines.size());
  }
  seq_ = seq;
  written_seq_.store(seq, std::memory_order_release);
  prev_.swap(hash_);
  lines_.fetch_add(lines.size(), std::memory_order_relaxed);
  if (block_.size() < failed_bytes_) return true;
  failed_bytes_ = 0;
  if (!syncs()) healthy_.store(true, std::memory_order_relaxed);
  if (std::exchange(complained_, false)) {
    log(LogLevel::kInfo, fmt::format("the record `{}` can be written again", options_.path));
  }
  return true;
}

// Requires the lock. Once for each time that it stops working.
void Journal::complain() {
  if (std::exchange(complained_, true)) return;
  log(LogLevel::kError, fmt::format("calls are refused: the record `{}` cannot be kept: {}",
                                    options_.path, file_->why()));
}

bool Journal::enqueue(std::span<const JournalLine> lines, Done* done) {
  if (!healthy()) return fail(lines.size());
  size_t bytes = 0;
  for (const JournalLine& line : lines) bytes += line.members.size();
  bool idle = false;
  {
    std::lock_guard lock(queue_mutex_);
    if (stopping_ || queue_.text.size() + bytes > options_.queue_bytes) {
      errors_.fetch_add(lines.size(), std::memory_order_relaxed);
      return false;
    }
    idle = queue_.entries.empty();
    for (const JournalLine& line : lines) {
      const size_t begin = queue_.text.size();
      queue_.text += line.members;
      queue_.entries.push_back({line.kind, begin, queue_.text.size(), line.time});
    }
    if (done != nullptr) queue_.done.push_back(std::move(*done));
  }
  if (idle) queue_wake_.notify_one();
  return true;
}

// The writer's thread. What it took from the queue it keeps until it is written, however often that
// fails: those lines were promised.
void Journal::write_queue() {
  Queue taken;
  for (;;) {
    bool stopping = false;
    {
      std::unique_lock lock(queue_mutex_);
      queue_wake_.wait(lock, [this] { return stopping_ || !queue_.entries.empty(); });
      if (options_.sync == AuditSync::kBatch && !options_.acknowledge)
        queue_wake_.wait_for(lock, options_.gather, [this] { return stopping_; });
      std::swap(queue_, taken);
      stopping = stopping_;
    }
    if (taken.entries.empty()) return;
    bool written = false;
    for (bool kept = false; !kept;) {
      kept = keep(taken, written);
      if (kept && options_.acknowledge && !taken.done.empty()) {
        options_.acknowledge(written_seq(), std::move(taken.done));
      } else {
        for (const Done& done : taken.done) done(kept);
      }
      taken.done.clear();
      if (kept) break;
      std::unique_lock lock(queue_mutex_);
      if (stopping) {
        for (const Done& done : queue_.done) done(false);
        return;
      }
      stopping = queue_wake_.wait_for(lock, kRetry, [this] { return stopping_; });
    }
    taken.entries.clear();
    taken.text.clear();
  }
}

// `written`: whether the kernel has the lines already, and only the disk is to be tried again.
bool Journal::keep(const Queue& queue, bool& written) {
  std::vector<JournalLine> lines;
  lines.reserve(queue.entries.size());
  for (const Queue::Entry& entry : queue.entries) {
    lines.push_back({entry.kind,
                     std::string_view(queue.text).substr(entry.begin, entry.end - entry.begin),
                     entry.time});
  }
  std::lock_guard lock(mutex_);
  if (!written && !write_locked(lines)) return false;
  written = true;
  if (!syncs()) return true;
  busy_since_.store(now_ns(), std::memory_order_relaxed);
  const bool synced = file_->sync();
  busy_since_.store(0, std::memory_order_relaxed);
  if (!synced) {
    complain();
    return fail(0);
  }
  healthy_.store(true, std::memory_order_relaxed);
  return true;
}

Result<JournalHead> Journal::sync_head() {
  JournalHead head;
  std::vector<std::shared_ptr<OpenFile>> files;
  {
    std::unique_lock lock(mutex_, options_.deadline);
    if (!lock) return Error{"the record is being written to for too long"};
    head = {seq_, prev_};
    files = file_->take_rotated();
    files.push_back(file_->current());
  }
  // The new name of a file that was rotated away.
  if (files.size() > 1 && !sync_folder_of(options_.path)) {
    log(LogLevel::kWarning, fmt::format("the folder of `{}` cannot be synced", options_.path));
  }
  for (const auto& file : files) {
    if (options_.calls->fdatasync(file->fd) == 0) continue;
    return Error{fmt::format("the record `{}` cannot be put on the disk: {}", options_.path,
                             std::strerror(errno))};
  }
  return head;
}

void Journal::look_after(policy::Time now) {
  std::unique_lock lock(mutex_, options_.deadline);
  if (!lock) return;
  if (!file_->still_there()) {
    log(LogLevel::kWarning,
        fmt::format("the record `{}` was moved away or deleted; it goes on in a new file",
                    options_.path));
  }
  // Queued lines are tried again by the writer itself.
  if (healthy_.load(std::memory_order_relaxed) || queues()) return;
  // A line of its own is short.
  if (!file_->has_room(failed_bytes_ + 4096)) return;
  failed_bytes_ = 0;
  std::string members = ",\"error\":";
  json::append_string(members, file_->why());
  members += fmt::format(",\"refused\":{}", failed_lines_);
  const JournalLine line{"audit", members, now};
  const uint64_t refused = failed_lines_;
  if (write_locked({&line, 1})) {
    failed_lines_ = 0;
  } else {
    failed_lines_ = refused;
  }
}

}  // namespace reeve
