// The views of several workers put together, and whether an upstream counts as up.
#include <catch2/catch.hpp>

#include "proxy/upstream/status.h"

namespace reeve {
namespace {

using State = Health::State;

policy::Time at(int seconds) { return policy::Time{} + std::chrono::seconds(seconds); }

AddressStatus address(State state, int seen) {
  AddressStatus made;
  made.address = "127.0.0.1:80";
  made.host = "crm";
  made.state = state;
  made.open = 2;
  made.idle = 1;
  if (seen > 0) made.seen_at = at(seen);
  return made;
}

UpstreamStatus upstream(std::vector<AddressStatus> addresses, std::string error = {}) {
  UpstreamStatus made;
  made.name = "crm";
  made.in_use = 3;
  made.sites.push_back({"crm", true, std::move(error), {}});
  made.addresses = std::move(addresses);
  return made;
}

TEST_CASE("an upstream is up while some address is believed to answer") {
  CHECK(upstream({}).up());
  CHECK_FALSE(upstream({}, "no such name").up());
  CHECK(upstream({address(State::kUp, 1)}, "no such name").up());  // an old answer serves
  CHECK(upstream({address(State::kFailing, 1)}).up());
  CHECK_FALSE(upstream({address(State::kDown, 1)}).up());
  CHECK_FALSE(upstream({address(State::kEjected, 1), address(State::kProbing, 1)}).up());
  CHECK(upstream({address(State::kEjected, 1), address(State::kUp, 1)}).up());
}

TEST_CASE("of an address's state the worker counts that saw it last") {
  const auto view = [](UpstreamStatus one) {
    return std::make_shared<const UpstreamStatuses>(UpstreamStatuses{std::move(one)});
  };
  const std::vector<std::shared_ptr<const UpstreamStatuses>> views{
      view(upstream({address(State::kUp, 5)})), nullptr, view(upstream({address(State::kDown, 9)})),
      view(upstream({address(State::kUp, 0)}))};
  const UpstreamStatuses all = merged(views);
  REQUIRE(all.size() == 1);
  CHECK(all[0].in_use == 9);
  REQUIRE(all[0].addresses.size() == 1);
  CHECK(all[0].addresses[0].state == State::kDown);
  CHECK(all[0].addresses[0].open == 6);
  CHECK(all[0].addresses[0].idle == 3);
  CHECK_FALSE(all[0].up());
  CHECK(merged({}).empty());
}

TEST_CASE("as JSON") {
  AddressStatus one = address(State::kEjected, 1);
  one.last_error = "connect: \"refused\"";
  one.ejected_until = at(2);
  CHECK(to_json({upstream({one})}) ==
        "{\"upstreams\":[{\"upstream\":\"crm\",\"up\":false,\"in_use\":3,\"waiting\":0,"
        "\"hosts\":[{\"host\":\"crm\"}],\"addresses\":[{\"address\":\"127.0.0.1:80\","
        "\"host\":\"crm\",\"state\":\"ejected\",\"open\":2,\"idle\":1,\"failures\":0,"
        "\"ejections\":0,\"seen\":\"1970-01-01T00:00:01.000000Z\","
        "\"last_error\":\"connect: \\\"refused\\\"\","
        "\"ejected_until\":\"1970-01-01T00:00:02.000000Z\"}]}]}");
}

}  // namespace
}  // namespace reeve
