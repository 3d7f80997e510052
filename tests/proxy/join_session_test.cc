// Sessions of /mcp: whose they are, how many, and who opens an upstream.
#include <catch2/catch.hpp>

#include "proxy/join/session.h"

namespace reeve::join {
namespace {

TEST_CASE("a joined session is its agent's until it ends") {
  Sessions sessions;
  const auto session = sessions.begin("jordan", "2025-11-25", "{}");
  REQUIRE(session);
  CHECK(session->id.size() == 32);
  CHECK(sessions.find(session->id, "jordan") == session);
  CHECK_FALSE(sessions.find(session->id, "robin"));
  CHECK_FALSE(sessions.find("", "jordan"));
  CHECK(session->holder() != sessions.begin("jordan", "2025-11-25", "{}")->holder());
  sessions.end(session->id);
  CHECK_FALSE(sessions.find(session->id, "jordan"));
}

TEST_CASE("the session that was used least lately makes room, among its agent's alone") {
  Sessions sessions;
  const std::string other = sessions.begin("robin", "v", "{}")->id;
  const std::string first = sessions.begin("jordan", "v", "{}")->id;
  const std::string second = sessions.begin("jordan", "v", "{}")->id;
  for (size_t i = 2; i < Sessions::kMostPerAgent; ++i) sessions.begin("jordan", "v", "{}");
  CHECK(sessions.find(first, "jordan"));  // used again
  sessions.begin("jordan", "v", "{}");
  CHECK(sessions.find(first, "jordan"));
  CHECK_FALSE(sessions.find(second, "jordan"));
  CHECK(sessions.find(other, "robin"));
}

TEST_CASE("one opens an upstream, others wait for its end") {
  Session session("id", "jordan", "v", "{}", false);
  int woken = 0;
  const auto wake = [&woken] { ++woken; };
  CHECK(session.begin_opening("crm", wake));
  CHECK_FALSE(session.begin_opening("crm", wake));
  CHECK_FALSE(session.begin_opening("crm", wake));
  CHECK(session.way("crm").door == Session::Door::kOpening);
  CHECK(woken == 0);
  session.failed("crm");
  CHECK(woken == 2);
  CHECK(session.openings() == 0);
  CHECK(session.begin_opening("crm", wake));
  session.opened("crm", {"s1", "v1", "{}", ""});
  CHECK(session.way("crm").greeting.session == "s1");
  CHECK(session.openings() == 1);
  CHECK_FALSE(session.begin_opening("crm", wake));
  CHECK(woken == 3);  // at once
}

TEST_CASE("a session that an upstream lost is opened anew, once") {
  Session session("id", "jordan", "v", "{}", false);
  REQUIRE(session.begin_opening("crm", [] {}));
  session.opened("crm", {"s1", "v1", "{}", ""});
  const uint64_t first = session.way("crm").generation;
  session.lost("crm", first);
  REQUIRE(session.begin_opening("crm", [] {}));
  session.opened("crm", {"s2", "v1", "{}", ""});
  session.lost("crm", first);  // said again by a call of before
  CHECK(session.way("crm").greeting.session == "s2");
  CHECK(session.way("crm").door == Session::Door::kOpen);
}

TEST_CASE("a request is known while it is under way") {
  Session session("id", "jordan", "v", "{}", false);
  session.started("1", "crm");
  CHECK(session.place_of("1") == "crm");
  CHECK_FALSE(session.place_of("\"1\""));
  session.ended("1");
  CHECK_FALSE(session.place_of("1"));
}

TEST_CASE("an agent's modern calls share one bridge") {
  Sessions sessions;
  CHECK(sessions.bridge("jordan") == sessions.bridge("jordan"));
  CHECK(sessions.bridge("jordan") != sessions.bridge("robin"));
  CHECK(sessions.bridge("jordan")->holder() == "jordan");
}

}  // namespace
}  // namespace reeve::join
