// How many connections fit under the process's limit of file descriptors (RLIMIT_NOFILE), so that
// agents can never take those that upstreams, files and the admin side need.
#ifndef REEVE_PROXY_DESCRIPTORS_H_
#define REEVE_PROXY_DESCRIPTORS_H_

#include <cstddef>

namespace reeve {

struct DescriptorPlan {
  size_t connections = 0;  // of agents at once; each may need one more to its upstream
  size_t turned_away = 0;  // that are still being told 503
  size_t admin = 0;        // to the admin side
  bool lowered = false;    // whether `connections` is less than was wanted
};

// Shares out `limit` descriptors among `threads` event loops with `listeners` listeners each. There
// is always room for one connection, whatever the limit.
DescriptorPlan plan_descriptors(size_t limit, unsigned threads, size_t listeners, size_t wanted);

// Raises the soft limit to the hard one, as far as `wanted` needs; returns what holds now.
size_t raise_descriptor_limit(size_t wanted);

}  // namespace reeve

#endif  // REEVE_PROXY_DESCRIPTORS_H_
