// Which calls of a record another policy would decide otherwise.
#ifndef REEVE_PROXY_COMMANDS_DIFF_RECORD_H_
#define REEVE_PROXY_COMMANDS_DIFF_RECORD_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/money.h"
#include "policy/replay.h"

namespace reeve::commands {

// Calls that are alike in all that is shown.
struct OtherwiseGroup {
  std::string agent, upstream, action, target;
  std::string was;      // allow | ask | deny
  std::string becomes;  // the same, or several with `|` where it depends on what is not recorded
  std::string why;      // the rule of NEW with its place, a state of the agent, or `by default`
  bool certain = false;
  uint64_t calls = 0;
  policy::Micros spent = 0;  // what these calls cost, by their outcomes
  std::string first, last;   // times
  std::string call;          // the id of the first
};

struct OtherwiseReport {
  uint64_t replayed = 0;   // calls that rules had decided
  uint64_t left_out = 0;   // that something else had decided: a budget, a limit, a fault
  uint64_t unread = 0;     // lines that are no lines of a record
  uint64_t certain = 0;    // calls that would go otherwise
  uint64_t uncertain = 0;  // calls that might
  std::vector<OtherwiseGroup> groups;  // certain ones first, then by calls, the most first
};

// Streams through the files; memory is bounded by the kinds of calls, 10,000 of which are told
// apart. False, with a message on stderr, when a file cannot be read.
bool compare_with_record(const std::vector<std::string>& files, const policy::Replay& replay,
                         OtherwiseReport& report);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_DIFF_RECORD_H_
