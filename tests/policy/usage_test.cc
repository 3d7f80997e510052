// What a record used of a policy, and the tightest policy that still allows it: it loads, allows
// every call that was seen, and grants no more than the policy that it was made from.
#include "policy/usage.h"

#include <catch2/catch.hpp>
#include <string>

#include "policy/selector.h"
#include "tests/support/generated_case.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

const std::string kPolicy = R"(version: 1
agents:
  ann: {owner: o, purpose: p, team: t, roles: [base, web], expires: 2999-01-01}
  bob: {owner: o, purpose: p, team: t, roles: [base], expires: 2999-01-01}
  eve: {owner: o, purpose: p, team: t, roles: [base], expires: 2999-01-01}
roles:
  base:
    limits: [60 calls per minute]
    allow:
      - {id: any, upstream: [u, v], tools: ["*", "x.*"], because: "a: \"b\""}
      - {id: never, upstream: w}
    deny:
      - {upstream: u, tools: "*.refund"}
  web:
    allow:
      - {upstream: u, http: "* /customers/*/notes/**"}
      - {id: whole, upstream: all}
)";

RecordedCall http(const char* upstream, const char* method, const char* path) {
  RecordedCall recorded;
  recorded.agent = "ann";
  recorded.call.upstream = upstream;
  recorded.call.kind = Kind::kHttp;
  recorded.call.action = method;
  recorded.call.target = path;
  return recorded;
}

RecordedCall tool(const char* agent, const char* upstream, const char* name) {
  RecordedCall recorded;
  recorded.agent = agent;
  recorded.call = testing::tool_call(upstream, name);
  return recorded;
}

RecordedCall method(const char* agent, const char* upstream, const char* name) {
  RecordedCall recorded;
  recorded.agent = agent;
  recorded.call.upstream = upstream;
  recorded.call.kind = Kind::kMethod;
  recorded.call.action = name;
  return recorded;
}

std::string tighten(const Usage& usage) {
  const SourceFile file{"policy.yaml", kPolicy};
  const std::string text = tightest_policy({&file, 1}, usage);
  testing::load(text);
  return text.substr(text.find("roles:\n"));
}

TEST_CASE("usage: grants, agents and roles that nothing used") {
  const auto policy = testing::load(kPolicy);
  Usage usage(*policy);
  CHECK(usage.add(tool("ann", "u", "tickets.get")));
  CHECK(usage.add(tool("bob", "v", "tickets.get")));
  CHECK_FALSE(usage.add(tool("nobody", "v", "tickets.get")));
  CHECK_FALSE(usage.add(http("v", "GET", "/")));
  std::string used;
  for (const auto& [rule, use] : usage.grants()) {
    used += rule->id + " " + std::to_string(use->calls);
    for (const std::string& pattern : usage.unused_patterns(*rule)) used += " " + pattern;
    used += "\n";
  }
  CHECK(used == "any 2 x.*\nnever 0\nweb.allow[0] 0 * /customers/*/notes/**\nwhole 0\n");
  CHECK(usage.idle_agents() == std::vector<std::string>{"eve"});
  REQUIRE(usage.idle_roles().size() == 1);
  CHECK(usage.idle_roles()[0] == std::pair<std::string, std::string>("ann", "web"));
}

