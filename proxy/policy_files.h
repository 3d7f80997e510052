// The files of a policy, read from disk: one file, or the `*.yaml` of a folder in name order.
#ifndef REEVE_PROXY_POLICY_FILES_H_
#define REEVE_PROXY_POLICY_FILES_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"

namespace reeve {

// Reads a file, or a folder without its dot-files and subfolders; links are followed. What is
// returned stood there at one moment: files that change meanwhile are read again. On any error
// (missing, not permitted, no regular file, too large, a folder without a policy, files that do not
// stop changing) appends to `diagnostics` and returns nothing. Never blocks on a pipe or device.
std::optional<std::vector<policy::SourceFile>> read_policy_files(const std::string& path,
                                                                 Diagnostics& diagnostics);

// Reads and compiles a policy that is to be enforced: what the sidecar does not act on is an error
// (enforceable.h). Where files of the one in force, if there is one, end with the line
// `...`, the new ones of these names must too: else they may be cut short. Null on any error.
std::shared_ptr<const policy::PolicySet> load_policy_files(const std::string& path,
                                                           const policy::Wiring& wiring,
                                                           const policy::PolicySet* in_force,
                                                           Diagnostics& diagnostics);

// One regular file of bounded size, under the same rules.
std::optional<policy::SourceFile> read_source_file(const std::string& path,
                                                   Diagnostics& diagnostics);

// Changes whenever the files may have: names, sizes, times and inodes. For a watch by polling;
// empty when they cannot be looked at.
std::string policy_files_signature(const std::string& path);

}  // namespace reeve

#endif  // REEVE_PROXY_POLICY_FILES_H_
