// The lines that come to a record, by the batch, as pages that watch get them.
#ifndef REEVE_PROXY_CONSOLE_TAIL_H_
#define REEVE_PROXY_CONSOLE_TAIL_H_

#include <cstdint>
#include <string>

#include "proxy/audit/follower.h"

namespace reeve::console {

// Of one thread at a time.
class Tail {
 public:
  static constexpr size_t kMostLines = 300;  // of decisions in a batch; more are counted alone

  // From the end of the record on.
  explicit Tail(const std::string& audit_path) : follower_(audit_path) {}

  struct Batch {
    std::string lines;    // JSON objects with a comma between them
    size_t count = 0;     // of them
    uint64_t missed = 0;  // decisions that are not among them
  };
  // What came since the last one. Outcomes are left out. Of a record that grows faster than it is
  // read, the middle is passed over.
  Batch read();

 private:
  audit::Follower follower_;
  uint64_t seq_ = 0;  // of the last line; 0: none yet
};

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_TAIL_H_
