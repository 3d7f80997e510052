// See retries.h. Tested by tests/policy/retries_test.cc.
#include "policy/retries.h"

#include <algorithm>
#include <cstring>

namespace reeve::policy {

size_t Retries::Hash::operator()(const Sha256& digest) const {
  size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

Retries::Standing Retries::begin(const Sha256& key, const Sha256& call, Steady now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  while (!shard.charged_last.empty() && shard.charged_last.front().first + ttl_ <= now) {
    shard.entries.erase(shard.charged_last.front().second);
    shard.charged_last.pop_front();
  }
  const auto found = shard.entries.find(key);
  if (found != shard.entries.end()) {
    if (found->second.call != call) return Standing::kDiffers;
    return found->second.charged ? Standing::kCharged : Standing::kUnderWay;
  }
  if (shard.entries.size() >= most_) return Standing::kNoRoom;
  shard.entries.emplace(key, Entry{call});
  return Standing::kFirst;
}

void Retries::charged(const Sha256& key, Steady now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end() || found->second.charged) return;
  found->second.charged = true;
  // A clock read before another thread's may come after it.
  if (!shard.charged_last.empty()) now = std::max(now, shard.charged_last.back().first);
  shard.charged_last.emplace_back(now, key);
}

void Retries::released(const Sha256& key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(key);
  if (found != shard.entries.end() && !found->second.charged) shard.entries.erase(found);
}

}  // namespace reeve::policy
