// Command lines: the options of one command, parsed strictly, and its help, from one table.
#ifndef REEVE_PROXY_COMMANDS_ARGUMENTS_H_
#define REEVE_PROXY_COMMANDS_ARGUMENTS_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reeve::commands {

struct Option {
  std::string_view name;   // with its dashes: "--agent", "-p"
  std::string_view value;  // what help calls the value; empty: a flag
  std::string_view help;
  bool repeats = false;
};

struct Synopsis {
  std::string_view command;  // "explain"
  std::string_view usage;    // what follows it in the first line of help
  std::string_view description;
  std::span<const Option> options;  // --help is added
  bool takes_files = false;
};

class Arguments {
 public:
  // Prints help, or what is wrong, itself: then there is no value, and exit_code() says with what
  // the command ends.
  static std::optional<Arguments> parse(const Synopsis& synopsis,
                                        const std::vector<std::string>& words, int& exit_code);

  bool has(std::string_view option) const;
  // The value, or empty when absent.
  std::string value(std::string_view option) const;
  std::optional<std::string> find(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
  const std::vector<std::string>& files() const { return files_; }

 private:
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> files_;
};

// Prints `reeve COMMAND: MESSAGE` and how to get help; returns 2.
int usage_error(std::string_view command, std::string_view message);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_ARGUMENTS_H_
