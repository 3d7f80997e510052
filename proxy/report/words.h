// The parts of a report that are the same as text and as a page: its title, its summary, and what
// its terms mean. Plain text, in which names from the record are as the record has them.
#ifndef REEVE_PROXY_REPORT_WORDS_H_
#define REEVE_PROXY_REPORT_WORDS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/report/collect.h"

namespace reeve::report {

std::string title_of(const Collector& collected);
// Which period of which zone, what it is compared with, of whom.
std::string scope_of(const Collector& collected);
std::vector<std::string> sentences_of(const Collector& collected);

struct Figure {
  std::string name, value, note;
};
std::vector<Figure> figures_of(const Collector& collected);

// The policy's; empty without one.
std::string currency_of(const Collector& collected);

inline constexpr std::pair<std::string_view, std::string_view> kTerms[] = {
    {"Call",
     "What an agent tried: one decision of the sidecar. What a protocol needs for itself "
     "(initialize, lists of tools) is not among them. A call counts for the moment of its "
     "decision, its result and cost for the moment in which they were known."},
    {"Succeeded, failed",
     "Of the calls that were let through: an answer below status 400, or not: "
     "an error, a timeout, a status from 400 on, or an answer that a guard "
     "kept back. The error rate is of answered calls. An answer that reports "
     "a failure inside (a tool's isError) counts as an answer."},
    {"Denied",
     "Refused, of all calls. A call that waits for people is not denied, one that people "
     "refuse, or do not answer in time, is."},
    {"p50, p95",
     "Half of the calls, and 95 of 100, took no longer, from the first byte of the "
     "call to the last of its answer. Within 1.6 % of the true figure. Left out: calls "
     "that people were asked about, and tunnels."},
    {"Spend",
     "What the record says that calls cost. What a budget's calls drew on it is found by "
     "the policy given, as it is now: where a budget has a condition, the figure is the "
     "most that it can have been."},
    {"Shift",
     "How much of the calls goes to other tools than in the period before: 0 % is the "
     "same mix, 100 % nothing in common. Numbers in paths are left out. Worth a look from "
     "20 % on, where it is more than twice what chance makes of so few calls."},
    {"Grants",
     "Rules that allow, or ask people. One counts as used when a call was let through "
     "by it."},
};

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_WORDS_H_
