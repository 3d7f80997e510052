// Joined names and back: one reading of each.
#include <catch2/catch.hpp>

#include "proxy/join/names.h"

namespace reeve::join {
namespace {

TEST_CASE("the first two underscores are the border of a name") {
  struct Row {
    const char* joined;
    const char* upstream;  // null: no joined name
    const char* name;
  };
  const Row rows[] = {
      {"crm__read", "crm", "read"}, {"crm__a__b", "crm", "a__b"},
      {"crm___x", "crm", "_x"},     {"a_b__c", "a_b", "c"},
      {"crm_read", nullptr, ""},    {"__read", nullptr, ""},
      {"crm__", nullptr, ""},       {"", nullptr, ""},
      {"__", nullptr, ""},
  };
  for (const Row& row : rows) {
    INFO(row.joined);
    const auto split = split_name(row.joined);
    CHECK(split.has_value() == (row.upstream != nullptr));
    if (!split || row.upstream == nullptr) continue;
    CHECK(split->upstream == row.upstream);
    CHECK(split->name == row.name);
    CHECK(join_name(split->upstream, split->name) == row.joined);
  }
}

TEST_CASE("a joined URI keeps the whole URI behind its upstream") {
  for (const char* uri : {"file:///a/b", "note://x", "x", "a/b/../c", "reeve:crm/x"}) {
    const std::string joined = join_uri("crm", uri);
    const auto split = split_uri(joined);
    REQUIRE(split);
    CHECK(split->upstream == "crm");
    CHECK(split->name == uri);
  }
  for (const char* other :
       {"file:///a", "reeve:crm", "reeve:crm/", "reeve:/x", "Reeve:crm/x", ""}) {
    INFO(other);
    CHECK_FALSE(split_uri(other));
  }
}

}  // namespace
}  // namespace reeve::join
