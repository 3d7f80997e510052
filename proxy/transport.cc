// See transport.h. Tested end to end by tests/e2e/tls_*_test.mjs and unix_test.mjs.
#include "proxy/transport.h"

#include <fmt/format.h>

#include "proxy/clock.h"
#include "proxy/log.h"

namespace reeve {

Transport::Transport(const Config& config) {
  for (const ListenerConfig& each : config.listeners) {
    if (each.tls) listeners_[each.name] = std::make_unique<tls::Credentials>(*each.tls);
  }
  for (const UpstreamConfig& each : config.upstreams) {
    if (each.tls) upstreams_[each.name] = std::make_unique<tls::Credentials>(*each.tls);
  }
}

bool Transport::load(Diagnostics& diagnostics) {
  bool whole = true;
  for (const ByName* map : {&listeners_, &upstreams_}) {
    for (const auto& [name, credentials] : *map) whole &= credentials->load(diagnostics);
  }
  return whole;
}

void Transport::reload(bool all) {
  for (const ByName* map : {&listeners_, &upstreams_}) {
    const char* kind = map == &listeners_ ? "listener" : "upstream";
    for (const auto& [name, credentials] : *map) {
      if (!all && !credentials->changed()) continue;
      Diagnostics diagnostics;
      if (credentials->load(diagnostics)) {
        ++reloads_ok_;
        log(LogLevel::kInfo, fmt::format("certificates of {} `{}` loaded", kind, name));
        continue;
      }
      ++reloads_failed_;
      for (const Diagnostic& each : diagnostics.all()) log(LogLevel::kError, to_string(each));
      log(LogLevel::kError, fmt::format("the new certificates of {} `{}` are refused; those in use "
                                        "stay",
                                        kind, name));
    }
  }
}

const tls::Credentials* Transport::listener(std::string_view name) const {
  const auto found = listeners_.find(name);
  return found == listeners_.end() ? nullptr : found->second.get();
}

const tls::Credentials* Transport::upstream(std::string_view name) const {
  const auto found = upstreams_.find(name);
  return found == upstreams_.end() ? nullptr : found->second.get();
}

Result<int> Transport::open_socket(const ListenerConfig& listener) {
  auto found = sockets_.find(listener.name);
  if (found == sockets_.end()) {
    auto made = net::UnixListener::open(listener.address.unix_path);
    if (!made) return made.error();
    found = sockets_.emplace(listener.name, std::move(*made)).first;
  }
  const int fd = found->second.duplicate();
  if (fd < 0) return Error{"no file descriptors are left; raise the limit (ulimit -n)"};
  return fd;
}

void Transport::handshake_failed(const std::string& listener, std::string_view why) {
  handshakes_failed_.fetch_add(1, std::memory_order_relaxed);
  const int64_t second =
      std::chrono::floor<std::chrono::seconds>(wall_now().time_since_epoch()).count();
  std::lock_guard lock(log_mutex_);
  if (second == logged_second_) {
    ++unlogged_;
    return;
  }
  logged_second_ = second;
  log(LogLevel::kWarning,
      unlogged_ == 0
          ? fmt::format("listener `{}`: {}", listener, why)
          : fmt::format("listener `{}`: {} ({} more were not logged)", listener, why, unlogged_));
  unlogged_ = 0;
}

}  // namespace reeve
