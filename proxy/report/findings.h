// What in a report needs somebody's attention, each with its reason and, where there is one, the
// command that shows more.
#ifndef REEVE_PROXY_REPORT_FINDINGS_H_
#define REEVE_PROXY_REPORT_FINDINGS_H_

#include <string>
#include <string_view>
#include <vector>

#include "proxy/report/collect.h"

namespace reeve::report {

struct Finding {
  bool urgent = false;
  std::string_view topic;  // "denials", "budget", …: a word for programs
  std::string subject;     // an agent, a budget, a person, …; empty: all
  std::string headline;    // one line, which names the subject
  std::string detail;      // what it means, what to do
  std::string command;     // empty: none
  double size = 0;         // larger ones of a topic come first
};

// Urgent ones first. Of one topic at most kMostOfTopic; a last one says how many more there are.
inline constexpr size_t kMostOfTopic = 5;
std::vector<Finding> findings_of(const Collector& collected);

// A budget as the report shows it.
struct BudgetState {
  const policy::Drawn* drawn = nullptr;
  std::string_view unit;      // a currency, calls, tokens
  double used = 0, most = 0;  // parts of the limit, in the last and in the fullest window
  // Of a last window that is not over: what part of the limit it comes to at this pace.
  double expected = 0;
  bool open = false;  // the last window is not over
};
// Those that cover somebody the report is of, the fullest first; nothing without a policy.
std::vector<BudgetState> budgets_of(const Collector& collected);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_FINDINGS_H_
