// Reads a record, line by line, into a Tally; with a policy, also into what its grants and budgets
// were used for.
//
// A call is two lines that each say who did what, so nothing is kept between them: the decision
// counts the call, the outcome what became of it, each at its own time.
#ifndef REEVE_PROXY_REPORT_COLLECT_H_
#define REEVE_PROXY_REPORT_COLLECT_H_

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "policy/drawn.h"
#include "policy/json.h"
#include "policy/usage.h"
#include "proxy/audit/decided.h"
#include "proxy/audit/line.h"
#include "proxy/report/tally.h"

namespace reeve::report {

// Of whom; empty: of all.
struct Filter {
  std::vector<std::string> agents, teams;

  bool empty() const { return agents.empty() && teams.empty(); }
  bool wants(std::string_view agent, std::string_view team) const;
};

class Collector {
 public:
  // `policy` may be null, and must outlive this. With one, its agents are there without a call too.
  Collector(Range range, Filter filter, const policy::PolicySet* policy);

  // From when on the record must be read; to the end of the period.
  policy::Time since() const;
  void take(const audit::Line& line, const json::Value& members);
  // Sorts, and adds up teams. The last call.
  void finish();

  const Tally& tally() const { return tally_; }
  const Filter& filter() const { return filter_; }
  const policy::PolicySet* policy() const { return policy_; }
  // Of the policy; nothing without one.
  const std::optional<policy::Usage>& usage() const { return usage_; }
  const std::optional<policy::DrawnAccounts>& drawn() const { return drawn_; }

 private:
  enum class When { kEarlier, kBefore, kNow };
  struct Scratch {
    std::string agent, owner, team, call, upstream, protocol, action, target, decision, reason;
    std::string rule, other, error;
  };

  std::string_view text(const json::Value& members, std::string_view name, std::string& scratch);
  Agent* agent_of(const json::Value& members);
  Agent* find_agent(std::string_view name, std::string_view owner, std::string_view team);
  Tool& tool_of(Tools& tools, const policy::Call& call);
  policy::Call call_of(const json::Value& members, policy::Time time);
  Part& part_at(policy::Time time);
  void take_decision(const audit::Line& line, const json::Value& members, When when,
                     policy::Time time);
  void take_outcome(const json::Value& members, When when, policy::Time time);
  void take_approval(const json::Value& members, When when, policy::Time time);
  void take_other(const audit::Line& line, const json::Value& members);
  void count_refusal(const json::Value& members, const Agent& agent, Denied why);
  void count_policy(std::string_view sha256, policy::Time time);
  void count_found(const json::Value& members, Counts& counts);
  void see_grant(const policy::RecordedCall& recorded);

  Tally tally_;
  const Filter filter_;
  const policy::PolicySet* policy_;
  std::optional<policy::Usage> usage_;
  std::optional<policy::DrawnAccounts> drawn_;

  std::unordered_map<std::string, uint32_t> agent_places_;
  std::unordered_map<std::string, size_t> refusal_places_;
  std::unordered_set<std::string> seen_;  // grants: kinds of calls that were counted
  struct Question {
    policy::Time asked;
    When when;
  };
  std::unordered_map<std::string, Question> questions_;  // open approvals
  audit::DecidedReader reader_;
  Scratch scratch_;
  std::string key_;
  size_t part_ = 0;
};

// Reads the files of a record, oldest first, by their indexes. False, with the file in `failed`,
// when one cannot be read.
bool read_record(const std::vector<std::string>& files, Collector& into, std::string& failed);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_COLLECT_H_
