// Which calls are retries of one that is charged already: so that a key is charged once.
//
// A retry carries the idempotency key of the first attempt (`Idempotency-Key`, IETF
// draft-ietf-httpapi-idempotency-key-header) and must be the same call: a key that comes with
// another one is refused, as the draft says. A key belongs to an agent and an upstream; whoever
// builds the digest puts them into it, so that no agent can use another's.
//
// That a retry costs nothing is the upstream's promise, not the agent's: one that ignores keys runs
// each attempt anew. So this may be asked only for upstreams that are declared to honour them.
// Doubt charges: a key that is forgotten, or for which there is no room, is charged as the first.
//
// A pure state machine: time comes from outside, by a clock that never steps. Thread-safe; one
// mutex a shard, held for the look-up alone.
#ifndef REEVE_POLICY_RETRIES_H_
#define REEVE_POLICY_RETRIES_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "policy/policy_set.h"

namespace reeve::policy {

class Retries {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  enum class Standing : uint8_t {
    kFirst,     // to be charged; end with charged() or released()
    kUnderWay,  // the first attempt has not ended: refuse with 409, it may be charged yet
    kCharged,   // a retry: reserve nothing
    kDiffers,   // the key was used for another call: refuse with 422
    kNoRoom,    // to be charged, and not remembered
  };

  // Keys are remembered for `ttl` after they were charged; at most `most` of each shard of 16.
  explicit Retries(std::chrono::seconds ttl = std::chrono::hours(24), size_t most = 4096)
      : ttl_(ttl), most_(most) {}

  Standing begin(const Sha256& key, const Sha256& call, Steady now);
  // The first attempt was settled, at whatever cost, known or not.
  void charged(const Sha256& key, Steady now);
  // It never left, so that the next attempt is the first.
  void released(const Sha256& key);

 private:
  struct Hash {
    size_t operator()(const Sha256& digest) const;
  };
  struct Entry {
    Sha256 call;
    bool charged = false;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<Sha256, Entry, Hash> entries;     // guarded by mutex
    std::deque<std::pair<Steady, Sha256>> charged_last;  // the oldest first; guarded by mutex
  };
  Shard& shard_of(const Sha256& key) { return shards_[key[31] % shards_.size()]; }

  const std::chrono::seconds ttl_;
  const size_t most_;
  std::array<Shard, 16> shards_;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_RETRIES_H_
