// Retries with one idempotency key are charged once; doubt charges.
#include "policy/retries.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace reeve::policy {
namespace {

using Standing = Retries::Standing;
using Steady = Retries::Steady;
using std::chrono::seconds;

Sha256 digest_of(uint32_t number) {
  Sha256 digest{};
  for (size_t i = 0; i < 4; ++i) digest[i] = static_cast<uint8_t>(number >> (8 * i));
  return digest;
}

TEST_CASE("a key is charged once, until it is forgotten", "[retries]") {
  Retries retries(seconds{60});
  const Sha256 key = digest_of(1);
  const Sha256 call = digest_of(7);
  CHECK(retries.begin(key, call, Steady{}) == Standing::kFirst);
  CHECK(retries.begin(key, call, Steady{}) == Standing::kUnderWay);
  retries.charged(key, Steady{seconds{5}});
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(retries.begin(key, call, Steady{seconds{6}}) == Standing::kCharged);
  }
  CHECK(retries.begin(key, digest_of(8), Steady{seconds{6}}) == Standing::kDiffers);
  CHECK(retries.begin(digest_of(2), call, Steady{seconds{6}}) == Standing::kFirst);
  CHECK(retries.begin(key, call, Steady{seconds{64}}) == Standing::kCharged);
  CHECK(retries.begin(key, call, Steady{seconds{65}}) == Standing::kFirst);
}

TEST_CASE("an attempt that never left leaves the key to the next", "[retries]") {
  Retries retries(seconds{60});
  const Sha256 key = digest_of(1);
  CHECK(retries.begin(key, key, Steady{}) == Standing::kFirst);
  retries.released(key);
  CHECK(retries.begin(key, key, Steady{}) == Standing::kFirst);
  retries.charged(key, Steady{});
  retries.released(key);  // too late
  CHECK(retries.begin(key, key, Steady{}) == Standing::kCharged);
  retries.charged(key, Steady{seconds{59}});  // charged is charged: its time began before
  CHECK(retries.begin(key, key, Steady{seconds{60}}) == Standing::kFirst);
  retries.charged(digest_of(9), Steady{});  // nobody's
  CHECK(retries.begin(digest_of(9), key, Steady{}) == Standing::kFirst);
}

TEST_CASE("without room a call is charged, and what is known stays known", "[retries]") {
  Retries retries(seconds{60}, 2);
  for (uint32_t i = 0; i < 2; ++i) {
    CHECK(retries.begin(digest_of(i), digest_of(i), Steady{}) == Standing::kFirst);
    retries.charged(digest_of(i), Steady{});
  }
  CHECK(retries.begin(digest_of(2), digest_of(2), Steady{}) == Standing::kNoRoom);
  retries.charged(digest_of(2), Steady{});
  CHECK(retries.begin(digest_of(2), digest_of(2), Steady{}) == Standing::kNoRoom);
  CHECK(retries.begin(digest_of(0), digest_of(0), Steady{}) == Standing::kCharged);
  CHECK(retries.begin(digest_of(2), digest_of(2), Steady{seconds{60}}) == Standing::kFirst);
}

TEST_CASE("many threads with one key: one is the first", "[retries][threads]") {
  for (uint32_t round = 0; round < 200; ++round) {
    Retries retries;
    std::atomic<int> first{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        const Sha256 key = digest_of(round);
        if (retries.begin(key, key, Steady{}) != Standing::kFirst) return;
        ++first;
        retries.charged(key, Steady{});
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(first == 1);
  }
}

}  // namespace
}  // namespace reeve::policy
