// What one call costs: prices from arguments, by date, in doubt, of models and by tokens.
#include <catch2/catch.hpp>
#include <string>

#include "policy/policy_set.h"
#include "policy/written_call.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

constexpr const char* kAgent =
    "agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}\n"
    "roles: {r: {allow: [{upstream: u}, {connect: \"*:443\"}]}}\n";

// "COST by PRICE", with "+tokens", or why the call is refused.
std::string cost(const PolicySet& policy, const Call& call) {
  const auto spend = policy.spend(0, call);
  if (!spend) return spend.error();
  return std::to_string(spend->cost) + (spend->by_tokens ? "+tokens" : "") +
         (spend->price ? " by " + spend->price->id : "");
}

std::string cost(const PolicySet& policy, CallSpec spec, const char* args,
                 const char* at = "2026-11-22T00:00:00Z") {
  if (args && spec.kind == Kind::kModel) {
    spec.body = args;
    spec.headers = {{"Content-Type", "application/json"}};
  } else if (args) {
    spec.args = args;
  }
  const WrittenCall written(spec, true, *parse_time(at));
  REQUIRE(written.fault() == "");
  return cost(policy, written.call());
}

CallSpec spec_of(Kind kind, const char* target, const char* upstream = "u") {
  CallSpec spec;
  spec.upstream = upstream;
  spec.set_target(kind, target);
  return spec;
}

TEST_CASE("a price from the arguments is exact, rounds up and is bounded") {
  const auto policy = testing::load(
      std::string(kAgent) +
      "prices:\n"
      "  - {upstream: u, tools: buy, cost: {from: args.amount, max: 500 USD}}\n"
      "  - {upstream: u, tools: deep, cost: {from: args.lines.1.price, max: 0.5 USD}}\n");
  constexpr const char* kRefused =
      "what it costs is absent from its arguments, negative or above the most";
  struct Row {
    const char* amount;
    const char* cost;  // null: refused
  };
  const Row rows[] = {
      {"1", "1000000"},
      {"0", "0"},
      {"-0", "0"},
      {"-0.0e5", "0"},
      {"0.1", "100000"},
      {"499.999999", "499999999"},
      {"500", "500000000"},
      {"5e2", "500000000"},
      {"5.00E+2", "500000000"},
      {"500.0000000", "500000000"},
      {"50000e-2", "500000000"},
      {"500.0000000000000000000000001", nullptr},  // rounds up above the most
      {"500.000001", nullptr},
      {"501", nullptr},
      {"0.0000001", "1"},
      {"1e-400", "1"},
      {"1.0000001", "1000001"},
      {"0.1234565", "123457"},
      {"-0.0000001", nullptr},
      {"-1", nullptr},
      {"1e400", nullptr},
      {"1e99999999999999999999", nullptr},
      {"0e99999999999999999999", "0"},
      {"1e-99999999999999999999", "1"},
      {"9223372036854.775807", nullptr},
      {"9223372036854775807", nullptr},
      {"18446744073709.551617", nullptr},  // a 64-bit sum would wrap to one millionth
      {"\"5\"", nullptr},
      {"true", nullptr},
      {"null", nullptr},
      {"[5]", nullptr},
      {"{}", nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.amount);
    const std::string args = std::string("{\"amount\": ") + row.amount + "}";
    const std::string expected = row.cost ? std::string(row.cost) + " by prices[0]" : kRefused;
    CHECK(cost(*policy, spec_of(Kind::kTool, "buy"), args.c_str()) == expected);
  }
  const CallSpec buy = spec_of(Kind::kTool, "buy");
  CHECK(cost(*policy, buy, "{}") == kRefused);
  CHECK(cost(*policy, buy, nullptr) == kRefused);
  const CallSpec deep = spec_of(Kind::kTool, "deep");
  CHECK(cost(*policy, deep, R"({"lines": [{}, {"price": 0.25}]})") == "250000 by prices[1]");
  CHECK(cost(*policy, deep, R"({"lines": {"1": {"price": 0.25}}})") == "250000 by prices[1]");
  CHECK(cost(*policy, deep, R"({"lines": [{"price": 0.25}]})") == kRefused);
}

