// The commands, but for `serve`, which is in main.cc. Each takes the words behind its name and
// returns the exit code that interfaces.md gives it; 2 is always a usage error.
#ifndef REEVE_PROXY_COMMANDS_COMMANDS_H_
#define REEVE_PROXY_COMMANDS_COMMANDS_H_

#include <string>
#include <vector>

namespace reeve::commands {

// Validates configurations and policies: 0 good, 1 errors (or warnings with --strict).
int check(std::vector<std::string> args);
// What the policy decides about a call and why: 0 allow, 3 ask, 4 deny, 5 malformed or unknown
// agent.
int explain(std::vector<std::string> args);
// Runs the policy's own tests: 0 all pass, 1 otherwise.
int test(std::vector<std::string> args);
// Who may do what: 0, or 1 when the policy cannot be read.
int access(std::vector<std::string> args);
// Who works here, and the stop: 0, or 1 when the sidecar says no, is not there, or could not do all
// of it.
int agents(std::vector<std::string> args);
// What waits for people, and their answers: 0, or 1 when the sidecar says no or is not there.
int approvals(std::vector<std::string> args);
// How the running sidecar is: 0, or 1 when it is not there, not ready, or refused its last reload.
int status(std::vector<std::string> args);
// What changes for whom between two policies, and which recorded calls would go otherwise: 0 same,
// 1 differs, 2 usage, or something cannot be read.
int diff(std::vector<std::string> args);
// Grants that a record never used, and the tightest policy that allows what was seen: 0; 2 usage,
// or something cannot be read.
int suggest(std::vector<std::string> args);
// What agents did in a period, as text, JSON or a page: 0; 2 usage, or something cannot be read or
// written.
int report(std::vector<std::string> args);
// An MCP upstream of the running sidecar on standard input and output: 0 at their end.
int stdio(std::vector<std::string> args);

// Writes the lock of an MCP server's tools: 0, or 1 when the server or a file fails (with --check,
// also when the lock differs).
int pin(std::vector<std::string> args);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_COMMANDS_H_
