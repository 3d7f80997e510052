// The options by which `reeve audit query` and `export` choose lines.
#ifndef REEVE_PROXY_COMMANDS_AUDIT_FILTER_H_
#define REEVE_PROXY_COMMANDS_AUDIT_FILTER_H_

#include <optional>
#include <string>
#include <vector>

#include "proxy/audit/query.h"
#include "proxy/commands/arguments.h"

namespace reeve::commands {

// `own` and the options that both commands have.
std::vector<Option> with_filters(std::initializer_list<Option> own);

// Prints what is wrong itself; then the exit code is 2.
std::optional<audit::Query> read_filters(const char* command, const Arguments& arguments);
// The number of `--limit`, or the most there is; nothing after an error was printed.
std::optional<uint64_t> read_limit(const char* command, const Arguments& arguments);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_AUDIT_FILTER_H_
