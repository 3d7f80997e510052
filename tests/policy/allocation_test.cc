// What a decision costs the system: nothing. Counts allocations, locks and system calls of
// decide(), decide_dispatched(), reported(), may_use(), could_allow() and spend(), warm, on a
// policy with every kind of pattern, rule and price.
//
// malloc and the locks of pthread are replaced by ones that count on this thread and go on to the
// C library's; so what the shared libraries below do is counted too. System calls are shown by a
// child in seccomp's strict mode, which dies of the first one that is not read, write or exit.
// Sanitizers replace malloc themselves and make system calls of their own: skipped there.
//
// Excepted is RE2, for expressions that are not plain (state_table.h). It builds their states as
// texts need them: an expression that meets such a text allocates then, and matching a text of more
// than 16 bytes takes two locks of its own. Warm it allocates nothing. Excepted are also conditions
// that have to unescape a string, or to lower a host, of more than 15 bytes: they copy it.
#include <catch2/catch.hpp>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REEVE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define REEVE_SANITIZED 1
#endif
#endif

#if !defined(__GLIBC__) || defined(REEVE_SANITIZED)

TEST_CASE("a decision neither allocates nor locks nor asks the system") {
  WARN("skipped: a sanitizer, or another C library, has its own malloc");
}

#else

#include <dlfcn.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "policy/written_call.h"
#include "tests/support/policy_loader.h"

