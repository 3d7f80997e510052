// The workload of bench/policy: a generated policy and generated calls, from one seed.
//
// N rules over N/10 roles, 100 agents with 3 roles each; MCP tools (`billing0.refund_order`) and
// HTTP paths (`/crm0/customers/123/notes`); exact, prefix, glob and 5 % regex mixed; one rule in
// five denies. Every rule also has its form as a Cedar condition and as an anchored expression, so
// that others decide the same. What makes that exact: every path has four segments, the third of
// digits.
#ifndef REEVE_BENCH_POLICY_WORKLOAD_H_
#define REEVE_BENCH_POLICY_WORKLOAD_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::bench {

enum class Form : uint8_t { kExact, kPrefix, kGlob, kRegex };
enum class Where : uint8_t { kInService, kAnyService };  // whether the pattern names its service

inline constexpr std::string_view kMethods[] = {"tool", "GET", "POST", "DELETE"};
inline constexpr uint8_t kAnyMethod = 0xFF;

struct Rule {
  uint32_t role = 0;
  bool deny = false;
  bool http = false;
  uint8_t method = 0;  // index into kMethods; kAnyMethod: each of HTTP
  Form form = Form::kExact;
  Where where = Where::kInService;
  std::string service;
  std::string pattern;                // of the target, in the policy's own language, without `re:`
  std::string head;                   // tools: the literal beginning of the pattern
  std::string tail;                   // tools: the literal end of a glob
  std::vector<std::string> segments;  // paths: literal segments, "*" for any
  std::string cedar;
  std::string regex;
  int64_t max_amount = 0;  // with conditions
};

struct Request {
  uint32_t agent = 0;
  uint8_t method = 0;
  std::string target;
  uint32_t arguments = 0;  // index into Workload::arguments
};

struct Arguments {
  std::string text;
  int64_t amount = 0;
  std::string currency;
};

struct Workload {
  uint64_t seed = 0;
  bool conditions = false;
  uint32_t roles = 0;
  std::vector<Rule> rules;                         // in file order
  std::vector<std::vector<uint32_t>> agent_roles;  // by agent
  std::vector<Arguments> arguments;
  std::vector<Request> requests;
};

// xorshift64*, so that a seed means the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint32_t below(uint32_t bound) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>(((state_ * 0x2545F4914F6CDD1Du) >> 32) * bound >> 32);
  }
  bool percent(uint32_t chance) { return below(100) < chance; }

 private:
  uint64_t state_;
};

// Rules, agents and arguments; no requests yet.
Workload make_workload(uint32_t rules, bool conditions, uint64_t seed);
// One call: on a target that a rule of the agent names, or on any.
Request make_request(const Workload& workload, Random& random);

std::string to_yaml(const Workload& workload);
// `decisions`: by request, whether it is allowed.
std::string to_json(const Workload& workload, const std::vector<bool>& decisions);

}  // namespace reeve::bench

#endif  // REEVE_BENCH_POLICY_WORKLOAD_H_
