// When the body of an HTTP request is read as JSON, and that one which is not read is in doubt.
#include "policy/json_body.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/explain.h"
#include "tests/support/policy_loader.h"

namespace reeve::policy {
namespace {

using testing::load;

TEST_CASE("what a body is, by its head") {
  using Kind = BodyForm::Kind;
  struct Row {
    std::vector<Field> headers;
    Kind kind;
  };
  const Row rows[] = {
      {{}, Kind::kOther},
      {{{"content-type", "application/json"}}, Kind::kJson},
      {{{"Content-Type", "Application/JSON ; charset=utf-8"}}, Kind::kJson},
      {{{"content-type", "application/vnd.x+json;charset=\"UTF-8\""}}, Kind::kJson},
      {{{"content-type", "text/plain"}}, Kind::kOther},
      {{{"content-type", "text/json"}}, Kind::kOther},
      {{{"content-type", "application/json; charset=utf-16"}}, Kind::kRefused},
      {{{"content-type", "application/json; charset"}}, Kind::kRefused},
      {{{"content-type", "application/json"}, {"content-encoding", "gzip"}}, Kind::kRefused},
      {{{"content-type", "application/json"}, {"Content-Type", "text/plain"}}, Kind::kRefused},
      {{{"content-type", "text/plain"}, {"content-encoding", "gzip"}}, Kind::kOther},
  };
  for (const Row& row : rows) {
    CAPTURE(row.headers.empty() ? "" : row.headers[0].value);
    CHECK(body_form(row.headers).kind == row.kind);
  }
}

TEST_CASE("a body that is not read is neither absent nor what stands in for it") {
  const auto policy = load(R"(
agents: {a: {owner: o, purpose: p, team: t, roles: [r]}}
roles:
  r:
    allow:
      - {upstream: u, http: "POST /absent", when: {args.x: {present: false}}}
      - {upstream: u, http: "POST /default", when: {args.x: {default: 0, max: 1}}}
      - {upstream: u, http: "POST /denied"}
    deny:
      - {upstream: u, http: "POST /denied", when: {args.x: {present: true}}}
)");
  struct Row {
    const char* type;  // null: no body at all
    const char* absent;
    const char* stands_in;
    const char* denied;
  };
  const Row rows[] = {
      {nullptr, "allow", "allow", "allow"},
      {"application/json", "deny", "deny", "deny"},
      {"text/plain", "deny", "deny", "deny"},
      {"application/x-www-form-urlencoded", "deny", "deny", "deny"},
      {"application/json; charset=utf-16", "malformed", "malformed", "malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type ? row.type : "");
    const auto outcome = [&](const char* path) {
      CallSpec call;
      call.upstream = "u";
      REQUIRE(call.set_http(std::string("POST ") + path));
      if (row.type) {
        call.headers.emplace_back("content-type", row.type);
        call.body = R"({"x": 9})";
      }
      return std::string(outcome_of(explain(*policy, "a", call, Time{})));
    };
    CHECK(outcome("/absent") == row.absent);
    CHECK(outcome("/default") == row.stands_in);
    CHECK(outcome("/denied") == row.denied);
  }
}

}  // namespace
}  // namespace reeve::policy
