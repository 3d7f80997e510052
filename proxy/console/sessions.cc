// Tested by tests/proxy/console_test.cc, fuzzed by tests/fuzz/console_fuzz.cc.
#include "proxy/console/sessions.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "proxy/digest.h"
#include "proxy/ids.h"

namespace reeve::console {

std::string Sessions::open(AdminCaller caller, Steady now) {
  uint8_t bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) std::abort();
  std::string id;
  append_hex(id, bytes, sizeof bytes);
  expire(now);
  if (sessions_.size() >= kMost) {
    sessions_.erase(std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  sessions_.emplace(sha256(id), Session{std::move(caller), now, now});
  return id;
}

const AdminCaller* Sessions::find(std::string_view id, Steady now) {
  expire(now);
  const auto found = sessions_.find(sha256(id));
  if (found == sessions_.end()) return nullptr;
  found->second.used = now;
  return &found->second.caller;
}

void Sessions::close(std::string_view id) { sessions_.erase(sha256(id)); }

void Sessions::expire(Steady now) {
  std::erase_if(sessions_, [now](const auto& entry) {
    const Session& session = entry.second;
    return now - session.used >= kIdle || now - session.opened >= kLongest;
  });
}

std::optional<std::string_view> cookie_of(const http::Fields& fields, std::string_view name) {
  const auto field = fields.single("cookie");
  if (!field) return std::nullopt;
  std::optional<std::string_view> value;
  for (std::string_view rest = *field; !rest.empty();) {
    const size_t end = std::min(rest.find(';'), rest.size());
    std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (!pair.starts_with(name) || pair.size() == name.size() || pair[name.size()] != '=') continue;
    if (value) return std::nullopt;  // one of them is somebody else's
    value = pair.substr(name.size() + 1);
  }
  return value;
}

std::string cookie_name(const Address& address) { return fmt::format("reeve-{}", address.port); }

std::string set_cookie(std::string_view name, std::string_view id, bool secure) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}{}", name, id,
                     id.empty() ? "; Max-Age=0" : "", secure ? "; Secure" : "");
}

}  // namespace reeve::console
