// What recorded calls drew on each account of a policy, window by window: for reviews (`reeve
// report`).
//
// A record says what a call cost, not what it drew on; that is found by the policy as it is now. A
// budget with a condition covers every call for which the condition cannot be told without the
// call's arguments, so what is said of it is the most that it can have been.
#ifndef REEVE_POLICY_DRAWN_H_
#define REEVE_POLICY_DRAWN_H_

#include <cstdint>
#include <span>
#include <vector>

#include "policy/calendar.h"
#include "policy/policy_set.h"

namespace reeve::policy {

// What a call that went out took, in millionths.
struct Taken {
  Micros money = 0;
  Micros tokens = 0;
};

struct Drawn {
  const AccountSpec* spec = nullptr;
  bool at_most = false;  // see above
  // The last window of the period in which something was drawn (the last of the period until
  // then), and the one of which most was used.
  Window window, fullest;
  Micros used = 0, most = 0;
  uint32_t full_windows = 0;  // in which all of the limit was used
  uint64_t calls = 0;         // in windows of the period
};

class DrawnAccounts {
 public:
  // `policy` must outlive this. Windows that end before `period` begins are not told.
  DrawnAccounts(const PolicySet& policy, Window period);

  // From when on calls must be added for the figures to be whole.
  Time since() const;
  // To be added in the order of time; what comes late counts for the window that is open.
  void add(std::string_view agent, const Call& call, const Taken& taken);

  // As PolicySet::accounts().
  std::span<const Drawn> accounts() const { return drawn_; }
  // Whether an account covers calls of this agent.
  bool covers(uint32_t account, AgentId agent) const;

 private:
  const PolicySet& policy_;
  const Window period_;
  std::vector<Calendar> calendars_;
  std::vector<Drawn> drawn_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_DRAWN_H_
