// How a policy would decide a call of which only a record is left: who, what and when, but neither
// arguments nor headers. What rules with conditions come to is then inferred, as far as it can be,
// from what was decided at the time.
#ifndef REEVE_POLICY_REPLAY_H_
#define REEVE_POLICY_REPLAY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/policy_set.h"

namespace reeve::policy {

// A decision that rules made, or that none did.
struct RecordedCall {
  std::string_view agent;
  Call call;                          // without arguments, query and headers
  Verdict verdict = Verdict::kAllow;  // kAllow, kAsk or kDeny
  std::string_view rule;              // its id; empty: denied by default
};

// What the call may come to; more than one where that depends on what is not recorded.
struct Possible {
  bool allow = false;
  bool ask = false;
  bool deny = false;
  const RuleInfo* rule = nullptr;  // the first that may decide; null: by default
  std::string_view state;  // `unknown-agent`, `suspended`, …: the agent has no access at all

  bool certainly(Verdict verdict) const {
    return (verdict == Verdict::kAllow && allow && !ask && !deny) ||
           (verdict == Verdict::kAsk && ask && !allow && !deny) ||
           (verdict == Verdict::kDeny && deny && !allow && !ask);
  }
  bool maybe(Verdict verdict) const {
    return verdict == Verdict::kAllow ? allow : verdict == Verdict::kAsk ? ask : deny;
  }
};

// The `when` of a policy's rules: see conditions_of() in changes.h.
using Conditions = std::unordered_map<std::string, std::string>;

class Replay {
 public:
  // `before` is what decided at the time, where it is at hand, else null; all must outlive this.
  Replay(const PolicySet* before, const Conditions* conditions_before, const PolicySet& after,
         const Conditions& conditions_after);

  Possible decide(const RecordedCall& recorded) const;

 private:
  // Of a condition: the truths that it may have had for a call, as bits.
  using Known = std::unordered_map<std::string_view, uint8_t>;

  Known infer(const RecordedCall& recorded) const;

  const PolicySet* before_;
  const Conditions* conditions_before_;
  const PolicySet& after_;
  const Conditions& conditions_after_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_REPLAY_H_
