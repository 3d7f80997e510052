// See arguments.h. `--name=value` and `--name value` are alike; `--` ends the options. Tested by
// tests/proxy/commands_test.cc.
#include "proxy/commands/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/diagnostic.h"

namespace reeve::commands {

namespace {

int print_help(const Synopsis& synopsis) {
  fmt::print("reeve {} {}\n\n{}\n\n", synopsis.command, synopsis.usage, synopsis.description);
  const auto print = [](std::string_view name, std::string_view value, std::string_view help) {
    fmt::print("  {:<21}  {}\n",
               value.empty() ? std::string(name) : fmt::format("{} {}", name, value), help);
  };
  for (const Option& option : synopsis.options) print(option.name, option.value, option.help);
  print("--help", "", "this text");
  return 0;
}

int unknown_option(const Synopsis& synopsis, const std::string& word) {
  std::vector<std::string> names = {"--help"};
  for (const Option& option : synopsis.options) names.emplace_back(option.name);
  const std::string suggestion = nearest(word, names);
  return usage_error(synopsis.command, suggestion.empty()
                                           ? fmt::format("unknown option `{}`", word)
                                           : fmt::format("unknown option `{}`; did you mean `{}`?",
                                                         word, suggestion));
}

}  // namespace

int usage_error(std::string_view command, std::string_view message) {
  fmt::print(stderr, "reeve {}: {}; see `reeve {} --help`\n", command, message, command);
  return 2;
}

std::optional<Arguments> Arguments::parse(const Synopsis& synopsis,
                                          const std::vector<std::string>& words, int& exit_code) {
  Arguments result;
  const auto fail = [&](std::string_view message) {
    exit_code = usage_error(synopsis.command, message);
    return std::nullopt;
  };
  if (std::find(words.begin(), words.end(), "--help") != words.end()) {
    exit_code = print_help(synopsis);
    return std::nullopt;
  }
  bool options_end = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_end || word.size() < 2 || word[0] != '-') {
      if (!synopsis.takes_files) return fail(fmt::format("unexpected word `{}`", word));
      result.files_.push_back(word);
      continue;
    }
    if (word == "--") {
      options_end = true;
      continue;
    }
    const size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const auto option = std::find_if(synopsis.options.begin(), synopsis.options.end(),
                                     [&](const Option& o) { return o.name == name; });
    if (option == synopsis.options.end()) {
      exit_code = unknown_option(synopsis, name);
      return std::nullopt;
    }
    if (!option->repeats && result.has(name)) return fail(fmt::format("`{}` is given twice", name));
    std::string value;
    if (option->value.empty()) {
      if (equals != std::string::npos) return fail(fmt::format("`{}` takes no value", name));
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return fail(fmt::format("`{}` needs a value, {}", name, option->value));
    }
    result.options_.emplace_back(name, std::move(value));
  }
  return result;
}

bool Arguments::has(std::string_view option) const { return find(option).has_value(); }

std::string Arguments::value(std::string_view option) const {
  return find(option).value_or(std::string());
}

std::optional<std::string> Arguments::find(std::string_view option) const {
  for (const auto& [name, value] : options_) {
    if (name == option) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : options_) {
    if (name == option) values.push_back(value);
  }
  return values;
}

}  // namespace reeve::commands
