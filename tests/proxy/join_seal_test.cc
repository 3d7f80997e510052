// What was handed out comes back whole, from whom it was given to, for what it was given.
#include <catch2/catch.hpp>

#include "proxy/join/seal.h"

namespace reeve::join {
namespace {

TEST_CASE("what is closed opens for its holder and its purpose alone") {
  const Seal seal, other;
  const std::string content("crm\n\"a\"\0\xff", 9);
  const std::string closed = seal.close(Purpose::kCursor, "jordan", content);
  CHECK(closed.find_first_not_of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
        std::string::npos);
  CHECK(seal.open(Purpose::kCursor, "jordan", closed) == content);
  CHECK_FALSE(seal.open(Purpose::kCursor, "robin", closed));
  CHECK_FALSE(seal.open(Purpose::kRequest, "jordan", closed));
  CHECK_FALSE(other.open(Purpose::kCursor, "jordan", closed));
  CHECK(seal.open(Purpose::kStream, "", seal.close(Purpose::kStream, "", "")) == "");
}

TEST_CASE("where the holder ends and the content begins is part of it") {
  const Seal seal;
  const std::string closed = seal.close(Purpose::kCursor, "ab", "c");
  CHECK_FALSE(seal.open(Purpose::kCursor, "a", closed));
  CHECK(seal.close(Purpose::kCursor, "a", "bc") != closed);
}

TEST_CASE("a sealed text that was changed anywhere does not open") {
  const Seal seal;
  for (const std::string content : {"", "1", "12", "123", "crm\n{\"a\":1}"}) {
    const std::string closed = seal.close(Purpose::kEvent, "jordan", content);
    for (size_t at = 0; at < closed.size(); ++at) {
      for (const char c : {'A', 'z', '_', '=', '.', '\n'}) {
        if (closed[at] == c) continue;
        std::string changed = closed;
        changed[at] = c;
        INFO(content << " " << at << " " << c);
        CHECK_FALSE(seal.open(Purpose::kEvent, "jordan", changed));
      }
      CHECK_FALSE(seal.open(Purpose::kEvent, "jordan", closed.substr(0, at)));
    }
    CHECK_FALSE(seal.open(Purpose::kEvent, "jordan", closed + "A"));
    CHECK_FALSE(seal.open(Purpose::kEvent, "jordan", closed + "="));
  }
}

TEST_CASE("random ids are long and differ") {
  CHECK(random_id().size() == 32);
  CHECK(random_id() != random_id());
}

}  // namespace
}  // namespace reeve::join
