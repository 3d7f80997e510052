// Exactly one agent must be proven, by whatever is presented (security.md's G14).
#include "proxy/identify.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "proxy/config.h"
#include "proxy/ids.h"

namespace reeve {
namespace {

std::string hash_of(std::string_view token) {
  const policy::Sha256 hash = sha256(token);
  std::string hex;
  append_hex(hex, hash.data(), hash.size());
  return hex;
}

std::shared_ptr<const policy::PolicySet> two_agents() {
  const std::string text = fmt::format(R"(
version: 1
agents:
  jordan: {{owner: o@x, purpose: p, team: t, roles: [r], expires: 2099-01-01,
    identity: [{{token_sha256: {}}}, {{listener: local}}]}}
  robin: {{owner: o@x, purpose: p, team: t, roles: [r], expires: 2099-01-01,
    identity: [{{token_sha256: {}}}]}}
roles: {{r: {{allow: [{{upstream: crm}}]}}}}
)",
                                       hash_of("jordans-token"), hash_of("robins-token"));
  Diagnostics diagnostics;
  const policy::SourceFile file{"policy.yaml", text};
  auto policy = policy::PolicySet::load({&file, 1}, {}, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) UNSCOPED_INFO(to_string(diagnostic));
  REQUIRE(policy);
  return policy;
}

struct Row {
  const char* listener;
  std::vector<http::Field> fields;
  const char* agent;  // null: refused
};

TEST_CASE("one agent is proven, or nobody") {
  const auto policy = two_agents();
  // "x:jordans-token" and "robins-token:" and no colon at all
  const char* basic_jordan = "Basic eDpqb3JkYW5zLXRva2Vu";
  const std::vector<Row> rows = {
      {"other", {}, nullptr},
      {"local", {}, "jordan"},
      {"other", {{"Authorization", "Bearer jordans-token"}}, "jordan"},
      {"other", {{"authorization", "bearer robins-token"}}, "robin"},
      {"other", {{"X-API-Key", "robins-token"}}, "robin"},
      {"other", {{"Proxy-Authorization", "Bearer robins-token"}}, "robin"},
      {"other", {{"Proxy-Authorization", basic_jordan}}, "jordan"},
      {"other", {{"Authorization", basic_jordan}}, nullptr},
      {"local", {{"Authorization", "Bearer jordans-token"}}, "jordan"},
      {"local", {{"Authorization", "Bearer robins-token"}}, nullptr},
      {"local", {{"Authorization", "Bearer nobodys"}}, nullptr},
      {"other",
       {{"Authorization", "Bearer jordans-token"}, {"x-api-key", "jordans-token"}},
       "jordan"},
      {"other",
       {{"Authorization", "Bearer jordans-token"}, {"x-api-key", "robins-token"}},
       nullptr},
      {"other", {{"Authorization", "Bearer jordans-token"}, {"x-api-key", "nobodys"}}, nullptr},
      {"other",
       {{"Authorization", "Bearer jordans-token"}, {"Authorization", "Bearer jordans-token"}},
       nullptr},
      {"other", {{"Authorization", "jordans-token"}}, nullptr},
      {"other", {{"Authorization", "Bearer "}}, nullptr},
      {"other", {{"Authorization", "Bearer jordans-token extra"}}, nullptr},
      {"other", {{"Authorization", "Bearer jordans-token,Bearer robins-token"}}, nullptr},
      {"other", {{"Authorization", "Digest jordans-token"}}, nullptr},
      {"other", {{"Proxy-Authorization", "Basic !!!"}}, nullptr},
      {"other", {{"Proxy-Authorization", "Basic bm9jb2xvbg=="}}, nullptr},
      {"other", {{"Authorization", "Bearer JORDANS-TOKEN"}}, nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.listener, row.fields.size(),
            row.fields.empty() ? "" : std::string(row.fields[0].value));
    http::Fields fields;
    fields.list = row.fields;
    const auto agent = identify(*policy, row.listener, fields);
    REQUIRE(agent.ok() == (row.agent != nullptr));
    if (row.agent) {
      CHECK(policy->agents()[*agent].name == row.agent);
    } else {
      // What is answered never repeats what was presented.
      for (const http::Field& field : row.fields) {
        if (field.value.size() < 12) continue;
        CHECK(std::string(agent.error().detail).find(field.value) == std::string::npos);
      }
    }
  }
}

}  // namespace
}  // namespace reeve
