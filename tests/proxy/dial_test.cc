// Which answers of a resolver are dialled: lists of addresses stand in for the resolver.
#include "proxy/dial.h"

#include <boost/asio/ip/address.hpp>
#include <catch2/catch.hpp>

namespace reeve {
namespace {

Config config(std::initializer_list<const char*> allow = {}) {
  Config made;
  ListenerConfig local;
  local.address = {"127.0.0.1", 8700};
  ListenerConfig everywhere;
  everywhere.address = {"0.0.0.0", 8702};
  ListenerConfig mapped;
  mapped.address = {"::ffff:127.0.0.9", 8703};
  made.listeners = {local, everywhere, mapped};
  made.admin.emplace();
  made.admin->address = {"::1", 8701};
  for (const char* range : allow) made.dial_allow.push_back(*net::Cidr::parse(range));
  return made;
}

Endpoints endpoints(std::initializer_list<const char*> addresses, uint16_t port) {
  Endpoints all;
  for (const char* one : addresses) all.emplace_back(net::asio::ip::make_address(one), port);
  return all;
}

bool may(const Config& wiring, std::initializer_list<const char*> addresses, uint16_t port = 443) {
  return DialRules(wiring).forbidden(endpoints(addresses, port)) == nullptr;
}

TEST_CASE("public addresses are dialled, others where a range names them") {
  CHECK(may(config(), {"8.8.8.8"}));
  CHECK(may(config(), {"2606:4700::1111"}));
  CHECK_FALSE(may(config(), {"127.0.0.1"}));
  CHECK_FALSE(may(config(), {"169.254.169.254"}));
  CHECK(may(config({"127.0.0.0/8"}), {"127.0.0.1"}));
  CHECK(may(config({"10.0.0.0/8", "fd00::/8"}), {"fd12::1"}));
  CHECK_FALSE(may(config({"10.0.0.0/8"}), {"11.0.0.1", "192.168.0.1"}));
  // An IPv4 range does not let its addresses in by another way.
  CHECK_FALSE(may(config({"127.0.0.0/8"}), {"::ffff:127.0.0.1"}));
  CHECK_FALSE(may(config({"127.0.0.0/8"}), {"64:ff9b::7f00:1"}));
  CHECK_FALSE(may(config({"127.0.0.0/8"}), {"2002:7f00:1::1"}));
}

TEST_CASE("one address that may not be dialled forbids a mixed answer, wherever it stands") {
  CHECK(may(config(), {"8.8.8.8", "2606:4700::1111"}));
  CHECK_FALSE(may(config(), {"8.8.8.8", "10.0.0.1"}));
  CHECK_FALSE(may(config(), {"10.0.0.1", "8.8.8.8"}));
  CHECK_FALSE(may(config(), {"8.8.8.8", "8.8.4.4", "::1"}));
  CHECK_FALSE(may(config(), {"8.8.8.8", "::ffff:10.0.0.1"}));
  CHECK(may(config({"10.0.0.0/24"}), {"8.8.8.8", "10.0.0.1"}));
}

TEST_CASE("the sidecar's own listeners are never dialled, whatever is allowed") {
  const Config all = config({"0.0.0.0/0", "::/0"});
  CHECK(may(all, {"127.0.0.1"}, 8699));
  CHECK_FALSE(may(all, {"127.0.0.1"}, 8700));
  CHECK_FALSE(may(all, {"::ffff:127.0.0.1"}, 8700));
  CHECK_FALSE(may(all, {"0.0.0.0"}, 8700));
  CHECK_FALSE(may(all, {"::"}, 8701));
  CHECK_FALSE(may(all, {"::1"}, 8701));
  CHECK_FALSE(may(all, {"127.0.0.9"}, 8703));
  CHECK_FALSE(may(all, {"8.8.8.8", "127.0.0.1"}, 8700));
  // A listener on all addresses is behind each of this host's, and behind no other.
  CHECK_FALSE(may(all, {"127.0.0.1"}, 8702));
  CHECK_FALSE(may(all, {"127.3.4.5"}, 8702));
  CHECK_FALSE(may(all, {"::1"}, 8702));
  CHECK(may(all, {"8.8.8.8"}, 8702));
}

TEST_CASE("an upstream may be inside, but is no service of the link, and never the sidecar") {
  const auto serves = [](const Config& wiring, const char* address, bool by_name) {
    const net::asio::ip::tcp::endpoint at(net::asio::ip::make_address(address), 80);
    return DialRules(wiring).forbidden_upstream(at, by_name) == nullptr;
  };
  for (const char* inside : {"127.0.0.1", "10.0.0.1", "192.168.1.1", "fd00::1", "8.8.8.8"}) {
    CHECK(serves(config(), inside, true));
  }
  for (const char* none : {"169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1",
                           "255.255.255.255", "0.0.0.0", "::", "ff02::1"}) {
    CAPTURE(none);
    CHECK_FALSE(serves(config(), none, true));
    CHECK(serves(config(), none, false));  // reeve.yaml names it in figures
  }
  CHECK(serves(config({"169.254.169.254/32"}), "169.254.169.254", true));
  const net::asio::ip::tcp::endpoint own(net::asio::ip::make_address("127.0.0.1"), 8700);
  for (const bool by_name : {true, false}) {
    CHECK(DialRules(config({"0.0.0.0/0"})).forbidden_upstream(own, by_name) != nullptr);
  }
}

TEST_CASE("answers that change from one look to the next never reach the inside") {
  const DialRules rules(config());
  for (int i = 0; i < 1000; ++i) {
    const bool inside = i % 2 == 1;
    const Endpoints answer = endpoints({inside ? "127.0.0.1" : "8.8.8.8"}, 443);
    CHECK((rules.forbidden(answer) != nullptr) == inside);
  }
}

}  // namespace
}  // namespace reeve
