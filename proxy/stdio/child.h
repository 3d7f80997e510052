// The fork of a server's process.
#ifndef REEVE_PROXY_STDIO_CHILD_H_
#define REEVE_PROXY_STDIO_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "policy/result.h"

namespace reeve::stdio {

// What to run: fixed by the configuration, never by a caller, and by no shell.
struct Command {
  std::vector<std::string> words;        // the program, found by PATH, and its arguments
  std::vector<std::string> environment;  // NAME=value, in addition to what every child gets
  std::string folder;                    // working directory; empty: the sidecar's
};

// The caller owns the descriptors, which do not block, and reaps the process.
struct Child {
  pid_t pid = -1;  // and its process group
  int in = -1;     // to its standard input
  int out = -1;    // from its standard output
  int err = -1;    // from its standard error
  int ended = -1;  // a pidfd: readable once it has ended
};

// Starts it in a process group of its own. It inherits the three pipes and nothing else: no
// descriptor, and of the environment PATH, HOME, LANG and the like, so no credential of the
// sidecar. It is killed when the thread that started it ends. The error is a sentence for the
// operator.
Result<Child> start_child(const Command& command);

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_CHILD_H_
