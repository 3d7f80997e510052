// The checkpoints file of one record and the key that signs it: appends checkpoints, evolves the
// key, and says at the start what was sealed before.
//
// Each checkpoint is on the disk when seal() returns. Of one thread.
#ifndef REEVE_PROXY_AUDIT_SEALING_H_
#define REEVE_PROXY_AUDIT_SEALING_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "policy/result.h"
#include "proxy/audit/checkpoint.h"
#include "proxy/audit/line.h"
#include "proxy/audit/sealing_key.h"
#include "proxy/journal.h"

namespace reeve::audit {

struct SealingOptions {
  std::string key_file;
  std::string checkpoints_file;
  std::chrono::seconds epoch{3600};  // how long one key signs
};

class Sealing {
 public:
  // Creates what is missing. A torn last line of the checkpoints is removed: it sealed nothing.
  static Result<std::unique_ptr<Sealing>> open(SealingOptions options, policy::Time now);
  ~Sealing();
  Sealing(const Sealing&) = delete;
  Sealing& operator=(const Sealing&) = delete;

  // What the last checkpoint says, when its signature holds.
  const std::optional<JournalHead>& sealed() const { return sealed_; }
  // The key of the epoch, for people to keep; `began_anew` when no earlier checkpoint vouches for
  // it.
  const std::string& public_key() const { return key_.public_key(); }
  bool began_anew() const { return began_anew_; }
  uint64_t pruned() const { return pruned_; }

  // Appends a checkpoint; returns its line. `pruned`: lines up to it are about to be deleted.
  Result<std::string> seal(const JournalHead& head, policy::Time now,
                           const std::optional<JournalHead>& pruned = {});

 private:
  Sealing(SealingOptions options, SealingKey key)
      : options_(std::move(options)), key_(std::move(key)) {}
  Result<bool> recover(policy::Time now);
  Result<bool> append(const std::string& line);

  const SealingOptions options_;
  SealingKey key_;
  int fd_ = -1;
  uint64_t size_ = 0;  // whole lines only
  std::string prev_;   // SHA-256 of the last line
  std::optional<JournalHead> sealed_;
  uint64_t pruned_ = 0;
  bool began_anew_ = false;
  Hasher hasher_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_SEALING_H_
