// `reeve audit query`: the lines that match, oldest first; with --follow those to come as well,
// across rotations.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "proxy/audit/files.h"
#include "proxy/audit/follower.h"
#include "proxy/audit/query.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/audit_filter.h"
#include "proxy/commands/terminal.h"

namespace reeve::commands {
namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr size_t kCell = 200;  // bytes of a table's cell

std::string cell(const json::Value& members, std::string_view name, size_t most = kCell) {
  const auto value = members.find(name);
  if (!value) return {};
  std::string scratch;
  return for_terminal(value->is_string() ? value->text(scratch) : value->raw(), most);
}

class Printer {
 public:
  Printer(bool json, uint64_t limit) : json_(json), limit_(limit) {
    color_ = !json && may_colour();
  }

  // False when no more are wanted, or nobody reads them.
  bool print(const audit::Match& match) {
    if (json_) {
      print_json(match.text);
    } else {
      if (printed_ == 0)
        row("TIME", "KIND", "AGENT", "DECISION", "UPSTREAM", "ACTION", "TARGET", "");
      print_row(match);
    }
    return ++printed_ < limit_ && std::ferror(stdout) == 0;
  }
  void flush() { std::fflush(stdout); }

 private:
  void row(std::string_view time, std::string_view kind, const std::string& agent,
           const std::string& decision, const std::string& upstream, const std::string& action,
           const std::string& target, const std::string& why) {
    const bool red =
        color_ && (decision == "deny" || decision == "malformed" || decision == "unknown-agent");
    fmt::print("{:<24}  {:<8}  {:<16}  {}{:<13}{}  {:<12}  {:<14}  {}{}{}\n", time, kind, agent,
               red ? "\x1b[31m" : "", decision, red ? "\x1b[0m" : "", upstream, action, target,
               why.empty() ? "" : "  ", why);
  }

  void print_row(const audit::Match& match) {
    const auto& m = match.members;
    std::string why;
    const auto add = [&](const char* before, std::string_view name) {
      const std::string value = cell(m, name);
      if (!value.empty()) why += fmt::format("{}{}{}", why.empty() ? "" : " ", before, value);
    };
    if (match.line.kind == "decision") {
      add("by ", "rule");
      if (why.empty()) add("by ", "reason");
      add("budget ", "budget");
      add("", "because");
    } else {
      add("", "status");
      add("", "result");
      add("error ", "error");
      add("cost ", "cost");
      add("ms ", "ms");
      add("LOST ", "lost");
      add("torn ", "torn");
    }
    row(std::string(match.line.time.substr(0, 23)) + "Z", match.line.kind, cell(m, "agent"),
        cell(m, "decision"), cell(m, "upstream"), cell(m, "action"), cell(m, "target"), why);
  }

  const bool json_;
  const uint64_t limit_;
  bool color_ = false;
  uint64_t printed_ = 0;
};

// Returns when no more are wanted.
void follow(const std::string& path, uint64_t from, audit::Searcher& searcher,
            const audit::Searcher::Sink& sink, Printer& printer) {
  audit::Follower follower(path, from);
  while (follower.look([&](std::string_view text) { return searcher.look_at(text, sink); })) {
    printer.flush();
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace

int audit_query(std::vector<std::string> args) {
  const auto options = with_filters({
      {"--kind", "K", "decision, outcome, start, stop, policy, …", true},
      {"--follow", "", "goes on with what is written from now on, until it is stopped"},
  });
  const Synopsis synopsis = {
      "audit query", "[--agent A] [--since TIME] … [-c reeve.yaml | FILE…]",
      "The lines of the record that match, oldest first. FILE is the current file, which brings "
      "those rotated\naway from it. The first time an index is made beside each file.",
      options, true};
  int exit_code = 0;
  const auto arguments = Arguments::parse(synopsis, args, exit_code);
  if (!arguments) return exit_code;
  const auto query = read_filters("audit query", *arguments);
  const auto limit = read_limit("audit query", *arguments);
  if (!query || !limit) return 2;
  const auto source = find_record("audit query", *arguments);
  if (!source) return 2;
  audit::Searcher searcher(*query);
  Printer printer(arguments->has("--json"), *limit);
  const audit::Searcher::Sink sink = [&](const audit::Match& match) {
    return printer.print(match);
  };
  uint64_t end = 0;
  for (const std::string& file : source->files) {
    if (!searcher.search(file, sink, &end)) return 0;
  }
  printer.flush();
  if (arguments->has("--follow")) follow(source->files.back(), end, searcher, sink, printer);
  return 0;
}

}  // namespace reeve::commands
