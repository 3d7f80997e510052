// The sections of a policy file, one function for an entry of each. Internal to parsing.
//
// Each appends to reader.document what it could read and reports the rest. Names are not looked up.
#ifndef REEVE_POLICY_PARSE_SECTIONS_H_
#define REEVE_POLICY_PARSE_SECTIONS_H_

#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/parse_fields.h"

namespace reeve::policy {

void read_agent(FileReader& reader, const yaml::Node::Member& member);      // parse_agent.cc
void read_role(FileReader& reader, const yaml::Node::Member& member);       // parse_role.cc
void read_budget(FileReader& reader, const yaml::Node::Member& member);     // parse_spend.cc
void read_price(FileReader& reader, const yaml::Node& node);                // parse_spend.cc
void read_approvers(FileReader& reader, const yaml::Node::Member& member);  // parse_duties.cc
void read_guard(FileReader& reader, const yaml::Node::Member& member);      // parse_duties.cc
void read_server(FileReader& reader, const yaml::Node::Member& member);     // parse_duties.cc

// The key of an entry as its name: shown in messages, records and labels.
Text read_name(FileReader& reader, const yaml::Node::Member& member, std::string_view what);
// `limits` of a role or of probation.
std::vector<RateLimitSource> read_rate_limits(FileReader& reader, const yaml::Node& node);
// `approvers` and `within` of what asks; `what` names it in messages.
AskSource read_ask(FileReader& reader, const Fields& fields, std::string_view what);
// Reports `approvers` and `within` of what does not ask.
void refuse_ask(FileReader& reader, const Fields& fields, std::string_view remedy);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PARSE_SECTIONS_H_
