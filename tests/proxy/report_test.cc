// A report of a record made for the test: what is counted and how, quantiles against exact ones,
// hostile names in all three forms, and what needs attention.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "audit_record.h"
#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/report/collect.h"
#include "proxy/report/findings.h"
#include "proxy/report/format.h"
#include "proxy/report/latency.h"
#include "proxy/report/page.h"
#include "proxy/report/text.h"

namespace reeve::report {
namespace {

using audit::at_second;
using audit::TempFolder;

constexpr const char* kHostile = "</td><script>alert(1)</script>\x1b[31m\xe2\x80\xae\"'&";

constexpr const char* kPolicy = R"(
version: 1
currency: USD
upstreams: [crm, pay]
agents:
  ann: {owner: dana@acme.example, team: support, purpose: Tests, roles: [worker], budget: 10 USD per year}
  bob: {owner: dana@acme.example, team: sales, purpose: Tests, roles: [worker]}
  idle: {owner: dana@acme.example, team: sales, purpose: Tests, roles: [worker]}
roles:
  worker:
    allow:
      - {id: crm, upstream: crm, tools: [search, write]}
      - {id: never, upstream: pay, tools: refund}
budgets:
  all: {for: everyone, limit: 1000 calls per year}
)";

std::shared_ptr<const policy::PolicySet> load(const std::string& text) {
  const policy::SourceFile file{"policy.yaml", text};
  Diagnostics diagnostics;
  const auto set = policy::PolicySet::load({&file, 1}, {}, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) UNSCOPED_INFO(to_string(diagnostic));
  REQUIRE(set);
  return set;
}

// Writes calls, each with both lines.
class Recorder {
 public:
  explicit Recorder(const std::string& path) {
    auto journal = Journal::open(path);
    REQUIRE(journal.ok());
    journal_ = std::move(*journal);
  }
  void call(int64_t second, std::string_view agent, std::string_view team, std::string_view tool,
            std::string_view decision, std::string_view reason, std::string_view outcome) {
    std::string who = fmt::format(",\"call\":\"{}\",\"agent\":", ++calls_);
    json::append_string(who, agent);
    who += fmt::format(
        ",\"owner\":\"dana@acme.example\",\"team\":\"{}\",\"upstream\":\"crm\",\"protocol\":"
        "\"mcp\","
        "\"action\":\"tools/call\",\"target\":",
        team);
    json::append_string(who, tool);
    line(second, "decision",
         who + fmt::format(",\"decision\":\"{}\",\"reason\":\"{}\",\"rule\":\"crm\"", decision,
                           reason));
    line(second, "outcome", who + fmt::format(",\"decision\":\"{}\"{}", decision, outcome));
  }
  void line(int64_t second, const char* kind, const std::string& members) {
    REQUIRE(journal_->append(kind, members, at_second(second)));
  }

