// Tested by tests/proxy/audit_seal_test.cc and tests/e2e/audit_test.mjs.
#include "proxy/audit/sealer.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "proxy/audit/files.h"
#include "proxy/log.h"

namespace reeve::audit {
namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kSealEvery{1};
// While a disk is synced, writes to the same file wait (ext4: for the commit that holds its inode).
// So that this is under half a percent of the time, a slow disk is synced less often.
constexpr int kSyncShare = 200;
constexpr std::chrono::seconds kSealAtLeastEvery{10};
constexpr std::chrono::seconds kLookAfter{1};
constexpr std::chrono::seconds kPruneEvery{60};

// Where the chain stands at the end of a file that is no longer written to.
std::optional<JournalHead> end_of(const std::string& path) {
  LineReader reader;
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  constexpr uint64_t kTail = 4 * kLongestLine;
  const auto size = static_cast<uint64_t>(info.st_size);
  if (!reader.open(path, size > kTail ? size - kTail : 0)) return std::nullopt;
  std::optional<JournalHead> head;
  for (std::string_view text; reader.next(text);) {
    if (const auto line = read_line(text)) head = JournalHead{line->seq, std::string(line->hash)};
  }
  return head;
}

}  // namespace

Sealer::Sealer(Journal& journal, std::unique_ptr<Sealing> sealing, SealerOptions options)
    : journal_(journal), sealing_(std::move(sealing)), options_(std::move(options)) {
  thread_ = std::thread([this] { run(); });
}

Sealer::~Sealer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Sealer::run() {
  for (bool stopping = false; !stopping;) {
    {
      std::unique_lock lock(mutex_);
      stopping = wake_.wait_for(lock, kLook, [this] { return stopping_; });
    }
    look(stopping);
  }
}

void Sealer::look(bool last) {
  const Steady now = steady_now();
  if (now - looked_after_ >= kLookAfter) {
    looked_after_ = now;
    journal_.look_after(wall_now());
  }
  // A sync holds up the writes that come meanwhile, so there is none that is not needed. What was
  // written before this sealer began, it finds at its first look.
  const uint64_t lines = journal_.lines();
  const bool seals = lines != sealed_lines_ && (last || now - sealed_at_ >= seal_every_);
  const bool prunes = options_.keep.count() > 0 && now - pruned_at_ >= kPruneEvery && !last;
  if (!seals && !prunes) return;
  auto head = journal_.sync_head();
  if (!head) {
    if (healthy_.exchange(false)) log(LogLevel::kError, head.error().message);
    return;
  }
  if (seals) {
    if (seal(*head, wall_now())) sealed_lines_ = lines;
    const Steady::duration took = steady_now() - now;
    seal_every_ = std::clamp<Steady::duration>(took * kSyncShare, kSealEvery, kSealAtLeastEvery);
  }
  if (prunes) {
    pruned_at_ = now;
    prune(*head, wall_now());
  }
}

// Whether all up to there is sealed.
bool Sealer::seal(const JournalHead& head, policy::Time now) {
  if (sealing_->sealed() && head.seq <= sealing_->sealed()->seq) return true;
  sealed_at_ = steady_now();
  auto line = sealing_->seal(head, now);
  if (!line) {
    if (healthy_.exchange(false)) log(LogLevel::kError, line.error().message);
    return false;
  }
  healthy_ = true;
  if (options_.anchor) options_.anchor(*line);
  return true;
}

// The oldest file whose last line is sealed and older than `keep`, and then the next: a checkpoint
// says that it goes, before it goes.
void Sealer::prune(const JournalHead& head, policy::Time now) {
  for (const RecordFile& file : rotated_files(options_.path)) {
    struct stat info{};
    if (::stat(file.path.c_str(), &info) != 0) return;
    const auto changed = std::chrono::seconds(info.st_mtim.tv_sec);
    if (now.time_since_epoch() - changed < options_.keep) return;
    const auto end = end_of(file.path);
    const auto& sealed = sealing_->sealed();
    if (!end || !sealed || end->seq > sealed->seq) return;
    auto line = sealing_->seal(head.seq >= sealed->seq ? head : *sealed, now, end);
    if (!line) return log(LogLevel::kError, line.error().message);
    if (options_.anchor) options_.anchor(*line);
    ::unlink((file.path + ".index").c_str());
    if (::unlink(file.path.c_str()) != 0) {
      return log(LogLevel::kError, fmt::format("`{}` is older than `audit.keep` and cannot be "
                                               "deleted",
                                               file.path));
    }
    log(LogLevel::kInfo, fmt::format("`{}` was older than `audit.keep` and is deleted", file.path));
  }
}

}  // namespace reeve::audit
