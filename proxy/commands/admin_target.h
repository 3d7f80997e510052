// The running sidecar that a command speaks to, and what it says of its answers.
#ifndef REEVE_PROXY_COMMANDS_ADMIN_TARGET_H_
#define REEVE_PROXY_COMMANDS_ADMIN_TARGET_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "proxy/commands/admin_client.h"
#include "proxy/commands/arguments.h"

namespace reeve::commands {

class AdminTarget {
 public:
  // The sidecar of `-c` (reeve.yaml without it), as whom REEVE_TOKEN proves or with the admin
  // token. Nothing: what is wrong was printed, and exit_code says with what the command ends.
  // `arguments` outlive it; `command` is static.
  static std::optional<AdminTarget> open(std::string_view command, const Arguments& arguments,
                                         int& exit_code);

  Result<AdminAnswer, AdminFailure> ask(const std::string& method, const std::string& path,
                                        const std::string& body = {}) const {
    return ask_admin(access_.address, token_, method, path, body);
  }
  const Arguments& arguments() const { return *arguments_; }

  // Prints `reeve COMMAND: WHY`; 1.
  int fail(std::string_view why) const;
  // The answer for people, as `show` prints it and returns the exit code, or with --json as it
  // came; 1 where the sidecar says no.
  using Show = int (*)(const AdminTarget&, const json::Value&);
  int print(const Result<AdminAnswer, AdminFailure>& answer, Show show) const;

 private:
  AdminTarget(std::string_view command, const Arguments& arguments, AdminAccess access)
      : command_(command), arguments_(&arguments), access_(std::move(access)) {}

  std::string_view command_;
  const Arguments* arguments_;
  AdminAccess access_;
  std::string token_;
};

// A member of an object, fit for a terminal; empty where it is absent.
std::string text_of(const json::Value& object, std::string_view name, size_t most = 200);

// The body of a POST by which a person says something: --as, --why and, where it is an option of
// the command, --dry-run.
std::string said_body(const Arguments& arguments);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_ADMIN_TARGET_H_
