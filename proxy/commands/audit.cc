#include "proxy/commands/audit.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "policy/diagnostic.h"
#include "policy/text.h"
#include "proxy/audit/files.h"
#include "proxy/commands/policy_source.h"
#include "proxy/config.h"

namespace reeve::commands {
namespace {

struct Part {
  const char* name;
  const char* does;
  int (*run)(std::vector<std::string>);
};
constexpr Part kParts[] = {
    {"verify", "checks the chain and its checkpoints", audit_verify},
    {"query", "the lines that match, as a table or JSON; follows", audit_query},
    {"export", "calls, a row each, as CSV or JSON", audit_export},
};

int help(std::FILE* to) {
  fmt::print(to, "reeve audit: asks the record\n\n");
  for (const Part& part : kParts) fmt::print(to, "  reeve audit {:<7} {}\n", part.name, part.does);
  fmt::print(to, "\nEach takes --help.\n");
  return to == stdout ? 0 : 2;
}

}  // namespace

int audit(std::vector<std::string> args) {
  if (args.empty()) return help(stderr);
  const std::string name = args.front();
  args.erase(args.begin());
  if (name == "--help" || name == "help") return help(stdout);
  std::vector<std::string> names;
  for (const Part& part : kParts) {
    if (name == part.name) return part.run(std::move(args));
    names.emplace_back(part.name);
  }
  const std::string near = nearest(name, names);
  return usage_error(
      "audit", near.empty() ? fmt::format("there is no `{}`", name)
                            : fmt::format("there is no `{}`; did you mean `{}`?", name, near));
}

namespace {

// Looks for what stands at the paths of `source`.
std::optional<RecordSource> found(const char* command, RecordSource source) {
  if (source.files.size() == 1) {
    // The current file alone stands for the whole record.
    const auto all = audit::record_files(source.files[0]);
    if (all.size() > 1) source.path = source.files[0];
  }
  if (!source.path.empty()) source.files = audit::record_files(source.path);
  if (source.files.empty()) {
    fmt::print(stderr, "reeve {}: there is no record at `{}`\n", command, source.path);
    return std::nullopt;
  }
  for (const std::string& file : source.files) {
    struct stat info{};
    if (::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode)) continue;
    fmt::print(stderr, "reeve {}: there is no file `{}`\n", command, file);
    return std::nullopt;
  }
  source.checkpoints =
      audit::checkpoints_path(source.path.empty() ? source.files.back() : source.path);
  return source;
}

}  // namespace

std::optional<RecordSource> find_record(const char* command, const Arguments& arguments) {
  RecordSource source;
  source.files = arguments.files();
  if (source.files.empty()) {
    const std::string file = arguments.find("-c").value_or("reeve.yaml");
    Diagnostics diagnostics;
    const auto config = load_config(file, diagnostics);
    if (!config) {
      print_errors(diagnostics);
      fmt::print(stderr, "reeve {}: name the files of the record, or its configuration with -c\n",
                 command);
      return std::nullopt;
    }
    source.path = config->audit.path;
  }
  return found(command, std::move(source));
}

std::optional<RecordSource> find_record(const char* command, const std::string& file) {
  RecordSource source;
  source.files.push_back(file);
  return found(command, std::move(source));
}

std::string for_terminal(std::string_view text, size_t most) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const policy::CodePoint point = policy::decode_utf8(text, at);
    const size_t length = std::max<size_t>(point.length, 1);
    const std::string_view one = text.substr(at, length);
    at += length;
    if (point.length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(one[0]));
    } else if (policy::hidden_character(one) != nullptr) {
      out += fmt::format("\\u{:04x}", point.value);
    } else {
      out += one;
    }
    if (out.size() >= most) return out + (at < text.size() ? "…" : "");
  }
  return out;
}

}  // namespace reeve::commands
