// What a verifier finds wrong with a record.
#ifndef REEVE_PROXY_AUDIT_FINDING_H_
#define REEVE_PROXY_AUDIT_FINDING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::audit {

enum class Fault : uint8_t {
  kEdited,         // a line is not what was written
  kDeleted,        // lines are missing between two others
  kInserted,       // a line that the chain does not hold
  kReordered,      // a line stands at another place
  kDuplicated,     // a line stands there twice
  kMissingFile,    // lines are missing where one file ends and another begins, or at the beginning
  kTruncated,      // the end is missing: it was sealed
  kSpliced,        // what follows is of another record
  kRechained,      // the chain is whole, and not the one that was sealed
  kRolledBack,     // record and checkpoints are older than a checkpoint kept elsewhere
  kLost,           // as kDeleted, and reeve itself missed the lines when it started
  kBadCheckpoint,  // the checkpoints themselves: changed, removed, by a key nobody vouches for
  kUnreadable,     // a file cannot be read
};

std::string_view to_string(Fault fault);

struct Finding {
  Fault fault;
  std::string where;  // FILE:LINE, or FILE
  uint64_t seq = 0;   // of the line, 0 where it has none
  std::string what;
};

// In order; so many are kept, the rest is counted.
class Findings {
 public:
  static constexpr size_t kMost = 1000;
  // The finding's place in all(), or kMost.
  size_t add(Finding finding) {
    ++count_;
    if (all_.size() >= kMost) return kMost;
    all_.push_back(std::move(finding));
    return all_.size() - 1;
  }
  Finding* at(size_t index) { return index < all_.size() ? &all_[index] : nullptr; }
  const std::vector<Finding>& all() const { return all_; }
  uint64_t count() const { return count_; }

 private:
  std::vector<Finding> all_;
  uint64_t count_ = 0;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_FINDING_H_
