// Reads a checkpoints file from its beginning and judges it as it goes: that each line continues
// from the one before, and that each key is vouched for by the one before it.
//
// A signature vouches for all lines before it by their hashes, so that one is checked only at the
// end of an epoch, at the end of the file and before a break.
#ifndef REEVE_PROXY_AUDIT_CHECKPOINT_CHAIN_H_
#define REEVE_PROXY_AUDIT_CHECKPOINT_CHAIN_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/audit/checkpoint.h"
#include "proxy/audit/files.h"
#include "proxy/audit/finding.h"
#include "proxy/audit/line.h"

namespace reeve::audit {

class CheckpointChain {
 public:
  // `keys`: public keys that are trusted; when there are none, that of the first checkpoint is.
  CheckpointChain(std::vector<std::string> keys, Findings& findings)
      : keys_(std::move(keys)), findings_(findings) {}

  // False when there is no such file.
  bool open(const std::string& path);
  // The next that is in order; nothing at the end.
  std::optional<Checkpoint> next();

  uint64_t count() const { return count_; }
  // The epoch of the last one that next() gave, and the first seq that only its key vouches for.
  uint64_t epoch() const { return epoch_; }
  uint64_t epoch_from() const { return epoch_from_; }
  const std::string& first_key() const { return first_key_; }
  // What was deleted for its age: the last line's seq, and its hash.
  const std::map<uint64_t, std::string>& pruned() const { return pruned_; }

 private:
  bool read(Checkpoint& into, std::string& hash);
  bool judge_key(const Checkpoint& checkpoint);
  void bad(const std::string& what, uint64_t seq);

  const std::vector<std::string> keys_;
  Findings& findings_;
  LineReader reader_;
  Hasher hasher_;
  std::optional<Checkpoint> ahead_;  // read, and not given yet
  std::string ahead_hash_, ahead_where_, where_;
  bool began_ = false;
  std::string last_hash_ = std::string(kNoPrevious);
  std::string key_;  // that must sign the next one
  uint64_t epoch_ = 0, epoch_from_ = 1, last_seq_ = 0, count_ = 0;
  std::string first_key_;
  std::map<uint64_t, std::string> pruned_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_CHECKPOINT_CHAIN_H_
