// See pin_files.h. Tested by tests/e2e/pin_test.mjs.
#include "proxy/pin_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "policy/compiled.h"
#include "policy/text.h"
#include "proxy/mcp/pin.h"
#include "proxy/policy_files.h"

namespace reeve {

std::vector<mcp::PinLock> load_locks(const policy::PolicySet& policy, Severity missing,
                                     Diagnostics& diagnostics) {
  std::vector<mcp::PinLock> locks;
  for (const policy::ServerInfo& server : policy.compiled().servers) {
    if (server.pin.empty()) continue;
    const std::string path = mcp::lock_path(server);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) {
      const std::string message =
          fmt::format("the lock `{}` is not there; write it with `reeve pin {}`",
                      policy::shown(server.pin), server.upstream);
      missing == Severity::kError ? diagnostics.error(server.at, message)
                                  : diagnostics.warning(server.at, message);
      continue;
    }
    const auto source = read_source_file(path, diagnostics);
    if (!source) continue;
    auto lock = mcp::read_lock(*source, diagnostics);
    if (!lock) continue;
    if (lock->upstream != server.upstream) {
      diagnostics.error(server.at, fmt::format("the lock `{}` is of upstream `{}`; write one with "
                                               "`reeve pin {}`",
                                               policy::shown(server.pin),
                                               policy::shown(lock->upstream), server.upstream));
      continue;
    }
    locks.push_back(std::move(*lock));
  }
  return locks;
}

}  // namespace reeve