namespace {

struct Counts {
  size_t allocations = 0;
  size_t locks = 0;
};
thread_local Counts counts;

template <class Function>
Function* next_of(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
  ++counts.allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++counts.allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  ++counts.allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++counts.allocations;
  return __libc_memalign(alignment, size);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* const next = next_of<int(pthread_mutex_t*)>("pthread_mutex_lock");
  ++counts.locks;
  return next(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  static auto* const next = next_of<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  ++counts.locks;
  return next(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  static auto* const next = next_of<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  ++counts.locks;
  return next(lock);
}
}

namespace reeve::policy {
namespace {

// `plain` and `re` name the rules with expressions: tables of states, and RE2's.
constexpr const char* kPolicy = R"(
version: 1
currency: USD
agents:
  jordan: {owner: o, purpose: p, team: t, roles: [service, asking], expires: 2027-03-31}
approvers: {leads: {members: lee}}
unknown_model: highest
roles:
  asking:
    allow:
      - {upstream: shop, tools: "*"}
      - {connect: ["*.example:443", "db.internal:5432"]}
      - {upstream: llm, models: ["gpt-*", other], when: {model: {not: {prefix: gpt-3}}}}
      - {upstream: shop, prompts: "*", mode: report}
    ask:
      - {upstream: shop, tools: [buy, sell], when: {args.amount: {above: 100}}, approvers: leads}
      - {upstream: shop, tools: [buy, sell], when: {args.to: {not: DE}}, approvers: leads}
      - {connect: "db.*:*", approvers: leads}
    deny:
      - {upstream: shop, tools: "s*", when: {args.note: {prefix: x}}, mode: report}
      - {connect: "*.bad.example:*"}
  basic:
    allow:
      - {upstream: kb, tools: [search, fetch]}
      - {upstream: "glob-*", tools: "*.get"}
  service:
    inherits: [basic]
    allow:
      - {upstream: crm, tools: [exact, "tickets.*", "*.list", "a*b*c"], except: "tickets.internal.*"}
      - {upstream: files, resources: "file:///data/*"}
      - {upstream: web, http: ["GET,HEAD /invoices/**", "* /customers/*/balance", "POST /**/x/**"]}
      - {upstream: crm, tools: pay, when: {args.amount: {max: 100.50}, args.currency: [USD, EUR],
         args.lines.*.sku: {glob: "a*"}, args.to: {under: /data}, args.tags: {any: {is: x}},
         args.note: {length: {max: 20}, not: {prefix: "!"}}, args.gone: {present: false},
         args.url: {host: "*.acme.example"}}}
      - {upstream: web, http: "GET /query", when: {query.limit: {max: 10}, header.x-team: red}}
      - {upstream: clock, when: {time: {days: [mon-sun], hours: "00:00-24:00", zone: Europe/Berlin}}}
      - {upstream: plain, tools: "re:t[0-9]+(x|yz)*\\.[a-f]+"}
      - {upstream: plain, tools: long, when: {args.id: {matches: "E[0-9]{6}(-[a-z]+)*"}}}
      - {upstream: re, tools: "re:(?i)t[0-9]+(x|yz)*\\.[a-f]+"}
      - {upstream: re, tools: long, when: {args.id: {matches: "^E[0-9]{6}(-[a-z]+)*$"}}}
    deny:
      - {upstream: "*", tools: "*.refund"}
      - {upstream: crm, tools: pay, when: {args.amount: {above: 5000}}}
prices:
  - {upstream: shop, tools: buy, cost: {from: args.amount, max: 500 USD}}
  - {upstream: shop, tools: "s*", when: {args.kind: rare}, cost: 2 USD}
  - {upstream: shop, tools: "s*", when: {args.kind: old}, since: 2026-01-01, cost: 3 USD}
  - {upstream: shop, tools: "*", cost: 1 USD}
  - {upstream: llm, models: "gpt-*", input: 2.5 USD per 1M tokens, output: 10 USD per 1M tokens,
     context: 128000, max_output: 16384}
  - {upstream: crm, tools: "*", cost: 0.5 USD}
  - {upstream: "glob-*", cost: 1 USD}
budgets:
  all: {for: everyone, limit: 100 USD per month}
  large: {for: everyone, upstream: shop, when: {args.amount: {above: 100}}, limit: 9 USD per day}
  each: {for: {each: agent}, upstream: crm, tools: "tickets.*", limit: 10 calls per day}
)";

constexpr const char* kPayment = R"({"amount": 1.0050e2, "currency": "EUR",
  "lines": [{"sku": "ab"}, {"sku": "a\u0062"}], "to": "/data/x", "tags": ["y", "x"],
  "note": "for \u00e4", "url": "https://www.shop.acme.example/x"})";

class Workload {
 public:
  // `expressions`: the upstream of rules that have such, or null for all others.
  explicit Workload(const char* expressions) : policy_(testing::load(kPolicy)) {
    if (const char* const upstream = expressions) {
      add(upstream, Kind::kTool, "t12xyzx.abc");
      add(upstream, Kind::kTool, "t12xyzx.xyz");
      add(upstream, Kind::kTool, "t1234567890xyzxyzyzxyz.abcdefabcdef");
      add(upstream, Kind::kTool, "t1234567890xyzxyzyzxyz.abcdefabcdefxyz");
      add(upstream, Kind::kTool, "long", R"({"id": "E123456-abc"})");
      add(upstream, Kind::kTool, "long", R"({"id": "E123456-abc-and-some-more-words"})");
      add(upstream, Kind::kTool, "long", R"({"id": "E12345"})");
      return;
    }
    for (const char* tool : {"search", "fetch", "other"}) add("kb", Kind::kTool, tool);
    for (const char* tool : {"exact", "tickets.get", "tickets.internal.get", "x.list", "aXbXc",
                             "tickets.refund", "unknown.name.of.some.length"}) {
      add("crm", Kind::kTool, tool);
    }
    add("crm", Kind::kTool, "pay", kPayment);
    add("crm", Kind::kTool, "pay", R"({"amount": 6000, "AMOUNTS": 1})");
    add("crm", Kind::kTool, "pay", R"({"Amount": 1})");
    add("crm", Kind::kTool, "pay");
    add("glob-1", Kind::kTool, "x.get");
    add("glob-1", Kind::kTool, "x.refund");
    add("clock", Kind::kTool, "x");
    add("files", Kind::kResource, "file:///data/a/b");
    add("files", Kind::kResource, "file:///data/../b");
    add("web", Kind::kHttp, "GET /invoices/2026/11");
    add("web", Kind::kHttp, "PUT /customers/7/balance");
    add("web", Kind::kHttp, "POST /a/b/x/c/d");
    add("web", Kind::kHttp, "POST /a/b/c/d");
    add("web", Kind::kHttp, "GET /query?limit=7&other=%20x");
    for (const char* tool : {"buy", "sell"}) {
      add("shop", Kind::kTool, tool, R"({"amount": 1.005e2, "to": "DE", "kind": "rare"})");
      add("shop", Kind::kTool, tool, R"({"amount": 7, "to": "DE", "note": "y", "kind": "new"})");
      add("shop", Kind::kTool, tool, R"({"amount": 7.0000001, "to": null, "note": "xy"})");
      add("shop", Kind::kTool, tool, R"({"amount": -1, "to": "FR"})");
      add("shop", Kind::kTool, tool);
    }
    add("shop", Kind::kPrompt, "p");
    for (const char* target : {"a.example:443", "db.internal:5432", "x.bad.example:443",
                               "unknown.test:443", "a.example.:443"}) {
      add("", Kind::kConnect, target);
    }
    for (const char* model : {"gpt-4o-mini", "gpt-3.5", "other", "unheard"}) {
      add("llm", Kind::kModel, model);
    }
  }

