// What a report counts, in memory that grows with agents and their tools, never with calls.
//
// Texts are as the record has them: an agent chose some of them, so whatever shows one escapes it.
#ifndef REEVE_PROXY_REPORT_TALLY_H_
#define REEVE_PROXY_REPORT_TALLY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/money.h"
#include "proxy/report/latency.h"
#include "proxy/report/period.h"

namespace reeve::report {

// What refused a call.
enum class Denied : uint8_t {
  kRule,
  kDefault,
  kBudget,
  kLimit,
  kPeople,
  kGuard,
  kState,  // the agent's own: suspended, expired, …
  kDrift,
  kMalformed,
  kOther,
};
inline constexpr size_t kDeniedKinds = 10;
std::string_view to_string(Denied denied);  // as a person says it: "by a rule"
Denied denied_by(std::string_view decision, std::string_view reason);

// Of calls. A call counts for the time of its decision, what became of it for that of its outcome.
struct Counts {
  uint64_t calls = 0;
  uint64_t denied = 0;
  uint64_t waiting = 0;     // told to come back once people have answered
  uint64_t overlooked = 0;  // let through in report mode, though the policy says no
  uint64_t succeeded = 0, failed = 0;
  uint64_t withheld = 0;  // answers that a guard kept back
  uint64_t guarded = 0;   // in which a guard found something
  policy::Micros spent = 0;
  uint64_t tokens = 0;
  std::array<uint64_t, kDeniedKinds> why{};

  uint64_t answered() const { return succeeded + failed + withheld; }
  void add(const Counts& other);
};
// Parts of a whole, 0 of nothing.
inline double part(uint64_t some, uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(some) / static_cast<double>(all);
}
inline double denial_rate(const Counts& counts) { return part(counts.denied, counts.calls); }
inline double error_rate(const Counts& counts) {
  return part(counts.failed + counts.withheld, counts.answered());
}

struct Approvals {
  uint64_t asked = 0, approved = 0, denied = 0, expired = 0;
  Latency wait;  // from the question to its answer

  uint64_t answered() const { return approved + denied + expired; }
  void add(const Approvals& other);
};

// One kind of call: a tool, a method and the kind of its path, a model, a host.
struct Tool {
  uint64_t calls = 0, denied = 0, failed = 0, before = 0;
  policy::Micros spent = 0;
};
// By upstream and name, with a space between; `(others)` beyond kMostTools.
using Tools = std::map<std::string, Tool, std::less<>>;

struct Agent {
  std::string name, owner, team;
  Counts now, before;
  Latency latency, latency_before;
  Approvals approvals;
  Tools tools;
  std::vector<uint32_t> parts;  // calls, by part of the period
  policy::Time last{};          // its last call
};

struct Team {
  std::string name;
  uint32_t agents = 0;
  Counts now, before;
  Latency latency;
  Approvals approvals;
};

struct Part {
  Counts counts;
  Latency latency;
};
struct System {  // an upstream
  Counts now;
  Latency latency;
};
struct Refusal {  // a rule, or another reason
  std::string rule, at, because;
  Denied why = Denied::kOther;
  uint64_t calls = 0;
  std::map<uint32_t, uint64_t> agents;  // by place in Tally::agents
};
struct Person {  // who answers questions
  uint64_t yes = 0, no = 0;
  Latency wait;
};
struct WarnedBudget {  // by the record's own lines
  std::string unit;
  uint64_t warned = 0, spent = 0;
  std::string limit, used;  // of the last line; digits
};
struct PolicyVersion {
  std::string sha256;
  policy::Time first{}, last{};
  uint64_t calls = 0;
};

// What the lines were that all this is of.
struct Source {
  uint64_t lines = 0;  // looked at, those of the period before included
  uint64_t first_seq = 0, last_seq = 0;
  std::string first_time, last_time, last_hash;
};

struct Tally {
  Range range;
  Parts parts;
  std::vector<Agent> agents;  // by name, once the record was read
  std::vector<Team> teams;    // by name
  Counts now, before;
  Latency latency, latency_before;
  Approvals approvals;
  std::vector<Part> by_part;
  Tools tools;
  std::map<std::string, System, std::less<>> systems;
  std::vector<Refusal> refusals;  // the most calls first
  std::map<std::string, Person, std::less<>> people;
  std::map<std::pair<std::string, std::string>, WarnedBudget> warned;  // budget and scope
  std::map<std::string, uint64_t, std::less<>> errors;  // what went wrong, of failed calls
  std::map<std::string, uint64_t, std::less<>> found;   // by guards: "pii: email"
  std::map<std::string, uint64_t, std::less<>> kinds;   // lines that are not of calls
  std::vector<PolicyVersion> policies;
  uint64_t protocol = 0;    // initialize, lists and the like: not among the calls
  uint64_t unproven = 0;    // calls of no proven agent
  uint64_t drifted = 0;     // changes of what servers offer, as `drift` lines tell them
  uint64_t unrecorded = 0;  // calls that were refused because the record failed
  uint64_t lost = 0;        // starts that found sealed lines missing
  Source source;
};

inline constexpr size_t kMostTools = 300;      // of one agent
inline constexpr size_t kMostAgents = 50'000;  // further ones are left out
inline constexpr size_t kMostNames = 5'000;    // of rules, people, errors, …
inline constexpr std::string_view kOthers = "(others)";

// The order in which agents are shown: the most calls first.
bool comes_first(const Agent* a, const Agent* b);
// The same of tools, by name.
std::vector<std::pair<std::string_view, const Tool*>> by_calls(const Tools& tools);

// How much of the calls goes elsewhere than before: half the sum of the differences of all tools'
// parts (total variation), 0 to 1; and what chance alone would make it about, with so few calls.
struct Shift {
  double size = 0, chance = 0;
  bool comparable = false;  // enough calls in both periods

  bool is_news() const { return comparable && size >= 0.2 && size > 2 * chance; }
};
Shift shift_of(const Tools& tools);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_TALLY_H_
