// Reads on where a record is being written, across rotations.
#ifndef REEVE_PROXY_AUDIT_FOLLOWER_H_
#define REEVE_PROXY_AUDIT_FOLLOWER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/audit/files.h"

namespace reeve::audit {

// Of one thread at a time.
class Follower {
 public:
  // From this offset of the current file on.
  Follower(std::string path, uint64_t from);
  // From its end on.
  explicit Follower(std::string path);

  // Gets whole lines; false ends the look.
  using Sink = std::function<bool(std::string_view line)>;
  // Gives what has come since the last look. False when the sink ended it: the next look goes on
  // behind that line.
  bool look(const Sink& sink);
  // Passes over what has come.
  void skip_to_end();

 private:
  const std::string path_;
  std::unique_ptr<LineReader> reader_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_FOLLOWER_H_
