// Who has signed in to the console: a random id in a cookie stands for the token that was shown.
//
// In memory alone: a restart signs everybody out. Of one thread.
#ifndef REEVE_PROXY_CONSOLE_SESSIONS_H_
#define REEVE_PROXY_CONSOLE_SESSIONS_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin_caller.h"
#include "proxy/clock.h"
#include "proxy/http/message.h"

namespace reeve::console {

class Sessions {
 public:
  static constexpr size_t kMost = 100;  // at once; one more ends that which was used least recently
  static constexpr std::chrono::minutes kIdle{30};
  static constexpr std::chrono::hours kLongest{12};

  // The new session's id, for its cookie.
  std::string open(AdminCaller caller, Steady now);
  // Whose session it is, or null. Counts as a use.
  const AdminCaller* find(std::string_view id, Steady now);
  void close(std::string_view id);
  size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    AdminCaller caller;
    Steady opened{}, used{};
  };
  void expire(Steady now);

  // By the hash of the id: how long a look-up takes tells nothing about an id.
  std::map<policy::Sha256, Session> sessions_;
};

// The value of the only cookie of this name, or nothing.
std::optional<std::string_view> cookie_of(const http::Fields& fields, std::string_view name);

// The cookie's name. Browsers do not tell ports of a host apart, so the port is in it: consoles of
// two sidecars on one host do not sign each other out.
std::string cookie_name(const Address& address);

// Set-Cookie for this id; without one, what ends the cookie.
std::string set_cookie(std::string_view name, std::string_view id, bool secure);

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_SESSIONS_H_