  void run() const {
    for (const auto& written : calls_) {
      const Call& call = written->call();
      const Decision decision = policy_->decide(0, call);
      allowed_ += decision.allowed();
      allowed_ += policy_->reported(0, call, decision) != nullptr;
      allowed_ += policy_->decide_dispatched(0, calls_.front()->call(), call).allowed();
      allowed_ += policy_->could_allow(0, call);
      allowed_ += policy_->may_use(0, call.upstream, call.time).allowed();
      const auto spend = policy_->spend(0, call);
      allowed_ += spend ? spend->count : 0;
    }
  }
  size_t decisions() const { return 7 * calls_.size(); }  // a dispatched one is two
  // How many of the calls have each Verdict.
  std::array<size_t, 4> verdicts() const {
    std::array<size_t, 4> result{};
    for (const auto& written : calls_) {
      ++result[static_cast<size_t>(policy_->decide(0, written->call()).verdict)];
    }
    return result;
  }
  // How many would be decided otherwise by a rule in report mode, and how many have no price.
  std::pair<size_t, size_t> reported_and_unpriced() const {
    std::pair<size_t, size_t> result;
    for (const auto& written : calls_) {
      const Call& call = written->call();
      result.first += policy_->reported(0, call, policy_->decide(0, call)) != nullptr;
      result.second += !policy_->spend(0, call);
    }
    return result;
  }

 private:
  void add(const char* upstream, Kind kind, const char* target, const char* args = nullptr) {
    CallSpec spec;
    spec.upstream = upstream;
    if (kind == Kind::kHttp) {
      REQUIRE(spec.set_http(target));
      spec.headers = {{"X-Team", "red"}};
    } else {
      spec.set_target(kind, target);
    }
    if (args) spec.args = args;
    calls_.push_back(std::make_unique<WrittenCall>(spec, policy_->reads_body(upstream),
                                                   *parse_time("2026-11-22T09:30:00Z")));
    REQUIRE(calls_.back()->fault() == "");
  }

  std::shared_ptr<const PolicySet> policy_;
  std::vector<std::unique_ptr<WrittenCall> > calls_;
  mutable volatile size_t allowed_ = 0;
};

Counts count(const Workload& workload) {
  workload.run();  // warm
  const Counts before = counts;
  for (int i = 0; i < 100; ++i) workload.run();
  return {counts.allocations - before.allocations, counts.locks - before.locks};
}

TEST_CASE("the counters count") {
  const Counts before = counts;
  std::unique_ptr<int> one(new int(7));
  std::string long_text(100, *one > 0 ? 'x' : 'y');
  void* volatile raw = std::malloc(10);
  std::free(raw);
  CHECK(testing::load(kPolicy));  // in shared libraries, too
  CHECK(counts.allocations - before.allocations > 100);
  const size_t locks = counts.locks;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  CHECK(counts.locks - locks == 1);
}

TEST_CASE("a decision neither allocates nor locks") {
  const Workload workload(nullptr);
  const auto [allowed, asked, denied, malformed] = workload.verdicts();
  CHECK(allowed >= 10);
  CHECK(asked >= 6);
  CHECK(denied >= 4);
  CHECK(malformed >= 3);
  const auto [reported, unpriced] = workload.reported_and_unpriced();
  CHECK(reported >= 3);
  CHECK(unpriced >= 2);
  const Counts made = count(workload);
  CHECK(made.allocations == 0);
  CHECK(made.locks == 0);
}

TEST_CASE("a decision by an expression does not allocate, nor lock by a plain one") {
  const Workload plain("plain"), other("re");
  CHECK(plain.verdicts()[0] >= 3);
  CHECK(plain.verdicts() == other.verdicts());
  const Counts by_tables = count(plain);
  CHECK(by_tables.allocations == 0);
  CHECK(by_tables.locks == 0);
  const Counts by_re2 = count(other);
  CHECK(by_re2.allocations == 0);
  CHECK(by_re2.locks > 0);
  CHECK(by_re2.locks <= 2 * 100 * other.decisions());
}

constexpr int kNoSeccomp = 77;

// Runs `work` in a child in strict mode; how the child ended, as waitpid() says, and whether the
// work was done.
template <class Work>
std::pair<int, bool> run_without_system_calls(Work work) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(kNoSeccomp);
    work();
    const bool written = write(ends[1], "x", 1) == 1;
    syscall(SYS_exit, written ? 0 : 1);  // _exit() is exit_group, which is forbidden
  }
  close(ends[1]);
  char byte = 0;
  const bool done = read(ends[0], &byte, 1) == 1;
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return {status, done};
}

TEST_CASE("10,000 decisions make no system call") {
  const auto [control, control_done] = run_without_system_calls([] { syscall(SYS_getppid); });
  if (WIFEXITED(control) && WEXITSTATUS(control) == kNoSeccomp) {
    WARN("skipped: seccomp is not to be had here");
    return;
  }
  CHECK(WIFSIGNALED(control));
  CHECK_FALSE(control_done);
  for (const char* const expressions : {"", "plain", "re"}) {
    CAPTURE(expressions);
    const Workload workload(*expressions ? expressions : nullptr);
    workload.run();
    const auto [status, done] = run_without_system_calls([&] {
      for (size_t made = 0; made < 10'000; made += workload.decisions()) workload.run();
    });
    CHECK(done);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

}  // namespace
}  // namespace reeve::policy

#endif
