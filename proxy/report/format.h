// Figures as people read them.
#ifndef REEVE_PROXY_REPORT_FORMAT_H_
#define REEVE_PROXY_REPORT_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/money.h"

namespace reeve::report {

std::string count(uint64_t number);  // 12,345
std::string percent(double part);    // 0.123 is "12.3 %"; what is not quite none or all says so
std::string span(uint64_t micros);   // "340 µs", "12.3 ms", "1.2 s", "4 min", "2.5 h", "3 d"
// "USD 1,234.50": two decimals, more only of less than a hundredth. Without currency the number.
std::string money(policy::Micros amount, std::string_view currency);
// Of a budget's unit: money, or "1,200 calls".
std::string amount(policy::Micros amount, std::string_view unit);
// How much more or less than before: "+12 %", "-3 %"; "new" where there was nothing; empty where
// there is nothing to compare.
std::string change(double now, double before);
// "1 agent", "2 agents".
std::string several(uint64_t number, std::string_view one);

// `text` for a page: what does not show as \u escapes, what HTML reads as itself as entities, cut
// at `most` bytes. The one way by which text gets into a page.
std::string html(std::string_view text, size_t most = 300);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_FORMAT_H_