TEST_CASE(
    "of prices that select alike the latest that has begun counts, at the first one's place") {
  const auto policy =
      testing::load(std::string(kAgent) +
                    "prices:\n"
                    "  - {upstream: u, tools: a, since: 2026-03-01, cost: 3 USD}\n"
                    "  - {upstream: u, tools: \"*\", cost: 9 USD}\n"
                    "  - {upstream: u, tools: a, cost: 1 USD}\n"
                    "  - {upstream: u, tools: a, since: 2026-06-01, cost: 0 USD}\n"
                    "  - {upstream: u, tools: a, since: 2026-06-01, cost: 7 USD}\n");
  const CallSpec a = spec_of(Kind::kTool, "a");
  CHECK(cost(*policy, a, nullptr, "2026-02-28T23:59:59.999999Z") == "1000000 by prices[2]");
  CHECK(cost(*policy, a, nullptr, "2026-03-01T00:00:00Z") == "3000000 by prices[0]");
  CHECK(cost(*policy, a, nullptr, "2026-05-31T23:59:59Z") == "3000000 by prices[0]");
  CHECK(cost(*policy, a, nullptr, "2026-06-01T00:00:00Z") == "0 by prices[3]");
  CHECK(cost(*policy, spec_of(Kind::kTool, "b"), nullptr) == "9000000 by prices[1]");
}

TEST_CASE("a price in doubt may apply: the dearest of those that may counts") {
  const auto policy = testing::load(
      std::string(kAgent) +
      "prices:\n"
      "  - {upstream: u, tools: a, when: {args.x: 1}, cost: 3 USD}\n"
      "  - {upstream: u, tools: a, when: {args.y: 1}, cost: 5 USD}\n"
      "  - {upstream: u, tools: \"*\", cost: 4 USD}\n"
      "  - {upstream: u, tools: a, when: {args.x: 2}, cost: 100 USD}\n"
      "  - {upstream: u, prompts: p, when: {header.x: 1}, cost: 3 USD}\n"
      // Of one that is superseded nothing counts, in doubt either.
      "  - {upstream: u, resources: r, when: {header.x: 1}, cost: 9 USD}\n"
      "  - {upstream: u, resources: r, when: {header.x: 1}, since: 2026-02-01, cost: 2 USD}\n");
  const CallSpec a = spec_of(Kind::kTool, "a");
  CHECK(cost(*policy, a, R"({"x": 1, "y": 1})") == "3000000 by prices[0]");
  CHECK(cost(*policy, a, R"({"x": 0, "y": 1})") == "5000000 by prices[1]");
  CHECK(cost(*policy, a, R"({"x": 0, "y": 0})") == "4000000 by prices[2]");
  CHECK(cost(*policy, a, R"({"y": 0})") == "4000000 by prices[2]");
  CHECK(cost(*policy, a, R"({"x": 0})") == "5000000 by prices[1]");
  CHECK(cost(*policy, a, R"({"x": 1})") == "3000000 by prices[0]");
  CHECK(cost(*policy, a, nullptr) == "5000000 by prices[1]");
  CHECK(cost(*policy, spec_of(Kind::kPrompt, "p"), nullptr) == "3000000 by prices[4]");
  CHECK(cost(*policy, spec_of(Kind::kResource, "r"), nullptr) == "2000000 by prices[6]");
}

TEST_CASE("any number of prices may be in doubt, whichever way they are found") {
  std::string text = std::string(kAgent) + "prices:\n";
  for (int i = 0; i < 40; ++i) {
    text += "  - {upstream: u, tools: [\"" + std::string(i % 2 ? "a*" : "*b") +
            "\", \"?b\"], when: {args.x: " + std::to_string(i) + "}, cost: " + std::to_string(i) +
            " USD}\n";
    if (i == 30) text += "  - {upstream: u, tools: ab, cost: 1 USD}\n";
  }
  const auto policy = testing::load(text);
  CHECK(cost(*policy, spec_of(Kind::kTool, "ab"), nullptr) == "30000000 by prices[30]");
  CHECK(cost(*policy, spec_of(Kind::kTool, "cb"), nullptr) == "39000000 by prices[40]");
}

constexpr const char* kModels =
    "prices:\n"
    "  - {upstream: \"u*\", models: \"gpt*\", input: 2.5 USD per 1M tokens, cached_input: 1 USD "
    "per 1M"
    " tokens,\n     output: 10 USD per 1M tokens, context: 1000, max_output: 7}\n"
    "  - {upstream: \"u*\", models: open, input: 1 USD per 1M tokens, output: 1 USD per 1M "
    "tokens}\n"
    "  - {upstream: u, models: flat, when: {args.x: 1}, cost: 0.001 USD}\n"
    "  - {upstream: u, models: cached, input: 1 USD per 1M tokens, cache_write: 3 USD per 1M "
    "tokens,"
    "\n     output: 0 USD per 1M tokens, context: 1, max_output: 1}\n"
    "  - {upstream: v, models: flat, cost: 2 USD}\n"
    "  - {upstream: w, models: huge, input: 9000000000000 USD per 1M tokens, output: 1 USD per 1M "
    "tokens,\n     context: 1000000000000, max_output: 1}\n"
    "  - {upstream: x, models: large, input: 9000000 USD per 1M tokens, output: 0 USD per 1M "
    "tokens,\n     context: 1000000000, max_output: 1}\n"
    "  - {upstream: y, models: a, input: 1 USD per 1M tokens, output: 1 USD per 1M tokens}\n"
    "  - {upstream: y, models: b, cost: 2 USD}\n";

