// See pin_files.h. Tested by tests/e2e/pin_test.mjs.
#include "proxy/pin_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "policy/compiled.h"
#include "policy/text.h"
#include "proxy/mcp/pin.h"
#include "proxy/policy_files.h"

namespace reeve {

namespace {

std::optional<mcp::PinLock> load_lock(const policy::ServerInfo& server, Severity missing,
                                      Diagnostics& diagnostics) {
  const std::string path = mcp::lock_path(server);
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) {
    const std::string message =
        fmt::format("the lock `{}` is not there; write it with `reeve pin {}`",
                    policy::shown(server.pin), server.upstream);
    missing == Severity::kError ? diagnostics.error(server.at, message)
                                : diagnostics.warning(server.at, message);
    return std::nullopt;
  }
  const auto source = read_source_file(path, diagnostics);
  if (!source) return std::nullopt;
  auto lock = mcp::read_lock(*source, diagnostics);
  if (!lock || lock->upstream == server.upstream) return lock;
  diagnostics.error(server.at, fmt::format("the lock `{}` is of upstream `{}`; write one with "
                                           "`reeve pin {}`",
                                           policy::shown(server.pin), policy::shown(lock->upstream),
                                           server.upstream));
  return std::nullopt;
}

}  // namespace

std::vector<mcp::PinLock> load_locks(const policy::PolicySet& policy, Severity missing,
                                     Diagnostics& diagnostics) {
  std::vector<mcp::PinLock> locks;
  for (const policy::ServerInfo& server : policy.compiled().servers) {
    if (server.pin.empty()) continue;
    if (auto lock = load_lock(server, missing, diagnostics)) locks.push_back(std::move(*lock));
  }
  return locks;
}

const Pin* find_pin(const Pins& pins, std::string_view upstream) {
  for (const auto& pin : pins) {
    if (pin->upstream == upstream) return pin.get();
  }
  return nullptr;
}

std::optional<Pins> load_pins(const policy::PolicySet& policy, const Pins& in_force,
                              Diagnostics& diagnostics) {
  static std::atomic<uint64_t> serials{0};
  Pins pins;
  bool whole = true;
  for (const policy::ServerInfo& server : policy.compiled().servers) {
    if (server.pin.empty()) continue;
    auto lock = load_lock(server, Severity::kError, diagnostics);
    auto old = std::find_if(in_force.begin(), in_force.end(),
                            [&](const auto& pin) { return pin->upstream == server.upstream; });
    const bool has_old = old != in_force.end() && (*old)->path == mcp::lock_path(server);
    if (has_old && (!lock || mcp::write_lock(*lock) == mcp::write_lock((*old)->lock))) {
      pins.push_back(*old);
    } else if (lock) {
      pins.push_back(std::make_shared<const Pin>(
          Pin{server.upstream, mcp::lock_path(server), std::move(*lock), ++serials}));
    } else {
      whole = false;
    }
  }
  if (!whole) return std::nullopt;
  return pins;
}

std::string pin_files_signature(const policy::PolicySet& policy) {
  std::string signature;
  for (const policy::ServerInfo& server : policy.compiled().servers) {
    if (server.pin.empty()) continue;
    signature += policy_files_signature(mcp::lock_path(server)) + "\n";
  }
  return signature;
}

}  // namespace reeve
