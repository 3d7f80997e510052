// The commands that look at a policy: exit codes, and command lines that are refused.
#include "proxy/commands/commands.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "proxy/commands/arguments.h"

namespace reeve::commands {
namespace {

using Words = std::vector<std::string>;

// A folder of its own that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "reeve-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

constexpr const char* kPolicy =
    "agents:\n"
    "  ann: {owner: o, purpose: p, team: t, roles: [r], expires: 2999-01-01, identity: [{listener: "
    "l}]}\n"
    "roles:\n  r:\n    allow:\n      - {upstream: u, tools: get}\n      - {upstream: u, http: GET "
    "/a}\n";

TEST_CASE("explain: exit codes") {
  const Folder folder;
  const std::string policy = folder.write("policy.yaml", kPolicy);
  const auto run = [&](Words words) {
    words.insert(words.begin(), {"-p", policy, "--upstream", "u"});
    return explain(words);
  };
  CHECK(run({"--agent", "ann", "--tool", "get"}) == 0);
  CHECK(run({"--agent", "ann", "--tool=get", "--json"}) == 0);
  CHECK(run({"--agent", "ann", "--http", "GET /a?x=1", "--header", "X: y"}) == 0);
  CHECK(run({"--agent", "ann", "--tool", "set"}) == 4);
  CHECK(run({"--agent", "ann", "--tool", "get", "--at", "2999-01-02T00:00:00Z"}) == 4);
  CHECK(run({"--agent", "bob", "--tool", "get"}) == 5);
  CHECK(run({"--agent", "ann", "--tool", "get", "--args", "{"}) == 5);
  CHECK(run({"--agent", "ann", "--http", "GET /a/.."}) == 5);
  CHECK(run({"--tool", "get"}) == 2);
  CHECK(run({"--agent", "ann"}) == 2);
  CHECK(run({"--agent", "ann", "--tool", "get", "--prompt", "p"}) == 2);
  CHECK(run({"--agent", "ann", "--tool", "get", "--at", "noon"}) == 2);
  CHECK(run({"--agent", "ann", "--http", "GET"}) == 2);
  CHECK(run({"--agent", "ann", "--tool"}) == 2);
  CHECK(run({"--agnet", "ann", "--tool", "get"}) == 2);
  CHECK(run({"--agent", "ann", "--agent", "bob", "--tool", "get"}) == 2);
  CHECK(run({"--agent", "ann", "--tool", "get", "stray"}) == 2);
  CHECK(explain({"--help"}) == 0);
  CHECK(explain({"-p", policy + "x", "--upstream", "u", "--agent", "a", "--tool", "t"}) == 2);
}

TEST_CASE("check: exit codes") {
  const Folder folder;
  const std::string good = folder.write("policy.yaml", kPolicy);
  const std::string warns = folder.write("warns.yaml", "roles: {r: {allow: {upstream: u}}}\n");
  const std::string bad = folder.write("bad.yaml", "rolls: {}\n");
  const std::string tests = folder.write("tests.yaml", "policy: policy.yaml\ncases: []\n");
  CHECK(check({good}) == 0);
  CHECK(check({good, "--strict"}) == 0);
  CHECK(check({warns}) == 0);
  CHECK(check({warns, "--strict"}) == 1);
  CHECK(check({bad}) == 1);
  CHECK(check({good, bad, "--json"}) == 1);
  CHECK(check({tests}) == 0);
  CHECK(check({good + "x"}) == 1);
  CHECK(check({"/dev/null"}) == 1);
  CHECK(check({}) == 2);
  CHECK(check({"--stict", good}) == 2);
}

TEST_CASE("test and access: exit codes") {
  const Folder folder;
  const std::string policy = folder.write("policy.yaml", kPolicy);
  const std::string head = "policy: policy.yaml\ncases:\n  - {agent: ann, call: {upstream: u, ";
  CHECK(test({folder.write("a.yaml", head + "tool: get}, expect: allow}\n")}) == 0);
  CHECK(test({folder.write("b.yaml", head + "tool: set}, expect: allow}\n"), "--json"}) == 1);
  CHECK(test({folder.write("c.yaml", head + "tool: set}\n")}) == 1);
  CHECK(test({folder.write("d.yaml", "policy: none.yaml\ncases: []\n")}) == 1);
  CHECK(test({}) == 2);
  CHECK(access({"-p", policy}) == 0);
  CHECK(access({"-p", policy, "--json", "--tool", "get"}) == 0);
  CHECK(access({"-p", policy, "--agent", "an"}) == 2);
  CHECK(access({"-p", policy + "x"}) == 1);
  CHECK(access({}) == 2);
}

}  // namespace
}  // namespace reeve::commands
