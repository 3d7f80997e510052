#include "policy/stops.h"

#include <catch2/catch.hpp>

#include "policy/policy_set.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

constexpr const char* kPolicy = R"(
version: 1
agents:
  jordan: {owner: o, purpose: p, team: support, roles: [service]}
  robin: {owner: o, purpose: p, team: sales, roles: [clerk]}
roles:
  clerk: {allow: [{upstream: kb}]}
  service: {inherits: [clerk], allow: [{upstream: crm}]}
)";

Stop stop_of(StopScope scope, std::string name = {}) {
  return {scope, std::move(name), "lee", "because", Time{std::chrono::seconds{1}}, false, {}};
}

using Resumed = Stops::Resumed;

}  // namespace

TEST_CASE("a stop is of what it names, roles by inheritance", "[stops]") {
  const auto policy = testing::load(kPolicy);
  const auto stopped = [&](const Stops& stops, std::string_view agent, std::string_view upstream) {
    return stops.covering(stop_subject(*policy, agent), upstream) != nullptr;
  };
  struct Row {
    StopScope scope;
    const char* name;
    bool jordan, robin, on_crm;  // the last: jordan on crm
  };
  for (const Row& row : {Row{StopScope::kAll, "", true, true, true},
                         Row{StopScope::kAgent, "jordan", true, false, true},
                         Row{StopScope::kRole, "clerk", true, true, true},
                         Row{StopScope::kRole, "service", true, false, true},
                         Row{StopScope::kTeam, "sales", false, true, false},
                         Row{StopScope::kUpstream, "crm", false, false, true},
                         Row{StopScope::kUpstream, "kb", false, false, false}}) {
    INFO(to_string(row.scope) << " " << row.name);
    Stops stops;
    CHECK_FALSE(stopped(stops, "jordan", "crm"));
    stops.add(stop_of(row.scope, row.name));
    CHECK(stopped(stops, "jordan", {}) == row.jordan);
    CHECK(stopped(stops, "robin", {}) == row.robin);
    CHECK(stopped(stops, "jordan", "crm") == row.on_crm);
  }
}

TEST_CASE("each stop is resumed by its own name alone", "[stops]") {
  const auto policy = testing::load(kPolicy);
  Stops stops;
  stops.add(stop_of(StopScope::kRole, "service"));
  stops.add(stop_of(StopScope::kAgent, "jordan"));
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kResumed);
  CHECK(stops.covering(stop_subject(*policy, std::string_view("jordan")), {}) != nullptr);
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kOtherwise);
  CHECK(stops.resume(StopScope::kRole, "clerk", *policy) == Resumed::kNotStopped);
  CHECK(stops.resume(StopScope::kRole, "service", *policy) == Resumed::kResumed);
  CHECK(stops.empty());
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kNotStopped);
  CHECK(stops.resume(StopScope::kAgent, "nobody", *policy) == Resumed::kNotStopped);
}

TEST_CASE("a stop of all ends agent by agent", "[stops]") {
  const auto policy = testing::load(kPolicy);
  const auto stopped = [&](const Stops& stops, std::string_view agent) {
    return stops.covering(stop_subject(*policy, agent), {}) != nullptr;
  };
  Stops stops;
  stops.add(stop_of(StopScope::kAll));
  CHECK(stops.resume(StopScope::kAll, {}, *policy) == Resumed::kAll);
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kResumed);
  CHECK_FALSE(stopped(stops, "jordan"));
  CHECK(stopped(stops, "robin"));
  CHECK(stopped(stops, "hired-later"));
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kNotStopped);
  // Stopped anew, all of them are.
  stops.add(stop_of(StopScope::kAll));
  CHECK(stopped(stops, "jordan"));
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kResumed);
  CHECK(stops.resume(StopScope::kAgent, "robin", *policy) == Resumed::kResumed);
  CHECK(stops.empty());
}

TEST_CASE("who is retired is not resumed, nor stopped again", "[stops]") {
  const auto policy = testing::load(kPolicy);
  Stops stops;
  Stop retired = stop_of(StopScope::kAgent, "jordan");
  retired.retired = true;
  stops.add(retired);
  stops.add(stop_of(StopScope::kAgent, "jordan"));
  stops.add(stop_of(StopScope::kAll));
  const Stop* by = stops.covering(stop_subject(*policy, std::string_view("jordan")), {});
  REQUIRE(by != nullptr);
  CHECK(by->retired);
  CHECK(stops.resume(StopScope::kAgent, "jordan", *policy) == Resumed::kRetired);
}

TEST_CASE("scopes have names", "[stops]") {
  for (const char* name : {"all", "agent", "role", "team", "upstream"}) {
    REQUIRE(stop_scope(name));
    CHECK(to_string(*stop_scope(name)) == name);
  }
  CHECK_FALSE(stop_scope("everyone"));
}

}  // namespace reeve::policy
