// What is counted per thread adds up in the text that Prometheus reads.
#include "proxy/metrics.h"

#include <catch2/catch.hpp>
#include <thread>

namespace reeve {
namespace {

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("shards add up, while a scrape walks them") {
  Metrics metrics;
  const Label jordan = metrics.intern("jordan");
  const Label crm = metrics.intern("crm");
  CHECK(metrics.intern("jordan") == jordan);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, &shard = metrics.add_shard()] {
      for (int i = 0; i < 1000; ++i) {
        shard.call(jordan, crm, action_index("tools/call"), policy::Verdict::kAllow, true, 0.002,
                   0.001);
        shard.call(kOtherLabel, kOtherLabel, action_index("odd"), policy::Verdict::kDeny, false, 0,
                   -1);
        shard.spent(jordan, crm, 5'000);
      }
    });
  }
  for (int i = 0; i < 20; ++i) metrics.collect({});
  for (auto& thread : threads) thread.join();
  Gauges gauges;
  gauges.currency = "USD";
  gauges.budgets.push_back({"agent:jordan", "agent:jordan", 20, 1.5, 0.5, 0});
  const std::string text = metrics.collect(gauges);
  INFO(text);
  CHECK(has(text,
            "reeve_calls_total{agent=\"jordan\",upstream=\"crm\",action=\"tools/call\","
            "decision=\"allow\"} 4000"));
  CHECK(has(text,
            "reeve_calls_total{agent=\"other\",upstream=\"other\",action=\"other\","
            "decision=\"unknown-agent\"} 4000"));
  CHECK(has(text, "reeve_call_duration_seconds_count{agent=\"jordan\",upstream=\"crm\"} 4000"));
  CHECK(has(text, "reeve_upstream_duration_seconds_count{agent=\"other\",upstream=\"other\"} 0"));
  CHECK(has(text,
            "reeve_call_duration_seconds_bucket{agent=\"jordan\",upstream=\"crm\","
            "le=\"0.001\"} 0"));
  CHECK(has(text,
            "reeve_call_duration_seconds_bucket{agent=\"jordan\",upstream=\"crm\","
            "le=\"0.0025\"} 4000"));
  CHECK(has(text, "reeve_spend_total{agent=\"jordan\",upstream=\"crm\",currency=\"USD\"} 20"));
  CHECK(has(text, "reeve_budget_reserved{budget=\"agent:jordan\",scope=\"agent:jordan\"} 0.5"));
}

TEST_CASE("labels of actions come from a fixed list") {
  CHECK(action_name(action_index("GET")) == "GET");
  CHECK(action_name(action_index("tools/call")) == "tools/call");
  CHECK(action_name(action_index("made-up-by-a-caller")) == "other");
}

}  // namespace
}  // namespace reeve
