// SPIFFE IDs, by the rules of SPIFFE-ID.md, sections 2.1 and 2.2.
#include "policy/spiffe_id.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve::policy {
namespace {

TEST_CASE("what is the SPIFFE ID of a workload") {
  const std::string good[] = {"spiffe://acme.example/agents/jordan", "spiffe://a/b",
                              "spiffe://a-b_c.d/X.y", "spiffe://a/...",
                              "spiffe://a/" + std::string(2048 - 11, 'x')};
  for (const std::string& each : good) {
    CAPTURE(each);
    CHECK(is_spiffe_id(each));
  }
  CHECK(trust_domain("spiffe://acme.example/agents/jordan") == "acme.example");
}

TEST_CASE("what is none") {
  const std::string bad[] = {"",
                             "spiffe://",
                             "spiffe:///a",
                             "spiffe://a",
                             "spiffe://a/",
                             "spiffe://a//b",
                             "spiffe://a/b/",
                             "spiffe://a/./b",
                             "spiffe://a/..",
                             "SPIFFE://a/b",
                             "Spiffe://a/b",
                             "spiffe:/a/b",
                             "https://a/b",
                             "spiffe://Acme.example/b",
                             "spiffe://a:443/b",
                             "spiffe://u@a/b",
                             "spiffe://a/b?c",
                             "spiffe://a/b#c",
                             "spiffe://a/%62",
                             "spiffe://a/b c",
                             "spiffe://a/b\n",
                             std::string("spiffe://a/b\0c", 14),
                             "spiffe://\xc3\xa4/b",
                             "spiffe://a/\xc3\xa4",
                             " spiffe://a/b",
                             "spiffe://a/" + std::string(2048 - 10, 'x'),
                             "spiffe://" + std::string(256, 'a') + "/b"};
  for (const std::string& each : bad) {
    CAPTURE(each);
    CHECK_FALSE(is_spiffe_id(each));
  }
  CHECK(is_trust_domain("acme.example"));
  CHECK(is_trust_domain(std::string(255, 'a')));
  CHECK_FALSE(is_trust_domain(""));
  CHECK_FALSE(is_trust_domain("acme/example"));
}

}  // namespace
}  // namespace reeve::policy
