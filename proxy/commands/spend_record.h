// What calls have cost, added up from the record's lines.
#ifndef REEVE_PROXY_COMMANDS_SPEND_RECORD_H_
#define REEVE_PROXY_COMMANDS_SPEND_RECORD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/money.h"
#include "policy/result.h"

namespace reeve::commands {

// Of some calls that went out.
struct Spent {
  policy::Micros cost = 0;      // of those that have ended
  policy::Micros reserved = 0;  // held for those that are under way
  uint64_t calls = 0;
  uint64_t tokens_in = 0, tokens_out = 0;

  policy::Micros total() const { return policy::checked_add(cost, reserved).value_or(INT64_MAX); }
};

struct SpendSums {
  using By = std::map<std::string, Spent, std::less<>>;
  std::string since;  // the time of the first line that was looked at; empty: there was none
  Spent all;
  By agents, teams, upstreams;
  uint64_t unread = 0;  // lines that are none of the record
};

// Which calls; an empty list stands for all.
struct SpendFilter {
  std::string since;  // as lines have times; empty: all that is kept
  std::vector<std::string> agents, teams, upstreams;
};

// Adds up the files of a record, in order. A call counts when it ended; one without an end counts
// what was reserved for it, as under way, or, once the sidecar has started again, as its cost. An
// error: a file that cannot be read.
Result<SpendSums> sum_record(const std::vector<std::string>& files, const SpendFilter& filter);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_SPEND_RECORD_H_
