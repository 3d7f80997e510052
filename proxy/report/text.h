// The report for a terminal, and for programs.
#ifndef REEVE_PROXY_REPORT_TEXT_H_
#define REEVE_PROXY_REPORT_TEXT_H_

#include <string>
#include <vector>

#include "proxy/report/findings.h"

namespace reeve::report {

// Lines; control and other hidden characters from the record as \u escapes.
std::string text_of(const Collector& collected, const std::vector<Finding>& findings, bool color);
// One object, with all that was counted. Its members are in README.md.
std::string json_of(const Collector& collected, const std::vector<Finding>& findings);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_TEXT_H_
