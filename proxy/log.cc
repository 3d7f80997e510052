// One write per line, so that lines of several threads never mix.
#include "proxy/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include "proxy/clock.h"

namespace reeve {

void log(LogLevel level, std::string_view text) {
  static constexpr std::string_view kNames[] = {"info", "warning", "error"};
  std::string line = format_time(wall_now());
  line += ' ';
  line += kNames[static_cast<int>(level)];
  line += ' ';
  for (const char c : text) line += (static_cast<unsigned char>(c) < ' ' || c == 0x7f) ? ' ' : c;
  line += '\n';
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace reeve
