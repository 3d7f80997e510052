// The order at the end of an epoch: the checkpoint that names the next key is on the disk, then the
// key file is replaced. A crash between leaves a key whose last checkpoint names the next one, and
// the start goes on from there. Tested by tests/proxy/audit_seal_test.cc.
#include "proxy/audit/sealing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/audit/line.h"
#include "proxy/log.h"

namespace reeve::audit {
namespace {

constexpr uint64_t kTail = 16 * 1024;  // of the file; holds several checkpoints

Error cannot(const std::string& path, const char* what) {
  return Error{
      fmt::format("the checkpoints `{}` cannot be {}: {}; they stand beside the record, "
                  "where reeve must be able to write",
                  path, what, std::strerror(errno))};
}

}  // namespace

Result<std::unique_ptr<Sealing>> Sealing::open(SealingOptions options, policy::Time now) {
  auto loaded = SealingKey::load(options.key_file);
  if (!loaded) return loaded.error();
  std::optional<SealingKey> key = std::move(*loaded);
  const bool fresh = !key;
  if (fresh) {
    auto created = SealingKey::create(now);
    if (!created) return created.error();
    key = std::move(*created);
    if (auto saved = key->save(options.key_file); !saved) return saved.error();
  }
  std::unique_ptr<Sealing> sealing(new Sealing(std::move(options), std::move(*key)));
  sealing->began_anew_ = fresh;
  if (auto recovered = sealing->recover(now); !recovered) return recovered.error();
  return sealing;
}

Sealing::~Sealing() {
  if (fd_ >= 0) ::close(fd_);
}

Result<bool> Sealing::recover(policy::Time now) {
  const std::string& path = options_.checkpoints_file;
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  struct stat info{};
  if (fd_ < 0 || ::fstat(fd_, &info) != 0) return cannot(path, "opened");
  if (!S_ISREG(info.st_mode)) return Error{fmt::format("`{}` is not a regular file", path)};
  size_ = static_cast<uint64_t>(info.st_size);
  std::string tail(std::min(size_, kTail), '\0');
  const ssize_t got =
      ::pread(fd_, tail.data(), tail.size(), static_cast<off_t>(size_ - tail.size()));
  if (got != static_cast<ssize_t>(tail.size())) return cannot(path, "read");
  if (const size_t end = tail.rfind('\n') + 1; end < tail.size()) {
    size_ -= tail.size() - end;
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return cannot(path, "cut");
    tail.resize(end);
  }
  prev_ = kNoPrevious;
  if (tail.empty()) {
    began_anew_ = true;
    return true;
  }
  tail.pop_back();
  const std::string_view last = std::string_view(tail).substr(tail.rfind('\n') + 1);
  prev_ = hasher_.hex(last);
  const auto checkpoint = read_checkpoint(last);
  if (!checkpoint || !signature_holds(*checkpoint)) {
    log(LogLevel::kError, fmt::format("the last line of `{}` is no checkpoint that reeve signed; "
                                      "run `reeve audit verify`",
                                      path));
    began_anew_ = true;
    return true;
  }
  sealed_ = JournalHead{checkpoint->seq, checkpoint->head};
  pruned_ = checkpoint->pruned;
  // The key of a backup is older; a crash may have come before the key that was named last.
  const std::string wanted = checkpoint->next.empty() ? checkpoint->key : checkpoint->next;
  const uint64_t epoch = checkpoint->epoch + (checkpoint->next.empty() ? 0 : 1);
  constexpr uint64_t kMostSteps = 100'000;
  const bool evolves = key_.epoch() < epoch && epoch - key_.epoch() < kMostSteps;
  while (evolves && key_.epoch() < epoch) key_ = key_.next(now);
  if (key_.public_key() == wanted) {
    began_anew_ = false;
    if (!evolves) return true;
    auto saved = key_.save(options_.key_file);
    return saved ? Result<bool>(true) : saved.error();
  }
  log(LogLevel::kError, fmt::format("the sealing key `{}` is not the one that signed `{}`; a new "
                                    "key begins, which `reeve audit verify` must be told of",
                                    options_.key_file, path));
  began_anew_ = true;
  auto created = SealingKey::create(now);
  if (!created) return created.error();
  key_ = std::move(*created);
  return key_.save(options_.key_file);
}

Result<bool> Sealing::append(const std::string& line) {
  const ssize_t n = ::pwrite(fd_, line.data(), line.size(), static_cast<off_t>(size_));
  if (n != static_cast<ssize_t>(line.size()) || ::fdatasync(fd_) != 0) {
    if (n >= 0 && n != static_cast<ssize_t>(line.size())) errno = ENOSPC;
    const Error error = cannot(options_.checkpoints_file, "written");
    // What is left of it is written over by the next, or removed at the next start.
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return error;
    return error;
  }
  size_ += line.size();
  return true;
}

Result<std::string> Sealing::seal(const JournalHead& head, policy::Time now,
                                  const std::optional<JournalHead>& pruned) {
  Checkpoint c;
  c.seq = head.seq;
  c.head = head.hash;
  append_time(c.time, now);
  c.epoch = key_.epoch();
  c.key = key_.public_key();
  c.prev = prev_;
  if (pruned) {
    c.pruned = pruned->seq;
    c.pruned_head = pruned->hash;
  }
  std::optional<SealingKey> next;
  // Also when the clock was set back.
  if (now - key_.since() >= options_.epoch || now < key_.since()) next = key_.next(now);
  if (next) c.next = next->public_key();
  std::string line = write_checkpoint(c, key_);
  if (auto written = append(line + "\n"); !written) return written.error();
  prev_ = hasher_.hex(line);
  sealed_ = head;
  if (pruned) pruned_ = pruned->seq;
  if (next) {
    key_ = std::move(*next);  // the old seed is wiped with `next`
    next.reset();
    if (auto saved = key_.save(options_.key_file); !saved) return saved.error();
  }
  return line;
}

}  // namespace reeve::audit
