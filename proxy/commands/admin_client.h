// Asks the admin side of the running sidecar: what the commands that look at it need of a client.
#ifndef REEVE_PROXY_COMMANDS_ADMIN_CLIENT_H_
#define REEVE_PROXY_COMMANDS_ADMIN_CLIENT_H_

#include <string>

#include "policy/result.h"
#include "proxy/config.h"

namespace reeve::commands {

struct AdminAnswer {
  int status = 0;
  std::string body;
};

// One request on a connection of its own, within 30 seconds. `token` goes as a bearer token; `body`
// may be empty. The error is a sentence for a person.
Result<AdminAnswer> ask_admin(const Address& address, const std::string& token,
                              const std::string& method, const std::string& path,
                              const std::string& body);

// The `detail` of a problem, or what stands in for it.
std::string detail_of(const AdminAnswer& answer);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_ADMIN_CLIENT_H_
