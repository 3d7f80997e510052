#include "proxy/store/agent_store.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace reeve::store {
namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/reeve-agents-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file() const { return path + "/agents.db"; }
  std::string path;
};

policy::Time at(int64_t micros) { return policy::Time{std::chrono::microseconds{micros}}; }

}  // namespace

TEST_CASE("stops and what is known of agents survive their store's end") {
  const Folder folder;
  policy::Stops stops;
  stops.add({policy::StopScope::kAll,
             "",
             "lee",
             "a \"reason\" \xE2\x98\x83",
             at(5),
             false,
             {"jordan", "robin"}});
  stops.add({policy::StopScope::kAgent, "sam", "dana", "", at(6), true, {}});
  stops.add({policy::StopScope::kUpstream, "crm", "dana", "", at(7), false, {}});
  const Life life{at(1), at(1'800'000'000'000'001), at(3), "dana"};
  {
    auto store = AgentStore::open(folder.file());
    REQUIRE(store);
    CHECK((*store)->load_stops()->empty());
    REQUIRE((*store)->save_stops(stops));
    REQUIRE((*store)->save_lives({{"jordan", {}}, {"robin", life}}));
    REQUIRE((*store)->save_lives({{"jordan", life}}));
  }
  auto store = AgentStore::open(folder.file());
  REQUIRE(store);
  CHECK((*store)->load_stops()->all() == stops.all());
  CHECK(*(*store)->load_lives() == Lives{{"jordan", life}, {"robin", life}});
  REQUIRE((*store)->save_stops({}));
  CHECK((*store)->load_stops()->empty());
}

TEST_CASE("a file of agents that is damaged is refused, never replaced") {
  const Folder folder;
  std::ofstream(folder.file()) << std::string(4096, 'x');
  const auto store = AgentStore::open(folder.file());
  REQUIRE_FALSE(store);
  CHECK(store.error().message.find("forgets who is stopped") != std::string::npos);
  CHECK(std::filesystem::file_size(folder.file()) == 4096);
}

TEST_CASE("rows that are none are told apart") {
  CHECK_FALSE(stop_from_row("{}"));
  CHECK_FALSE(stop_from_row("nothing"));
  CHECK_FALSE(life_from_row(R"({"hired":1,"last":2,"reviewed":"x","reviewed_by":""})"));
}

}  // namespace reeve::store
