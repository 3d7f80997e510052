// Tested by tests/proxy/audit_sink_test.cc and tests/e2e/audit_sinks_test.mjs.
#include "proxy/audit/sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "proxy/audit/scan.h"
#include "proxy/log.h"

namespace reeve::audit {
namespace {

constexpr size_t kMostBytes = 512 * 1024;      // of a batch; its last line may pass it
constexpr size_t kMostCheckpoints = 100;       // of a batch
constexpr std::chrono::seconds kSaveEvery{1};  // lines of so long may be delivered twice

std::string to_text(const SinkPosition& position) {
  return fmt::format("{{\"v\":1,\"seq\":{},\"checkpoints\":{}}}\n", position.seq,
                     position.checkpoints);
}

uint64_t size_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

Error unusable(const std::string& path, std::string_view why) {
  return Error{
      fmt::format("`{}`, which says how far a sink of the record is, {}; delete it to "
                  "begin with what comes next",
                  path, why)};
}

// False, with errno, when it cannot be replaced.
bool replace_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  const OpenFile file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool written =
      file.fd >= 0 &&
      ::write(file.fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fdatasync(file.fd) == 0;
  return written && ::rename(fresh.c_str(), path.c_str()) == 0;
}

}  // namespace

Result<std::unique_ptr<Sink>> Sink::open(SinkOptions options, std::unique_ptr<Receiver> receiver,
                                         const SinkPosition& now) {
  const std::string& path = options.position_file;
  SinkPosition position = now;
  LineReader reader;
  if (reader.open(path)) {
    std::string_view text;
    if (!reader.next(text)) return unusable(path, "is empty");
    SinkPosition known;
    Scan scan(text);
    scan.literal("{\"v\":1,\"seq\":").number(known.seq).literal(",\"checkpoints\":");
    if (!scan.number(known.checkpoints).literal("}").ok() || !scan.rest().empty()) {
      return unusable(path, "is not as it was written");
    }
    if (known.seq > now.seq) {
      log(LogLevel::kWarning,
          fmt::format(
              "sink `{}` has line {} of the record, which now ends with line {}: it goes on "
              "behind that",
              options.config.name, known.seq, now.seq));
    }
    position = {std::min(known.seq, now.seq), std::min(known.checkpoints, now.checkpoints)};
  } else if (reader.error() != ENOENT) {
    return unusable(path, std::strerror(reader.error()));
  } else if (!replace_file(path, to_text(position))) {
    return unusable(path, std::strerror(errno));
  }
  std::unique_ptr<Sink> sink(new Sink(std::move(options), std::move(receiver), position));
  sink->saved_ = position;
  sink->delivered_seq_ = sink->seen_seq_ = position.seq;
  sink->most_lines_ = sink->options_.config.batch;
  return sink;
}

Sink::~Sink() { stop(); }

void Sink::start(std::function<uint64_t()> written) {
  written_ = std::move(written);
  tail_ = std::make_unique<RecordTail>(options_.record, position_.seq);
  thread_ = std::thread([this] { run(); });
}

void Sink::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_all();
}

void Sink::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  // A delivery that hangs may do so for its last words only.
  std::thread watch([this] {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, options_.last_words, [this] { return hurry_.load(); });
    hurry_ = true;
  });
  thread_.join();
  {
    std::lock_guard lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_all();
  watch.join();
}

uint64_t Sink::lag() const {
  const uint64_t seen = seen_seq_.load(std::memory_order_relaxed);
  const uint64_t has = delivered_seq();
  return options_.config.lines && seen > has ? seen - has : 0;
}

void Sink::run() {
  auto pause = options_.first_pause;
  for (bool stopping = false;;) {
    const bool failed = !batch_.empty();
    {
      std::unique_lock lock(mutex_);
      if (!stopping) {
        const auto wanted = [this, failed] { return stopping_ || (woken_ && !failed); };
        wake_.wait_for(lock, failed ? pause : options_.look, wanted);
      }
      woken_ = false;
      stopping = stopping_;
    }
    if (failed) pause = std::min(pause * 2, options_.last_pause);
    bool delivered = true;
    while (delivered && (read() || !batch_.empty()) && !hurry_) delivered = deliver();
    if (batch_.empty()) pause = options_.first_pause;
    save(stopping);
    if (stopping) return;
  }
}

