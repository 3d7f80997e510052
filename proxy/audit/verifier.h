// Checks a record from its first line to its last, in one pass, offline: the hash of each line, the
// chain, the checkpoints beside it, and checkpoints that were kept elsewhere.
//
// README.md has the table of what is seen with what.
#ifndef REEVE_PROXY_AUDIT_VERIFIER_H_
#define REEVE_PROXY_AUDIT_VERIFIER_H_

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/audit/checkpoint_chain.h"
#include "proxy/audit/files.h"
#include "proxy/audit/finding.h"
#include "proxy/audit/line.h"

namespace reeve::audit {

struct Anchor {
  Checkpoint checkpoint;
  std::string where;  // FILE:LINE
};

struct VerifyOptions {
  std::vector<std::string> files;  // in order
  std::string checkpoints;         // empty: the chain alone is checked
  std::vector<Anchor> anchors;     // checkpoints that were kept elsewhere
  std::vector<std::string> keys;   // public keys that are trusted
};

struct VerifyReport {
  Findings findings;
  std::vector<std::string> notes;  // what is no fault, and what could not have been seen
  uint64_t lines = 0, bytes = 0;
  uint64_t first_seq = 0, last_seq = 0;
  uint64_t checkpoints = 0;
  uint64_t sealed_seq = 0;  // the last line that a checkpoint was found to match
  uint64_t epoch = 0;
  std::string first_key;

  bool sound() const { return findings.count() == 0; }
};

class Verifier {
 public:
  explicit Verifier(VerifyOptions options);
  VerifyReport run();

 private:
  // What is kept of a line.
  struct Seen {
    uint64_t seq = 0;
    std::string prev, hash, where;
    bool begins_file = false;
    bool tells_of_loss = false, tells_of_torn = false;
  };
  struct Odd {
    std::string where;
  };

  void read_file(const std::string& path);
  void line(std::string_view text, const std::string& where, bool begins_file);
  void odd_line(const std::string& where, bool ends_record);
  void intact(Seen seen);
  void settle(const Seen* following);
  void out_of_place(const Seen& seen);
  void resume_from(const Seen& seen);
  void begin_or_accept(const Seen& seen);
  void accept(const Seen& seen);
  void settle_odd(const Seen& seen);
  void compare(const Checkpoint& checkpoint, const Seen& seen);
  void compare_anchor(const Anchor& anchor, const Seen& seen);
  void finish();
  void finish_beginning();
  void finish_end();
  void add_notes();
  const Seen* recent(uint64_t seq) const;
  size_t find(Fault fault, const Seen& seen, std::string what);

  const VerifyOptions options_;
  VerifyReport report_;
  CheckpointChain chain_;
  bool sealed_record_ = false;            // there is a checkpoints file
  std::optional<Checkpoint> checkpoint_;  // the next to be met
  std::vector<Anchor> anchors_;           // by seq
  size_t anchor_ = 0;
  Hasher hasher_;

  bool began_ = false;
  uint64_t expected_ = 1;                        // seq of the next line
  Seen last_;                                    // accepted
  std::optional<Seen> candidate_;                // breaks the chain; what follows tells how
  std::vector<Seen> recent_;                     // a ring, by seq
  std::map<uint64_t, uint64_t> gaps_;            // missing: first seq to last
  std::map<uint64_t, size_t> gap_findings_;      // by first seq
  std::unordered_map<uint64_t, size_t> strays_;  // out of place: seq to finding
  std::vector<Odd> odd_;
  size_t undecided_ = Findings::kMost;  // a finding that the next checkpoint tells the kind of
  bool diverged_ = false;               // the last checkpoint did not match
  Checkpoint last_checkpoint_;
  std::string start_prev_, start_where_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_VERIFIER_H_