 private:
  std::unique_ptr<Journal> journal_;
  int calls_ = 0;
};

Range range_of(int64_t from, int64_t to) {
  Range range = range_between(at_second(from), at_second(to), policy::Calendar());
  range.zone = "UTC";
  return range;
}

constexpr std::string_view kGood =
    ",\"status\":200,\"cost\":0.25,\"ms\":20.000,\"upstream_ms\":19.000";
constexpr std::string_view kBad = ",\"status\":500,\"ms\":40.000,\"upstream_ms\":39.000";
constexpr std::string_view kRefused = ",\"status\":403,\"ms\":0.100";

// From second 0 to 1000 the period before, to 2000 the one that is reported.
void fill(Recorder& recorder) {
  for (int i = 0; i < 40; ++i) {
    recorder.call(100 + i, "ann", "support", "search", "allow", "rule", kGood);
  }
  for (int i = 0; i < 30; ++i) {
    recorder.call(1100 + i, "ann", "support", "write", "allow", "rule", kGood);
  }
  for (int i = 0; i < 10; ++i) {
    recorder.call(1200 + i, "ann", "support", kHostile, "deny", "default", kRefused);
  }
  for (int i = 0; i < 5; ++i) {
    recorder.call(1300 + i, "bob", "sales", "search", "allow", "rule", kBad);
  }
  recorder.call(1400, kHostile, "sales", "search", "allow", "rule", kGood);
  const std::string question = ",\"approval\":\"a1\",\"agent\":\"bob\",\"upstream\":\"crm\"";
  recorder.line(1500, "approval", question + ",\"verdict\":\"asked\"");
  recorder.line(1530, "approval", question + ",\"verdict\":\"approved\",\"approver\":\"lee\"");
  recorder.line(1600, "approval", question + ",\"verdict\":\"expired\"");
  recorder.line(1700, "decision", ",\"decision\":\"unknown-agent\",\"count\":7");
  recorder.line(2000, "decision", ",\"decision\":\"unknown-agent\",\"count\":7");
}

TEST_CASE("calls are counted by agent, team and period") {
  TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  {
    Recorder recorder(path);
    fill(recorder);
  }
  const auto set = load(kPolicy);
  Collector collector(range_of(1000, 2000), {}, set.get());
  std::string failed;
  REQUIRE(read_record({path}, collector, failed));
  const Tally& tally = collector.tally();
  CHECK(tally.now.calls == 46);
  CHECK(tally.before.calls == 40);
  CHECK(tally.now.denied == 10);
  CHECK(tally.now.why[static_cast<size_t>(Denied::kDefault)] == 10);
  CHECK(tally.now.succeeded == 31);
  CHECK(tally.now.failed == 5);
  CHECK(tally.now.spent == 31 * 250'000);
  CHECK(tally.errors.at("500") == 5);
  CHECK(tally.unproven == 7);
  CHECK(tally.approvals.asked == 1);
  CHECK(tally.approvals.approved == 1);
  CHECK(tally.approvals.expired == 0);  // what was not used of a yes
  CHECK(tally.people.at("lee").wait.quantile(0.5) == Approx(30e6).epsilon(1.0 / 64));
  REQUIRE(tally.agents.size() == 4);
  const auto named = [&](std::string_view name) {
    return *std::find_if(tally.agents.begin(), tally.agents.end(),
                         [&](const Agent& agent) { return agent.name == name; });
  };
  CHECK(named("ann").now.calls == 40);
  CHECK(named("ann").before.calls == 40);
  CHECK(named("ann").latency.quantile(0.5) == Approx(20e3).epsilon(1.0 / 64));
  CHECK(named("idle").now.calls == 0);
  REQUIRE(tally.teams.size() == 2);
  CHECK(tally.teams[0].now.calls == 6);
  uint64_t in_parts = 0;
  for (const Part& part : tally.by_part) in_parts += part.counts.calls;
  CHECK(in_parts == tally.now.calls);

  // What was drawn on a budget counts from its window's beginning on, before the period.
  const auto accounts = collector.drawn()->accounts();
  REQUIRE(accounts.size() == 2);
  for (const policy::Drawn& drawn : accounts) {
    const bool own = drawn.spec->budget != "all";
    CHECK(drawn.used == (own ? 70 * 250'000 : 75 * policy::kMicrosPerUnit));
    CHECK(drawn.full_windows == (own ? 1 : 0));
  }
  const auto held = collector.usage()->held_by(*set->find_agent("ann"));
  CHECK(held.grants == 2);
  CHECK(held.used == 1);

  const auto findings = findings_of(collector);
  const auto told = [&](std::string_view topic, std::string_view text) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.topic == topic && finding.headline.find(text) != std::string::npos;
    });
  };
  CHECK(told("denials", "ann: 25.0 % of 40 calls"));
  CHECK(told("mix", "ann: 100.0 % of its calls"));
  CHECK(told("budget", "agent:ann"));
  CHECK(told("grants", "1 of 2 grants"));
  CHECK(told("idle", "idle: made no call"));
  CHECK(told("catalogue", "script"));
  CHECK_FALSE(told("errors", "bob"));  // too few calls to say
}

TEST_CASE("a filter leaves out others, but not what they drew on a shared budget") {
  TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  {
    Recorder recorder(path);
    fill(recorder);
  }
  const auto set = load(kPolicy);
  std::string failed;
  Collector sales(range_of(1000, 2000), {{}, {"sales"}}, set.get());
  REQUIRE(read_record({path}, sales, failed));
  CHECK(sales.tally().now.calls == 6);
  CHECK(sales.tally().approvals.approved == 1);
  const auto budgets = budgets_of(sales);
  REQUIRE(budgets.size() == 1);
  CHECK(budgets[0].drawn->used == 75 * policy::kMicrosPerUnit);

  Collector none(range_of(1000, 2000), {{"nobody"}, {}}, nullptr);
  REQUIRE(read_record({path}, none, failed));
  CHECK(none.tally().agents.empty());
  CHECK_FALSE(read_record({folder.file("missing")}, none, failed));
  CHECK(failed == folder.file("missing"));
}

TEST_CASE("what the record says is shown, never obeyed") {
  TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  {
    Recorder recorder(path);
    fill(recorder);
  }
  for (const bool with_policy : {false, true}) {
    const auto set = with_policy ? load(kPolicy) : nullptr;
    Collector collector(range_of(1000, 2000), {}, set.get());
    std::string failed;
    REQUIRE(read_record({path}, collector, failed));
    const auto findings = findings_of(collector);
    const std::string page = page_of(collector, findings);
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("&lt;script&gt;") != std::string::npos);
    const std::string text = text_of(collector, findings, false);
    for (const std::string* shown : {&page, &text}) {
      CHECK(shown->find('\x1b') == std::string::npos);
      CHECK(shown->find("\xe2\x80\xae") == std::string::npos);
    }
    const std::string json = json_of(collector, findings);
    json::Parser parser;
    const auto root = parser.parse(json);
    REQUIRE(root);
    CHECK(root->find("total")->find("now")->find("calls")->raw() == "46");
    CHECK(root->find("budgets").has_value() == with_policy);
    CHECK((page.find("Made without a policy") != std::string::npos) != with_policy);
  }
}

