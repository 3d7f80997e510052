// Measures one size of the workload: reeve's decisions beside the hand-written floor.
//
//   policy_bench --rules N [--conditions] [--seed S] [--rounds R] [--dump FILE]
//   policy_bench --rules N [--conditions] [--seed S] --pass reeve|floor
//
// Prints one JSON object. Every answer of the two (which rule decides) is compared first; one that
// differs is an error. One thread, warm, the two interleaved round by round. p50 is over batches of
// 16 different calls timed as one; p99 is over single calls, each between two reads of the time-
// stamp counter (steady_clock where there is none), less the median of reading it twice for
// nothing. --pass decides every call once more, warm, between begin and end of a function of that
// name, for counting instructions. bench/policy runs all of it.
#include <fmt/format.h>
#include <malloc.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <unordered_map>

#include "bench/policy_floor.h"
#include "bench/policy_workload.h"
#include "policy/compile.h"
#include "policy/json.h"
#include "policy/parse.h"
#include "policy/policy_set.h"
#include "policy/resolve.h"
#include "policy/yaml.h"

namespace {
uint64_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* made = std::malloc(size ? size : 1)) return made;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace reeve::bench {

namespace {

constexpr size_t kRequests = 4096;
constexpr size_t kBatch = 16;
using Clock = std::chrono::steady_clock;

double nanoseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

#if defined(__x86_64__)
uint64_t ticks() {
  _mm_lfence();
  const uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
}
double tick_ns() {
  const auto begin = Clock::now();
  const uint64_t first = ticks();
  while (Clock::now() - begin < std::chrono::milliseconds(50)) {
  }
  return nanoseconds(Clock::now() - begin) / static_cast<double>(ticks() - first);
}
#else
uint64_t ticks() { return static_cast<uint64_t>(Clock::now().time_since_epoch().count()); }
double tick_ns() { return 1e9 * Clock::period::num / Clock::period::den; }
#endif

double quantile(std::vector<double>& samples, double q) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  return samples[static_cast<size_t>(q * static_cast<double>(samples.size() - 1))];
}

volatile uint64_t sink = 0;  // keeps the optimiser from dropping a result

struct Timing {
  std::vector<double> batches, singles;  // ns per decision
  double p50 = 0, p99 = 0;
  uint64_t allocated = 0;

  void finish() {
    p50 = quantile(batches, 0.5);
    p99 = quantile(singles, 0.99);
  }
};

template <class Decide>
void measure(Decide&& decide, double ns_per_tick, double empty, Timing& timing) {
  timing.batches.reserve(timing.batches.size() + kRequests / kBatch);
  timing.singles.reserve(timing.singles.size() + kRequests);
  uint64_t sum = 0;
  for (size_t i = 0; i < kRequests; ++i) sum += decide(i);  // warms
  const uint64_t before = allocations;
  for (size_t i = 0; i < kRequests; i += kBatch) {
    const uint64_t begin = ticks();
    for (size_t j = 0; j < kBatch; ++j) sum += decide(i + j);
    const double spent = static_cast<double>(ticks() - begin) - empty;
    timing.batches.push_back(spent * ns_per_tick / kBatch);
  }
  for (size_t i = 0; i < kRequests; ++i) {
    const uint64_t begin = ticks();
    sum += decide(i);
    const double spent = static_cast<double>(ticks() - begin) - empty;
    timing.singles.push_back(std::max(spent, 0.0) * ns_per_tick);
  }
  timing.allocated += allocations - before;
  sink = sink + sum;
}

double empty_ticks() {
  std::vector<double> samples;
  for (int i = 0; i < 4096; ++i) {
    const uint64_t begin = ticks();
    samples.push_back(static_cast<double>(ticks() - begin));
  }
  return quantile(samples, 0.5);
}

// Half of the calls are denied.
void make_requests(Workload& workload, const Floor& floor) {
  Random random(workload.seed ^ 0x5EED);
  while (workload.requests.size() < kRequests) {
    const bool want_allowed = workload.requests.size() % 2 == 0;
    Request request;
    for (int attempt = 0; attempt < 1000; ++attempt) {
      request = make_request(workload, random);
      const uint32_t rule = floor.decide(request);
      if ((rule != Floor::kNone && !workload.rules[rule].deny) == want_allowed) break;
    }
    workload.requests.push_back(std::move(request));
  }
  // Allowed and denied in no order that a branch predictor could learn.
  for (size_t i = kRequests - 1; i > 0; --i) {
    std::swap(workload.requests[i], workload.requests[random.below(static_cast<uint32_t>(i + 1))]);
  }
}

// The calls as reeve takes them, with what they view.
struct Calls {
  std::vector<std::unique_ptr<json::Parser>> parsers;
  std::vector<json::Value> arguments;
  std::vector<policy::Call> calls;
  std::vector<policy::AgentId> agents;
};

Calls make_calls(const Workload& workload, const policy::PolicySet& set) {
  Calls made;
  for (const Arguments& arguments : workload.arguments) {
    made.parsers.push_back(std::make_unique<json::Parser>());
    const auto value = made.parsers.back()->parse(arguments.text);
    if (!value) {
      fmt::print(stderr, "policy_bench: arguments are no JSON: {}\n", arguments.text);
      std::exit(1);
    }
    made.arguments.push_back(*value);
  }
  for (const Request& request : workload.requests) {
    policy::Call call;
    const bool http = request.method != 0;
    call.upstream = http ? "web" : "mcp";
    call.kind = http ? policy::Kind::kHttp : policy::Kind::kTool;
    call.action = http ? kMethods[request.method] : "tools/call";
    call.target = request.target;
    if (workload.conditions) call.args = &made.arguments[request.arguments];
    call.time = policy::Time{std::chrono::hours{24 * 20'000}};
    made.calls.push_back(call);
    made.agents.push_back(*set.find_agent(fmt::format("a{}", request.agent)));
  }
  return made;
}

// What each stage takes, in ms, and what stays in memory.
struct Load {
  double total = 0, yaml = 0, parse = 0, resolve = 0, compile = 0, warn = 0, mb = 0, text_mb = 0;
  size_t warnings = 0;
};

size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::shared_ptr<const policy::PolicySet> load(const std::string& text, int rounds, Load& out) {
  const std::vector<policy::SourceFile> files = {{"policy.yaml", text}};
  std::vector<double> total, yaml, parse, resolve, compile, warn;
  const auto timed = [](std::vector<double>& into, auto&& action) {
    const auto begin = Clock::now();
    auto result = action();
    into.push_back(nanoseconds(Clock::now() - begin) / 1e6);
    return result;
  };
  for (int round = 0; round < rounds; ++round) {
    Diagnostics diagnostics;
    timed(yaml, [&] { return yaml::parse(text, "policy.yaml", diagnostics); }).reset();
    policy::PolicyDocument document;
    timed(parse, [&] { return policy::parse_file(files[0], document, diagnostics), 0; });
    const auto resolution =
        timed(resolve, [&] { return policy::resolve(document, {}, diagnostics); });
    timed(compile, [&] { return policy::compile(document, resolution, files, diagnostics); });
    timed(warn, [&] { return policy::warn(document, resolution, {}, diagnostics), 0; });
    timed(total, [&] { return policy::PolicySet::load(files, {}, diagnostics); });
  }
  malloc_trim(0);
  const size_t before = heap_bytes();
  std::shared_ptr<const policy::PolicySet> set;
  {
    Diagnostics diagnostics;
    set = policy::PolicySet::load(files, {}, diagnostics);
    out.warnings = diagnostics.all().size() - diagnostics.error_count();
    if (!set) {
      for (const Diagnostic& one : diagnostics.all()) {
        if (one.severity == Severity::kError) fmt::print(stderr, "{}\n", to_string(one));
      }
      std::exit(1);
    }
  }
  out.mb = static_cast<double>(heap_bytes() - before) / 1e6;
  out.text_mb = static_cast<double>(text.size()) / 1e6;
  out.total = quantile(total, 0.5);
  out.yaml = quantile(yaml, 0.5);
  out.parse = std::max(0.0, quantile(parse, 0.5) - out.yaml);
  out.resolve = quantile(resolve, 0.5);
  out.compile = quantile(compile, 0.5);
  out.warn = quantile(warn, 0.5);
  return set;
}

// A decision of reeve as the index of the rule that decides.
uint32_t rule_index(const policy::Decision& decision) {
  if (!decision.rule) return Floor::kNone;
  uint32_t index = 0;
  const std::string& id = decision.rule->id;  // x17
  std::from_chars(id.data() + 1, id.data() + id.size(), index);
  return index;
}

std::vector<bool> compare(const Workload& workload, const Floor& floor,
                          const policy::PolicySet& set, const Calls& calls) {
  std::vector<bool> allowed;
  size_t different = 0;
  for (size_t i = 0; i < kRequests; ++i) {
    const uint32_t expected = floor.decide(workload.requests[i]);
    const policy::Decision decision = set.decide(calls.agents[i], calls.calls[i]);
    allowed.push_back(decision.allowed());
    const bool allow = expected != Floor::kNone && !workload.rules[expected].deny;
    if (rule_index(decision) == expected && decision.allowed() == allow) continue;
    if (++different > 5) continue;
    fmt::print(stderr, "policy_bench: a{} {} {}: the floor says rule {}, reeve {} ({})\n",
               workload.requests[i].agent, kMethods[workload.requests[i].method],
               workload.requests[i].target, static_cast<int32_t>(expected),
               static_cast<int32_t>(rule_index(decision)), policy::to_string(decision.verdict));
  }
  if (different > 0) {
    fmt::print(stderr, "policy_bench: {} of {} answers differ\n", different, kRequests);
    std::exit(1);
  }
  return allowed;
}

struct Options {
  uint32_t rules = 1000;
  bool conditions = false;
  uint64_t seed = 1;
  int rounds = 15;
  std::string dump, pass;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--conditions") {
      options.conditions = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (option == "--rules") {
      options.rules = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
    } else if (option == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (option == "--rounds") {
      options.rounds = static_cast<int>(std::strtol(value, nullptr, 10));
    } else if (option == "--dump") {
      options.dump = value;
    } else if (option == "--pass") {
      options.pass = value;
    } else {
      fmt::print(stderr, "policy_bench: unknown option `{}`; see bench/policy\n", option);
      std::exit(2);
    }
  }
  if (options.rules < 10 || options.rules > 100'000 || options.rounds < 1) {
    fmt::print(stderr, "policy_bench: --rules is 10 to 100000, --rounds at least 1\n");
    std::exit(2);
  }
  return options;
}

// Median and p99 of validating 500 bytes, and the bytes that it were.
void measure_json(double ns_per_tick, double empty, int rounds, Timing& timing, size_t& bytes) {
  std::string text = R"({"customer":{"id":"c-1","tags":["gold","eu"]},"amount":250,"list":[1,2]})";
  text.insert(text.size() - 1, R"(,"note":")" + std::string(490 - text.size(), 'x') + '"');
  bytes = text.size();
  json::Parser parser;
  for (int round = 0; round < rounds; ++round) {
    measure([&](size_t) { return parser.parse(text) ? 1u : 0u; }, ns_per_tick, empty, timing);
  }
  timing.finish();
}

}  // namespace

// For callgrind: it counts between the begin and the end of these.
extern "C" {
[[gnu::noinline]] uint64_t reeve_pass(const policy::PolicySet& set, const policy::AgentId* agents,
                                      const policy::Call* calls, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += set.decide(agents[i], calls[i]).allowed();
  return sum;
}
[[gnu::noinline]] uint64_t floor_pass(const Floor& floor, const Request* requests, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += floor.decide(requests[i]);
  return sum;
}
}

namespace {

// Warm: what RE2 builds on first use is there before, for the floor as for reeve.
int count_pass(const std::string& pass, const Workload& workload, const Floor& floor,
               const policy::PolicySet& set, const Calls& calls) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kRequests; ++i) {
    sum +=
        floor.decide(workload.requests[i]) + set.decide(calls.agents[i], calls.calls[i]).allowed();
  }
  if (pass == "floor") sum += floor_pass(floor, workload.requests.data(), kRequests);
  if (pass == "reeve") sum += reeve_pass(set, calls.agents.data(), calls.calls.data(), kRequests);
  sink = sum;
  return fmt::print("{{\"decisions\":{}}}\n", kRequests), 0;
}

int run(const Options& options) {
  Workload workload = make_workload(options.rules, options.conditions, options.seed);
  const Floor floor(workload);
  make_requests(workload, floor);
  Load loaded;
  const auto set =
      load(to_yaml(workload), options.pass.empty() ? std::min(options.rounds, 5) : 0, loaded);
  const Calls calls = make_calls(workload, *set);
  if (!options.pass.empty()) return count_pass(options.pass, workload, floor, *set, calls);

  const std::vector<bool> allowed = compare(workload, floor, *set, calls);
  if (!options.dump.empty()) std::ofstream(options.dump) << to_json(workload, allowed);
  const double ns_per_tick = tick_ns(), empty = empty_ticks();
  Timing of_floor, of_reeve, of_json;
  for (int round = 0; round < options.rounds; ++round) {
    measure([&](size_t i) { return floor.decide(workload.requests[i]); }, ns_per_tick, empty,
            of_floor);
    measure([&](size_t i) { return set->decide(calls.agents[i], calls.calls[i]).allowed(); },
            ns_per_tick, empty, of_reeve);
  }
  of_floor.finish();
  of_reeve.finish();
  size_t json_bytes = 0;
  measure_json(ns_per_tick, empty, std::min(options.rounds, 5), of_json, json_bytes);
  fmt::print(
      "{{\"rules\":{},\"conditions\":{},\"seed\":{},\"requests\":{},\"allowed\":{},"
      "\"floor\":{{\"p50\":{:.1f},\"p99\":{:.1f}}},"
      "\"reeve\":{{\"p50\":{:.1f},\"p99\":{:.1f},\"allocations\":{}}},"
      "\"json\":{{\"bytes\":{},\"p50\":{:.1f},\"p99\":{:.1f}}},"
      "\"load_ms\":{{\"total\":{:.2f},\"yaml\":{:.2f},\"parse\":{:.2f},\"resolve\":{:.2f},"
      "\"compile\":{:.2f},\"warn\":{:.2f}}},\"heap_mb\":{:.2f},\"text_mb\":{:.2f}}}\n",
      options.rules, options.conditions, options.seed, kRequests,
      std::count(allowed.begin(), allowed.end(), true), of_floor.p50, of_floor.p99, of_reeve.p50,
      of_reeve.p99, of_reeve.allocated, json_bytes, of_json.p50, of_json.p99, loaded.total,
      loaded.yaml, loaded.parse, loaded.resolve, loaded.compile, loaded.warn, loaded.mb,
      loaded.text_mb);
  return 0;
}

}  // namespace
}  // namespace reeve::bench

int main(int argc, char** argv) {
  return reeve::bench::run(reeve::bench::read_options(argc, argv));
}