// Whether a batch was begun.
bool Sink::read() {
  seen_seq_.store(written_(), std::memory_order_relaxed);
  if (!batch_.empty()) return false;
  batch_.end = position_;
  if (options_.config.lines) {
    batch_.part = tail_->read(seen_seq_, most_lines_, kMostBytes);
    if (batch_.part.last > 0) batch_.end.seq = batch_.part.last;
  } else {
    batch_.end.seq = seen_seq_;
  }
  // What is too large together may not be so apart.
  const bool apart = most_lines_ == 1 && !batch_.part.lines.empty();
  if (options_.config.checkpoints && !apart) read_checkpoints();
  return !batch_.empty();
}

void Sink::read_checkpoints() {
  const std::string path = checkpoints_path(options_.record);
  if (size_of(path) <= position_.checkpoints) return;
  LineReader reader;
  if (!reader.open(path, position_.checkpoints)) return;
  reader.stop_at_end();
  for (std::string_view text; batch_.checkpoints.size() < std::min(kMostCheckpoints, most_lines_) &&
                              reader.next(text, false);) {
    batch_.checkpoints.emplace_back(text);
    batch_.end.checkpoints = reader.end_offset();
  }
}

bool Sink::deliver() {
  Delivery delivery;
  for (const std::string& line : batch_.part.lines) delivery.lines.push_back(line);
  for (const std::string& line : batch_.checkpoints) delivery.lines.push_back(line);
  delivery.last_seq = batch_.part.last;
  if (delivery.last_seq > 0) {
    Scan scan(batch_.part.lines.front());
    scan.literal("{\"v\":1,\"seq\":").number(delivery.first_seq);
  }
  const auto done = receiver_->deliver(delivery, hurry_);
  if (done) {
    if (const uint64_t missed = batch_.part.missed; missed > 0) {
      dropped_.fetch_add(missed, std::memory_order_relaxed);
      log(LogLevel::kWarning,
          fmt::format("sink `{}`: {} lines of the record were deleted before it had them",
                      options_.config.name, missed));
    }
    delivered_.fetch_add(delivery.lines.size(), std::memory_order_relaxed);
    position_ = batch_.end;
    batch_ = {};
    delivered_seq_.store(position_.seq, std::memory_order_release);
    most_lines_ = std::min(most_lines_ * 2, options_.config.batch);
    if (!up_.exchange(true)) {
      log(LogLevel::kInfo, fmt::format("sink `{}` takes lines again", options_.config.name));
    }
    save(false);
    if (options_.on_delivery) options_.on_delivery(true);
    return true;
  }
  errors_.fetch_add(1, std::memory_order_relaxed);
  if (up_.exchange(false)) {
    log(LogLevel::kError, fmt::format("sink `{}` of the record fails: {}; what it misses it gets "
                                      "later",
                                      options_.config.name, done.error().why));
  }
  if (options_.on_delivery) options_.on_delivery(false);
  if (done.error().too_large) shrink();
  return false;
}

// Less of it, or without the one line that is too large.
void Sink::shrink() {
  const size_t lines = batch_.part.lines.size() + batch_.checkpoints.size();
  if (lines > 1) {
    most_lines_ = std::max<size_t>(lines / 2 / (options_.config.checkpoints ? 2 : 1), 1);
  } else {
    dropped_.fetch_add(lines, std::memory_order_relaxed);
    log(LogLevel::kError, fmt::format("sink `{}` never takes line {}: it is too large for it",
                                      options_.config.name, batch_.end.seq));
    position_ = batch_.end;
    delivered_seq_.store(position_.seq, std::memory_order_release);
  }
  batch_ = {};
  tail_ = std::make_unique<RecordTail>(options_.record, position_.seq);
}

void Sink::save(bool now) {
  if (!options_.config.lines && batch_.empty()) position_.seq = seen_seq_;
  const bool same = position_.seq == saved_.seq && position_.checkpoints == saved_.checkpoints;
  if (same || (!now && steady_now() - saved_at_ < kSaveEvery)) return;
  saved_at_ = steady_now();
  if (replace_file(options_.position_file, to_text(position_))) saved_ = position_;
}

}  // namespace reeve::audit
