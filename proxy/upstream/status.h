// What the admin side shows of upstreams. Each worker has its own view of them; here they are put
// together. Plain data: made on a worker's thread, read on the main one.
#ifndef REEVE_PROXY_UPSTREAM_STATUS_H_
#define REEVE_PROXY_UPSTREAM_STATUS_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/call.h"
#include "proxy/upstream/health.h"

namespace reeve {

struct AddressStatus {
  std::string address, host;  // 10.0.0.1:80, and the host of the URL that it was found for
  Health::State state = Health::State::kUp;
  size_t open = 0, idle = 0;  // connections; idle ones are open
  unsigned failures = 0;      // on end
  uint64_t ejections = 0;     // ever
  std::string last_error;     // empty: none
  std::optional<policy::Time> seen_at, last_error_at, ejected_until;
};

struct SiteStatus {
  std::string host;
  bool named = false;
  std::string error;                      // of the last look-up; empty: it succeeded
  std::optional<policy::Time> looked_up;  // when the last one ended; nothing for an address
};

struct UpstreamStatus {
  std::string name;
  size_t in_use = 0,
         waiting = 0;  // calls that have a connection or seek one; that wait for a place
  std::vector<SiteStatus> sites;
  std::vector<AddressStatus> addresses;

  // Whether some address is believed to answer; one of which nothing is known is.
  bool up() const;
};
using UpstreamStatuses = std::vector<UpstreamStatus>;  // in the order of reeve.yaml

// One view of those of all workers: numbers are added up; of an address's state the view counts
// that has seen it last.
UpstreamStatuses merged(std::span<const std::shared_ptr<const UpstreamStatuses>> workers);

// The answer of /v1/upstreams.
std::string to_json(const UpstreamStatuses& statuses);

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_STATUS_H_
