// Parts of reeve.yaml alone, for who needs no more of it.
#ifndef REEVE_PROXY_CONFIG_PLACES_H_
#define REEVE_PROXY_CONFIG_PLACES_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "proxy/config.h"

namespace reeve {

// Where the sidecar keeps what it knows, for commands that look.
struct StatePlaces {
  std::string policy;                // path of a file or folder
  std::string state;                 // path of a folder
  std::string audit;                 // path of the record's current file
  std::optional<AdminAccess> admin;  // nothing where the file has no admin side
};
std::optional<StatePlaces> load_state_places(const std::string& path, Diagnostics& diagnostics);

// `idempotency_keys` of the upstreams that have it: for how long each answers a repeated
// `Idempotency-Key` as it did the first time. Of a file that load_config() has taken.
std::map<std::string, std::chrono::seconds> load_idempotency_keys(const std::string& path);

}  // namespace reeve

#endif  // REEVE_PROXY_CONFIG_PLACES_H_
