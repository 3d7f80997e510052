// What differs between two policies: each key of the language, whom it reaches, and that what
// means the same is no change.
#include "policy/changes.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

const std::string kBase = R"(version: 1
currency: USD
agents:
  ann: {owner: o, purpose: p, team: t, roles: [base], expires: 2999-01-01}
  bob: {owner: o, purpose: p, team: t, roles: [base, more], expires: 2999-01-01}
roles:
  base:
    limits: [60 calls per minute]
    allow:
      - {upstream: u, tools: [get, set]}
  more:
    inherits: base
    ask:
      - {id: sure, upstream: u, tools: pay, approvers: leads, when: {args.n: {above: 100}}}
  idle:
    deny: [{upstream: v}]
approvers: {leads: {members: [lee@acme.example]}}
budgets: {day: {for: everyone, limit: 10 USD per day}}
guards: {pii: {patterns: [email], on: result, then: redact}}
prices: [{upstream: u, tools: get, cost: 1 USD}]
)";

std::string with(std::initializer_list<std::pair<const char*, const char*>> edits,
                 std::string text = kBase) {
  for (const auto& [from, to] : edits) {
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string_view(from).size(), to);
  }
  return text;
}

// Each change in a line.
std::string changes(const std::string& before, const std::string& after) {
  testing::load(before);
  testing::load(after);
  const SourceFile old_file{"old.yaml", before}, new_file{"new.yaml", after};
  std::string text;
  for (const Change& change : list_changes({&old_file, 1}, {&new_file, 1})) {
    text += std::string(to_string(change.how)) + " " + change.subject;
    for (const std::string& part : {change.name, change.key}) {
      if (!part.empty()) text += " " + part;
    }
    for (const std::string& agent : change.agents) text += " @" + agent;
    text += ": " + change.before + " -> " + change.after + "\n";
  }
  return text;
}

TEST_CASE("changes: rules by pattern and by whom they reach") {
  CHECK(changes(kBase, with({{"[get, set]", "[get, del]"}})) ==
        "added rule @ann @bob:  -> allow u tools del\n"
        "removed rule @ann @bob: allow u tools set -> \n");
  CHECK(changes(kBase, with({{"above: 100", "above: 50"}})) ==
        "removed rule @bob: ask u tools pay approvers leads when {args.n: {above: 100}} -> \n"
        "added rule @bob:  -> ask u tools pay approvers leads when {args.n: {above: 50}}\n");
  CHECK(changes(kBase, with({{"upstream: v", "upstream: w"}})) ==
        "removed rule: deny v everything -> \nadded rule:  -> deny w everything\n");
  CHECK(changes(kBase, with({{"60 calls", "30 calls"}})) ==
        "added limit @ann @bob:  -> limit 30 calls per minute\n"
        "removed limit @ann @bob: limit 60 calls per minute -> \n");
  CHECK(changes(kBase, with({{"roles: [base]", "roles: [base, more]"}})) ==
        "changed agent ann roles: [base] -> [base, more]\n"
        "added rule @ann:  -> ask u tools pay approvers leads when {args.n: {above: 100}}\n");
}

TEST_CASE("changes: what means the same is none") {
  CHECK(changes(kBase, kBase).empty());
  CHECK(changes(kBase, "# news\n" + with({{"id: sure, ", ""}, {"[get, set]", "[\"set\", 'get']"}}))
            .empty());
  CHECK(changes(kBase, with({{"allow:\n      - {upstream: u, tools: [get, set]}",
                              "allow:\n      - {upstream: u, tools: get}\n"
                              "      - {tools: set, upstream: [u]}"}}))
            .empty());
  // A rule that moved into a role that the same agents have.
  CHECK(changes(kBase,
                with({{"inherits: base", "inherits: [base, other]"},
                      {"    ask:\n      - {id: sure", "  other:\n    ask:\n      - {id: sure"}}))
            .find("rule") == std::string::npos);
}

TEST_CASE("changes: everything else that a policy says") {
  const auto changed = [](const char* from, const char* to) {
    return changes(kBase, with({{from, to}}));
  };
  CHECK(changed("version: 1", "version: 1\nmode: report") == "changed policy mode:  -> report\n");
  CHECK(changed("2999-01-01}\n  bob", "2998-01-01}\n  bob") ==
        "changed agent ann expires: 2999-01-01 -> 2998-01-01\n");
  CHECK(changed("10 USD per", "20 USD per") ==
        "changed budget day limit: 10 USD per day -> 20 USD per day\n");
  CHECK(changed("cost: 1", "cost: 2") ==
        "removed price: {upstream: u, tools: get, cost: 1 USD} -> \n"
        "added price:  -> {upstream: u, tools: get, cost: 2 USD}\n");
  CHECK(changed("then: redact", "then: deny") == "changed guards pii then: redact -> deny\n");
  CHECK(changed("[lee@acme.example]", "[sam@acme.example]") ==
        "changed approvers leads members: [lee@acme.example] -> [sam@acme.example]\n");
  CHECK(changed("  bob:", "  eve: {owner: o, purpose: p, team: t}\n  bob:") ==
        "added agent eve:  -> {owner: o, purpose: p, team: t}\n");
  // A number and the text of the same digits are two values.
  CHECK(changed("above: 100", "is: \"100\"").find("{is: \"100\"}") != std::string::npos);
}

TEST_CASE("changes: an agent that goes loses what it had") {
  const std::string without =
      with({{"  ann: {owner: o, purpose: p, team: t, roles: [base], expires: 2999-01-01}\n", ""}});
  CHECK(changes(kBase, without) ==
        "removed agent ann: {owner: o, purpose: p, team: t, roles: [base], expires: 2999-01-01} -> "
        "\nremoved rule @ann: allow u tools get -> \nremoved rule @ann: allow u tools set -> \n"
        "removed limit @ann: limit 60 calls per minute -> \n");
}

}  // namespace
}  // namespace reeve::policy
