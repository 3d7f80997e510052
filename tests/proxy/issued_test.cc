// Whose a server's values are.
#include "proxy/issued.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve {
namespace {

using Kind = Issued::Kind;

TEST_CASE("a value is whom it was given to, and one that nobody got is anybody's") {
  Issued issued;
  CHECK(issued.may_use(Kind::kCursor, "crm", "p2", "ann"));
  issued.issue(Kind::kCursor, "crm", "p2", "ann");
  CHECK(issued.may_use(Kind::kCursor, "crm", "p2", "ann"));
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "p2", "bob"));
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "p2", "an"));
  // Another upstream's, another kind's, another value.
  CHECK(issued.may_use(Kind::kCursor, "kb", "p2", "bob"));
  CHECK(issued.may_use(Kind::kEvent, "crm", "p2", "bob"));
  CHECK(issued.may_use(Kind::kCursor, "crm", "P2", "bob"));
  CHECK(issued.may_use(Kind::kCursor, "cr", "m\np2", "bob"));
  CHECK(issued.is_own(Kind::kCursor, "crm", "p2", "ann"));
  CHECK_FALSE(issued.is_own(Kind::kCursor, "crm", "p2", "bob"));
  CHECK_FALSE(issued.is_own(Kind::kTask, "crm", "p2", "ann"));
  issued.issue(Kind::kCursor, "crm", "p2", "bob");
  CHECK(issued.may_use(Kind::kCursor, "crm", "p2", "bob"));
  CHECK(issued.may_use(Kind::kCursor, "crm", "p2", "ann"));
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "p2", "cat"));
}

TEST_CASE(
    "so many of an agent are remembered, those issued last; no other agent's are pushed out") {
  Issued issued;
  issued.issue(Kind::kCursor, "crm", "bobs", "bob");
  issued.issue(Kind::kEvent, "crm", "event", "ann");
  for (size_t i = 0; i < Issued::kMostPerAgent; ++i) {
    issued.issue(Kind::kCursor, "crm", std::to_string(i), "ann");
  }
  issued.issue(Kind::kCursor, "crm", "0", "ann");  // again: it is the newest
  issued.issue(Kind::kCursor, "crm", "1", "cat");
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "1", "bob"));
  issued.issue(Kind::kCursor, "crm", "one more", "ann");
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "0", "bob"));
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "1", "ann"));  // forgotten, and cat's
  CHECK(issued.may_use(Kind::kCursor, "crm", "1", "cat"));
  issued.issue(Kind::kCursor, "crm", "and one", "ann");
  CHECK(issued.may_use(Kind::kCursor, "crm", "2", "bob"));  // forgotten, nobody's
  CHECK_FALSE(issued.may_use(Kind::kCursor, "crm", "bobs", "ann"));
  CHECK_FALSE(issued.may_use(Kind::kEvent, "crm", "event", "bob"));
}

}  // namespace
}  // namespace reeve
