// A session id is worth something only to the agent that was given it.
#include "proxy/mcp_sessions.h"

#include <boost/asio/ip/address.hpp>
#include <catch2/catch.hpp>

namespace reeve {
namespace {

TEST_CASE("a session belongs to one agent, on one upstream, until it ends") {
  McpSessions sessions;
  CHECK(sessions.may_use("crm", "s1", "robin"));  // never seen: the server's to judge
  sessions.bind("crm", "s1", "jordan");
  CHECK(sessions.may_use("crm", "s1", "jordan"));
  CHECK_FALSE(sessions.may_use("crm", "s1", "robin"));
  CHECK(sessions.may_use("kb", "s1", "robin"));
  sessions.bind("crm", "s1", "robin");  // issued twice
  CHECK(sessions.may_use("crm", "s1", "jordan"));
  CHECK_FALSE(sessions.may_use("crm", "s1", "robin"));
  sessions.forget("crm", "s1");
  CHECK(sessions.may_use("crm", "s1", "robin"));
  sessions.forget("crm", "s1");
}

TEST_CASE("a session stays at the address that began it") {
  McpSessions sessions;
  const McpSessions::Endpoint here(net::asio::ip::make_address("10.0.0.1"), 80);
  CHECK_FALSE(sessions.place("crm", "s1"));
  sessions.bind("crm", "s1", "jordan", here);
  CHECK(sessions.place("crm", "s1") == here);
  CHECK_FALSE(sessions.place("kb", "s1"));
  sessions.forget("crm", "s1");
  CHECK_FALSE(sessions.place("crm", "s1"));
}

TEST_CASE("an agent's many sessions push out only its own oldest") {
  McpSessions sessions;
  sessions.bind("crm", "precious", "jordan");
  for (size_t i = 0; i < McpSessions::kMostPerAgent + 1; ++i) {
    sessions.bind("crm", "flood" + std::to_string(i), "robin");
  }
  CHECK_FALSE(sessions.may_use("crm", "precious", "robin"));
  CHECK(sessions.may_use("crm", "flood0", "jordan"));  // forgotten
  CHECK_FALSE(sessions.may_use("crm", "flood1", "jordan"));
}

}  // namespace
}  // namespace reeve
