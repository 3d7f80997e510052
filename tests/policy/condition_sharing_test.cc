// What rules share: the values of a call, read once for all of them, and conditions that are
// written alike.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/args_reader.h"
#include "policy/compiled.h"
#include "policy/policy_set.h"
#include "policy/written_call.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;

TEST_CASE("many rules that read many values, some of them the same") {
  // More values than are kept during a decision, and paths that only look alike.
  std::string rules;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i % 40);
    rules += "      - {id: r" + std::to_string(i) + ", upstream: u, tools: t, when: {args." + key +
             ": 1, args.x." + key + ": " + std::to_string(i) + ", 'args.\"x." + key +
             "\"': 2, args.list.0: 3}}\n";
  }
  const auto policy =
      load("agents:\n  a: {owner: o, purpose: p, team: t, roles: [r]}\nroles:\n  r:\n    allow:\n" +
           rules);
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i % 40);
    const auto decide = [&](const std::string& more) {
      CallSpec spec;
      spec.upstream = "u";
      spec.set_target(Kind::kTool, "t");
      spec.args = "{\"" + key + "\":1,\"x\":{\"" + key + "\":" + std::to_string(i) + "},\"x." +
                  key + "\":2,\"list\":[3]" + more + "}";
      const WrittenCall written(spec, false, Time{});
      REQUIRE(written.fault().empty());
      return policy->decide(0, written.call());
    };
    CAPTURE(i);
    REQUIRE(decide("").allowed());
    CHECK(decide("").rule->id == "r" + std::to_string(i));
    CHECK(decide(R"(,"K39":1)").verdict == Verdict::kMalformed);
    CHECK(decide(R"(,"X":1)").verdict == Verdict::kMalformed);
    CHECK(decide(R"(,"y":{"K39":1},"k390":1)").allowed());
  }
}

TEST_CASE("conditions that are written alike are one") {
  // Each differs from the first in one thing.
  const std::vector<std::string> whens = {
      "{args.a: {max: 1, default: 5}, args.b: [x, y]}",
      "{args.a: {max: 2, default: 5}, args.b: [x, y]}",
      "{args.a: {min: 1, default: 5}, args.b: [x, y]}",
      "{args.a: {max: 1, default: '5'}, args.b: [x, y]}",
      "{args.a: {max: 1}, args.b: [x, y]}",
      "{args.a: {max: 1, default: 5}, args.b: [y, x]}",
      "{args.a: {max: 1, default: 5}, args.b: [x]}",
      "{args.a: {max: 1, default: 5}, args.b: {not: [x, y]}}",
      "{args.a: {max: 1, default: 5}, args.b: {any: {is: [x, y]}}}",
      "{args.a: {max: 1, default: 5}, args.b: {all: {is: [x, y]}}}",
      "{args.a: {max: 1, default: 5}, args.c: [x, y]}",
      "{args.a: {max: 1, default: 5}, header.b: [x, y]}",
      "{args.a: {max: 1, default: 5}, args.b: {present: true}}",
      "{args.a: {max: 1, default: 5}, args.b: {present: false}}",
      "{args.a: {max: 1, default: 5}, args.b: {prefix: x}}",
      "{args.a: {max: 1, default: 5}, args.b: {under: /x}}",
      "{args.a: {max: 1, default: 5}, args.b: {length: {max: 1}}}",
      "{args.a: {max: 1, default: 5}, args.b: {length: {max: 2}}}",
      "{args.a: {max: 1, default: 5}, time: {days: mon}}",
      "{args.a: {max: 1, default: 5}, time: {days: tue}}",
      "{args.a: {max: 1, default: 5}, time: {days: mon, zone: Europe/Berlin}}",
      "{args.a: {max: 1, default: 5}, time: {days: mon, hours: 09:00-10:00}}",
      "{args.a: {max: 1, default: 5}, time: {days: mon, hours: 09:00-11:00}}",
      "{args.a: {max: 1, default: 5}}",
  };
  std::string text =
      "agents:\n  a: {owner: o, purpose: p, team: t, roles: [r]}\nroles:\n  r:\n    allow:\n";
  for (int twice = 0; twice < 2; ++twice) {
    for (const std::string& when : whens)
      text += "      - {upstream: u, tools: t, when: " + when + "}\n";
  }
  text += "      - {upstream: u, tools: t, when: {args.a: {glob: 'a*'}}}\n";
  text += "      - {upstream: u, tools: t, when: {args.a: {glob: 'b*'}}}\n";
  const auto policy = load(text);
  const auto& rules = policy->compiled().rules;
  REQUIRE(rules.size() == 2 * whens.size() + 2);
  for (size_t i = 0; i < whens.size(); ++i) {
    CAPTURE(whens[i]);
    CHECK(rules[i].when == rules[i + whens.size()].when);
    for (size_t j = 0; j < i; ++j) CHECK(rules[i].when != rules[j].when);
  }
}

}  // namespace
}  // namespace reeve::policy