TEST_CASE("prices of models: by tokens, at most") {
  const auto policy = testing::load(std::string(kAgent) + kModels);
  const auto model = [&](const char* upstream, const char* name, const char* args = nullptr) {
    return cost(*policy, spec_of(Kind::kModel, name, upstream), args);
  };
  CHECK(model("u", "gpt-4") == "2570+tokens by prices[0]");  // 1000 at 2.5 and 7 at 10 a million
  CHECK(model("u", "open") == "0+tokens by prices[1]");      // not bounded here
  CHECK(model("u", "cached") == "3+tokens by prices[3]");    // dearest when written to the cache
  CHECK(model("w", "huge") == "the most that it can cost is too large to count");
  CHECK(model("x", "large") == "9000000000000000+tokens by prices[6]");
  CHECK(model("u", "flat", R"({"x": 1})") == "1000 by prices[2]");
  // Unless told otherwise a model that no price names is refused, and so is one that may be that.
  CHECK(model("u", "other") == "no price names the model");
  CHECK(model("u", "flat", R"({"x": 2})") == "no price names the model");
  CHECK(model("u", "flat", "{}") == "no price names the model");
}

TEST_CASE("the highest price stands in for that of an unknown model") {
  const auto policy = testing::load("unknown_model: highest\n" + std::string(kAgent) + kModels);
  const auto model = [&](const char* upstream, const char* name, const char* args = nullptr) {
    return cost(*policy, spec_of(Kind::kModel, name, upstream), args);
  };
  // Each part's highest on that upstream: 3 a million in, 10 out, for 1000 and 7 tokens.
  CHECK(model("u", "other") == "3070+tokens by unknown_model");
  CHECK(model("u", "flat", R"({"x": 1})") == "1000 by prices[2]");
  CHECK(model("u", "flat", R"({"x": 2})") == "3070+tokens by unknown_model");
  CHECK(model("u", "flat", "{}") == "3070+tokens by unknown_model");  // it may be either
  CHECK(model("v", "other") == "2000000 by unknown_model");
  // By tokens that are not bounded, but at least what a call of the other one costs.
  CHECK(model("y", "other") == "2000000+tokens by unknown_model");
  CHECK(model("unamed", "other") == "2570+tokens by unknown_model");
  CHECK(model("z", "other") == "no price names the model");
}

// What a call costs at most when its request tells the bounds, or what it has cost.
std::string cost_of(const PolicySet& policy, Call call, const TokenBounds* bounds,
                    const TokenUsage* usage = nullptr) {
  call.tokens = bounds;
  call.usage = usage;
  return cost(policy, call);
}

TEST_CASE("prices of models: by the tokens that a request bounds") {
  const auto policy = testing::load(std::string(kAgent) + kModels);
  const auto most = [&](const char* upstream, const char* name, const TokenBounds& bounds) {
    const WrittenCall written(spec_of(Kind::kModel, name, upstream), true, Time{});
    return cost_of(*policy, written.call(), &bounds);
  };
  CHECK(most("u", "gpt-4", {.input = 100, .output = 20}) == "450+tokens by prices[0]");
  CHECK(most("u", "gpt-4", {.input = 1, .output = 0}) == "3+tokens by prices[0]");  // rounded up
  CHECK(most("u", "gpt-4", {.input = 0, .output = 0}) == "0+tokens by prices[0]");
  CHECK(most("u", "gpt-4", {.input = 100}) == "320+tokens by prices[0]");
  CHECK(most("u", "gpt-4", {.input = 100, .answers = 3}) == "460+tokens by prices[0]");
  CHECK(most("u", "gpt-4", {.input = 100, .reads_outside = true, .output = 20}) ==
        "2700+tokens by prices[0]");
  CHECK(most("u", "open", {.input = 100, .output = 20}) == "120+tokens by prices[1]");
  CHECK(most("u", "open", {.input = 100}) ==
        "neither the call (max_tokens) nor its price (max_output) bounds the answer");
  CHECK(most("u", "open", {.input = 100, .reads_outside = true, .output = 20}) ==
        "the call refers to content outside it (images, files, earlier answers), and its price has "
        "no `context` to bound that");
  CHECK(most("u", "cached", {.input = 100, .output = 20}) == "300+tokens by prices[3]");
  const char* too_large = "the most that it can cost is too large to count";
  CHECK(most("w", "huge", {.input = UINT64_MAX, .output = UINT64_MAX}) == too_large);
  CHECK(most("u", "gpt-4", {.input = 1, .answers = UINT64_MAX}) ==
        "neither the call (max_tokens) nor its price (max_output) bounds the answer");
  CHECK(most("v", "flat", {.input = 100}) == "2000000 by prices[4]");
}