TEST_CASE("a period without a call says so") {
  TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  {
    Recorder recorder(path);
    fill(recorder);
  }
  Collector collector(range_of(5000, 6000), {}, nullptr);
  std::string failed;
  REQUIRE(read_record({path}, collector, failed));
  CHECK(text_of(collector, findings_of(collector), false).find("No agent made a call") !=
        std::string::npos);
  CHECK(page_of(collector, {}).find("No agent made a call") != std::string::npos);
}

TEST_CASE("quantiles are within 1/64 of the exact ones, also of two put together") {
  std::mt19937_64 random(7);
  Latency one, two;
  std::vector<uint64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t value = random() >> (24 + random() % 40);
    all.push_back(value);
    (i % 3 == 0 ? one : two).add(value);
  }
  one.add(two);
  std::sort(all.begin(), all.end());
  CHECK(one.count() == all.size());
  for (const double part : {0.001, 0.25, 0.5, 0.95, 0.99, 1.0}) {
    const auto at = static_cast<size_t>(std::ceil(part * static_cast<double>(all.size()))) - 1;
    const auto exact = static_cast<double>(all[at]);
    CHECK(std::abs(static_cast<double>(one.quantile(part)) - exact) <= exact / 64);
  }
  CHECK(Latency().quantile(0.5) == 0);
}

TEST_CASE("a mix of tools that is the same by chance is no news") {
  Tools same;
  same["crm a"] = {.calls = 52, .before = 48};
  same["crm b"] = {.calls = 48, .before = 52};
  CHECK_FALSE(shift_of(same).is_news());
  Tools few;
  few["crm a"] = {.calls = 29};
  few["crm b"] = {.before = 1000};
  CHECK_FALSE(shift_of(few).comparable);
  few["crm a"].calls = 30;
  CHECK(shift_of(few).is_news());
  CHECK(shift_of(few).size == Approx(1));
}

TEST_CASE("figures are written as people read them") {
  CHECK(count(0) == "0");
  CHECK(count(999) == "999");
  CHECK(count(1'234'567) == "1,234,567");
  CHECK(percent(0) == "0.0 %");
  CHECK(percent(0.0001) == "<0.1 %");
  CHECK(percent(0.9999) == ">99.9 %");
  CHECK(percent(1) == "100.0 %");
  CHECK(span(999) == "999 µs");
  CHECK(span(1'500) == "1.5 ms");
  CHECK(span(90'000'000) == "2 min");
  CHECK(money(1'234'500'000, "USD") == "USD 1,234.50");
  CHECK(money(5'000, "USD") == "USD 0.005");
  CHECK(change(110, 100) == "+10 %");
  CHECK(change(5, 0) == "new");
  CHECK(html("<a href=\"x\">'&'") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
}

}  // namespace
}  // namespace reeve::report
