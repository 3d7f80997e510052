// What differs where a person looks: colour, and characters that a terminal would act on.
#ifndef REEVE_PROXY_COMMANDS_TERMINAL_H_
#define REEVE_PROXY_COMMANDS_TERMINAL_H_

#include <string_view>

namespace reeve::commands {

// Whether standard output is a terminal.
bool on_terminal();
// on_terminal(), unless NO_COLOR is set.
bool may_colour();

// A JSON text and a newline; on a terminal what it would act on is escaped, which JSON reads as the
// same.
void print_json(std::string_view json);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_TERMINAL_H_