TEST_CASE("prices of models: by the tokens that were used") {
  const auto policy = testing::load(std::string(kAgent) + kModels);
  const auto used = [&](const char* name, const TokenUsage& usage) {
    const WrittenCall written(spec_of(Kind::kModel, name), true, Time{});
    return cost_of(*policy, written.call(), nullptr, &usage);
  };
  CHECK(used("gpt-4", {.input = 100, .output = 20}) == "450+tokens by prices[0]");
  CHECK(used("gpt-4", {.input = 100, .cached_input = 40, .output = 20}) ==
        "390+tokens by prices[0]");
  CHECK(used("gpt-4", {.input = 100, .cache_write = 40}) == "250+tokens by prices[0]");
  CHECK(used("gpt-4", {.input = 1, .cached_input = 9}) == "1+tokens by prices[0]");
  CHECK(used("gpt-4", {}) == "0+tokens by prices[0]");
  CHECK(used("cached", {.input = 10, .cached_input = 3, .cache_write = 2, .output = 5}) ==
        "14+tokens by prices[3]");
  CHECK(used("other", {.input = 1}) == "no price names the model");
}

TEST_CASE("what was used is never dearer than as much at most, however it was charged") {
  const auto policy = testing::load(std::string(kAgent) + kModels);
  const WrittenCall written(spec_of(Kind::kModel, "cached"), true, Time{});
  for (uint64_t i = 0; i < 300; ++i) {
    const TokenUsage usage{
        .input = i % 7, .cached_input = i % 5, .cache_write = i % 3, .output = i % 2};
    const TokenBounds bounds{.input = usage.input, .output = usage.output};
    Call call = written.call();
    call.usage = &usage;
    const auto spent = policy->spend(0, call);
    call.usage = nullptr;
    call.tokens = &bounds;
    const auto most = policy->spend(0, call);
    REQUIRE(spent);
    REQUIRE(most);
    CHECK(spent->cost <= most->cost);
  }
}

TEST_CASE("a model's pattern, and what counts against budgets in tokens") {
  const auto policy = testing::load(
      "agents: {ann: {owner: o, purpose: p, team: t, roles: [r]}}\n"
      "roles: {r: {allow: [{upstream: u}]}}\n"
      "budgets: {t: {for: everyone, limit: 100 tokens per day}}\n"
      "prices:\n"
      "  - {upstream: u, models: [\"a*\", b], input: 1 USD per 1M tokens,\n"
      "     output: 1 USD per 1M tokens, context: 50, max_output: 10}\n"
      "  - {upstream: u, models: c, cost: 1 USD}\n"
      "  - {upstream: u, models: d, input: 0 USD per 1M tokens, output: 0 USD per 1M tokens}\n");
  // "PATTERN AMOUNT", or the fault.
  const auto drawn = [&](const char* name, const TokenBounds& bounds) {
    const WrittenCall written(spec_of(Kind::kModel, name), true, Time{});
    Call call = written.call();
    call.tokens = &bounds;
    const auto spend = policy->spend(0, call);
    if (!spend) return std::string(spend.error());
    REQUIRE(spend->count == 1);
    return std::string(spend->model_pattern) + " " + format_decimal(spend->draws[0].amount);
  };
  CHECK(drawn("abc", {.input = 20, .output = 5}) == "a* 25");
  CHECK(drawn("b", {.input = 20, .reads_outside = true, .answers = 2}) == "b 70");
  CHECK(drawn("c", {.input = 20, .output = 5}) == "c 25");
  CHECK(drawn("d", {.input = 20, .output = 5}) == "d 25");  // free, but not without tokens
  CHECK(drawn("c", {.input = 20}) ==
        "neither the call (max_tokens) nor its price (max_output) bounds the answer");
  CHECK(drawn("d", {.input = uint64_t{1} << 50, .output = 5}) ==
        "the most that it can cost is too large to count");
}

}  // namespace
}  // namespace reeve::policy
