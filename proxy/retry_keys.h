// The idempotency keys of upstreams that honour them, for as long as each does.
#ifndef REEVE_PROXY_RETRY_KEYS_H_
#define REEVE_PROXY_RETRY_KEYS_H_

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "policy/retries.h"
#include "proxy/config/places.h"

namespace reeve {

class RetryKeys {
 public:
  explicit RetryKeys(const Config& config) {
    for (const auto& [name, time] : load_idempotency_keys(config.file)) {
      keys_.try_emplace(name, time);
    }
  }
  // Null for one that honours none. Thread-safe.
  policy::Retries* find(std::string_view upstream) {
    const auto found = keys_.find(upstream);
    return found == keys_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, policy::Retries, std::less<>> keys_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_RETRY_KEYS_H_
