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

// Why there is no answer: a sentence for a person.
struct AdminFailure {
  std::string message;
  bool away = false;  // nobody listens there
};

// One request on a connection of its own, within 30 seconds. `token` goes as a bearer token; `body`
// may be empty.
Result<AdminAnswer, AdminFailure> ask_admin(const Address& address, const std::string& token,
                                            const std::string& method, const std::string& path,
                                            const std::string& body);

// What proves whoever uses a command: REEVE_TOKEN, a person's own token, or else the admin token of
// reeve.yaml; empty where there is neither, which kNoToken says.
std::string operator_token(const AdminAccess& access);
inline constexpr const char* kNoToken =
    "there is no token: set REEVE_TOKEN, or what `admin.token` of reeve.yaml refers to";

// The `detail` of a problem, or what stands in for it.
std::string detail_of(const AdminAnswer& answer);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_ADMIN_CLIENT_H_
