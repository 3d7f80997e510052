#include "proxy/commands/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "proxy/commands/audit.h"

namespace reeve::commands {

bool on_terminal() {
  static const bool terminal = ::isatty(1) == 1;
  return terminal;
}

bool may_colour() { return on_terminal() && std::getenv("NO_COLOR") == nullptr; }

void print_json(std::string_view json) {
  if (on_terminal()) {
    fmt::print("{}\n", for_terminal(json, SIZE_MAX));
  } else {
    fmt::print("{}\n", json);
  }
}

}  // namespace reeve::commands
