// The report as one page of HTML that asks nobody for anything: no script, no address, its style
// and charts in itself, and a content policy that says so to the browser.
#ifndef REEVE_PROXY_REPORT_PAGE_H_
#define REEVE_PROXY_REPORT_PAGE_H_

#include <string>
#include <vector>

#include "proxy/report/findings.h"

namespace reeve::report {

// Of the most agents, their tools too; of more only the tables.
inline constexpr size_t kMostDetailed = 12;
// Rows of the tables that can be long; JSON has all.
inline constexpr size_t kMostRows = 500;

std::string page_of(const Collector& collected, const std::vector<Finding>& findings);

// The tables, of page_tables.cc.
void append_budgets(std::string& out, const Collector& collected);
void append_people(std::string& out, const Collector& collected);
void append_agents(std::string& out, const Collector& collected);
void append_teams(std::string& out, const Collector& collected);
void append_tools(std::string& out, const Collector& collected);
void append_refusals(std::string& out, const Collector& collected);
void append_grants(std::string& out, const Collector& collected);
void append_record(std::string& out, const Collector& collected);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_PAGE_H_
