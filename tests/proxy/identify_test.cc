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
    const auto agent = identify(*policy, {row.listener}, fields, policy::Time{});
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

TEST_CASE("a uid and a certificate prove their agent, and no credential may prove another") {
  const std::string text = fmt::format(R"(
version: 1
agents:
  jordan: {{owner: o@x, purpose: p, team: t, roles: [r], expires: 2099-01-01,
    identity: [{{token_sha256: {}}}, {{unix_uid: 1001}}, {{spiffe: spiffe://acme.example/jordan}}]}}
  robin: {{owner: o@x, purpose: p, team: t, roles: [r], expires: 2099-01-01,
    identity: [{{unix_uid: 1002}}, {{spiffe: spiffe://acme.example/robin}}]}}
roles: {{r: {{allow: [{{upstream: crm}}]}}}}
)",
                                       hash_of("jordans-token"));
  Diagnostics diagnostics;
  const policy::SourceFile file{"policy.yaml", text};
  const auto policy = policy::PolicySet::load({&file, 1}, {}, diagnostics);
  REQUIRE(policy);
  const policy::Time now =
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto certificate = [&](const char* id, std::chrono::hours left = std::chrono::hours(1)) {
    return tls::Svid{id, "", now + left};
  };
  const tls::Svid jordan = certificate("spiffe://acme.example/jordan");
  const tls::Svid robin = certificate("spiffe://acme.example/robin");
  const tls::Svid nobody = certificate("spiffe://acme.example/nobody");
  const tls::Svid expired = certificate("spiffe://acme.example/jordan", std::chrono::hours(0));
  const tls::Svid faulty{"", "the client certificate is a CA's", now + std::chrono::hours(1)};
  struct Case {
    Caller caller;
    bool token;
    const char* agent;
  };
  const Case cases[] = {
      {{"l", 1001}, false, "jordan"},        {{"l", 1002}, false, "robin"},
      {{"l", 1003}, false, nullptr},         {{"l", 0}, false, nullptr},
      {{"l", 1003}, true, "jordan"},         {{"l", 1001}, true, "jordan"},
      {{"l", 1002}, true, nullptr},          {{"l", {}, &jordan}, false, "jordan"},
      {{"l", {}, &jordan}, true, "jordan"},  {{"l", {}, &robin}, true, nullptr},
      {{"l", {}, &nobody}, false, nullptr},  {{"l", {}, &nobody}, true, nullptr},
      {{"l", {}, &expired}, false, nullptr}, {{"l", {}, &expired}, true, nullptr},
      {{"l", {}, &faulty}, true, nullptr},   {{"l", 1001, &jordan}, false, "jordan"},
      {{"l", 1001, &robin}, false, nullptr},
  };
  for (const Case& each : cases) {
    CAPTURE(each.caller.uid.value_or(0), each.token,
            each.caller.certificate ? each.caller.certificate->id : "");
    http::Fields fields;
    if (each.token) fields.list = {{"Authorization", "Bearer jordans-token"}};
    const auto agent = identify(*policy, each.caller, fields, now);
    REQUIRE(agent.ok() == (each.agent != nullptr));
    if (each.agent) CHECK(policy->agents()[*agent].name == each.agent);
  }
}

}  // namespace
}  // namespace reeve