TEST_CASE("usage: the tightest policy") {
  const auto policy = testing::load(kPolicy);
  Usage usage(*policy);
  SECTION("exact names, by upstream") {
    usage.add(tool("ann", "u", "tickets.get"));
    usage.add(tool("ann", "v", "a*b"));
    usage.add(method("ann", "v", "tools/list"));
    CHECK(tighten(usage) ==
          "roles:\n"
          "  \"base\":\n"
          "    limits: [60 calls per minute]\n"
          "    allow:\n"
          "      - {id: \"any\", because: \"a: \\\"b\\\"\", upstream: [\"v\"], tools: "
          "[\"a\\\\*b\"]}\n"
          "      - {id: \"any-2\", because: \"a: \\\"b\\\"\", upstream: [\"u\"], tools: "
          "[\"tickets.get\"]}\n"
          "    deny: [{upstream: u, tools: \"*.refund\"}]\n"
          "  \"web\": {}\n");
  }
  SECTION("paths keep the policy's wildcards, and ids become wildcards below `**`") {
    usage.add(http("u", "GET", "/customers/17/notes/2026/a"));
    usage.add(http("u", "GET", "/customers/18/notes/7/a"));
    usage.add(http("u", "POST", "/customers/18/notes/7/a"));
    usage.add(http("u", "GET", "/customers/18/notes"));
    const std::string text = tighten(usage);
    CHECK(text.find("http: [\"GET /customers/*/notes\", \"GET,POST /customers/*/notes/*/a\"]") !=
          text.npos);
  }
  SECTION("a rule about everything comes down to what was called") {
    usage.add(http("all", "GET", "/a/5f0c1d2e"));
    usage.add(tool("ann", "all", "get"));
    usage.add(method("ann", "all", "initialize"));
    const std::string text = tighten(usage);
    CHECK(text.find("{id: \"whole\", upstream: [\"all\"], tools: [\"get\"]}") != text.npos);
    CHECK(text.find("{id: \"whole-2\", upstream: [\"all\"], http: [\"GET /a/*\"]}") != text.npos);
    CHECK(text.find("methods") == text.npos);
  }
  SECTION("who only looked may go on looking") {
    usage.add(method("bob", "w", "initialize"));
    usage.add(method("bob", "w", "tools/list"));
    CHECK(tighten(usage).find("methods: [\"initialize\", \"tools/list\"]") != std::string::npos);
  }
  SECTION("very many targets keep the pattern") {
    for (int i = 0; i < 1000; ++i) usage.add(tool("ann", "u", ("t" + std::to_string(i)).c_str()));
    CHECK(tighten(usage).find("tools: [\"*\"]") != std::string::npos);
  }
}

TEST_CASE("usage: the tightest policy allows what was seen and grants nothing new") {
  const size_t policies = testing::rounds(100, 4'000);
  size_t allowed = 0;
  for (size_t round = 0; round < policies; ++round) {
    const unsigned seed = testing::first_seed() + 11'000'000 + static_cast<unsigned>(round);
    reference::Generator generator(seed);
    const std::string text = reference::write_yaml(generator.policy());
    const SourceFile file{"policy.yaml", text};
    const auto policy = testing::load(text);
    if (policy->report()) continue;
    Usage usage(*policy);
    std::vector<reference::Call> calls;
    for (size_t i = 0; i < 120; ++i) calls.push_back(generator.call());
    const size_t seen = calls.size() / 2;
    const auto each = [&](size_t from, size_t to, auto visit) {
      for (size_t i = from; i < to; ++i) {
        const testing::RealCall real(calls[i]);
        const auto agent = static_cast<AgentId>(i % reference::Generator::kAgents);
        const bool serves =
            real.call().kind == Kind::kMethod && is_housekeeping(real.call().action);
        if (real.parsed() && !serves) visit(agent, real.call(), testing::shown(calls[i]));
      }
    };
    each(0, seen, [&](AgentId agent, const Call& call, const std::string&) {
      const Decision decision = policy->decide(agent, call);
      if (!decision.allowed()) return;
      RecordedCall recorded{policy->agents()[agent].name, call, Verdict::kAllow, decision.rule->id};
      REQUIRE(usage.add(recorded));
    });
    const std::string tight = tightest_policy({&file, 1}, usage);
    CAPTURE(seed, text, tight);
    const auto tightened = testing::load(tight);
    each(0, calls.size(), [&](AgentId agent, const Call& call, const std::string& shown) {
      CAPTURE(shown, agent);
      const Decision was = policy->decide(agent, call);
      const Decision is = tightened->decide(agent, call);
      if (is.allowed()) CHECK(was.allowed());
      if (was.denied()) CHECK_FALSE(is.allowed());
    });
    each(0, seen, [&](AgentId agent, const Call& call, const std::string& shown) {
      CAPTURE(shown, agent);
      if (!policy->decide(agent, call).allowed()) return;
      ++allowed;
      CHECK(tightened->decide(agent, call).allowed());
    });
  }
  CHECK(allowed > policies);
}

TEST_CASE("paths of one kind have one text") {
  CHECK(kind_of_path("/customers/17/notes") == "/customers/*/notes");
  CHECK(kind_of_path("/a/01a20105-af58-797d-aa10-91b2e7956408") == "/a/*");
  CHECK(kind_of_path("/v2/items") == "/v2/items");
  CHECK(kind_of_path("/") == "/");
  CHECK(kind_of_path("") == "");
  CHECK(kind_of_path("host:443") == "host:443");
}

}  // namespace
}  // namespace reeve::policy
