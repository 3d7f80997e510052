// `reeve audit verify|query|export`: asking the record. Offline; a running sidecar is not needed
// and not disturbed.
#ifndef REEVE_PROXY_COMMANDS_AUDIT_H_
#define REEVE_PROXY_COMMANDS_AUDIT_H_

#include <optional>
#include <string>
#include <vector>

#include "proxy/commands/arguments.h"

namespace reeve::commands {

// Chooses among the three by the first word: 2 when there is none such.
int audit(std::vector<std::string> args);

// 0 sound, 1 something was found, 2 usage or a file that cannot be read.
int audit_verify(std::vector<std::string> args);
// Prints the lines that were asked for: 0, also when there are none; 2 usage.
int audit_query(std::vector<std::string> args);
int audit_export(std::vector<std::string> args);

// The files of the record that the arguments name: those that are given, or the one that the
// reeve.yaml of `-c` (or ./reeve.yaml) writes, with what was rotated away from it.
struct RecordSource {
  std::string path;                // the current file; empty when files are given
  std::vector<std::string> files;  // in order
  std::string checkpoints;         // beside the last of them
};
// Prints what is wrong itself; then the exit code is 2.
std::optional<RecordSource> find_record(const char* command, const Arguments& arguments);
// The same for one FILE of another option.
std::optional<RecordSource> find_record(const char* command, const std::string& file);

// `text` as a terminal may show it: control and other hidden characters as \u escapes, cut at
// `most` bytes.
std::string for_terminal(std::string_view text, size_t most);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_AUDIT_H_
