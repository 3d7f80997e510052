// `reeve diff`: what changes for whom; with a record, which of its calls would go otherwise.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "policy/changes.h"
#include "policy/json.h"
#include "policy/policy_set.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/diff_record.h"
#include "proxy/commands/policy_source.h"
#include "proxy/policy_files.h"

namespace reeve::commands {
namespace {

using How = policy::Change::How;

constexpr Option kOptions[] = {
    {"--audit", "FILE", "a record: which of its calls NEW would decide otherwise, and their cost"},
    {"-c", "reeve.yaml", "the wiring of both: globs of upstreams are known to match"},
    {"--json", "", "one JSON object"},
};
constexpr Synopsis kSynopsis = {
    "diff", "OLD NEW [--audit FILE] [--json]",
    "What changes for whom from one policy to another, each a file or a folder. A rule that only "
    "moved,\nor got an id, is no change. A record's calls are replayed by their agent, upstream, "
    "action, target and\ntime; where a condition looks at what is not recorded, what was decided "
    "then is held against it, and\nwhat is left open is said to be so. Budgets, limits and guards "
    "are not replayed.",
    kOptions, true};

constexpr size_t kCell = 160;  // bytes of a text
constexpr size_t kMostAgents = 6;

struct Policy {
  std::vector<policy::SourceFile> files;
  std::shared_ptr<const policy::PolicySet> set;
  policy::Conditions conditions;
};

bool load(const std::string& path, const WiringSource& wiring, Policy& into) {
  Diagnostics diagnostics;
  if (auto files = read_policy_files(path, diagnostics)) {
    into.files = std::move(*files);
    into.set = policy::PolicySet::load(into.files, wiring.wiring(), diagnostics);
  }
  if (!into.set) {
    print_errors(diagnostics);
    return false;
  }
  into.conditions = policy::conditions_of(into.files);
  return true;
}

class Printer {
 public:
  Printer() : color_(::isatty(1) == 1 && std::getenv("NO_COLOR") == nullptr) {}

  void print(const std::vector<policy::Change>& changes) {
    std::vector<std::string> reached;  // of the rights that were printed last
    bool in_rights = false;
    for (const policy::Change& change : changes) {
      const bool is_right =
          change.subject == "rule" || change.subject == "limit" || (change.subject == "guard");
      if (!is_right) {
        print_one(change);
        in_rights = false;
        continue;
      }
      if (!in_rights || reached != change.agents) {
        fmt::print("{}:\n", named(change.agents));
        reached = change.agents;
        in_rights = true;
      }
      print_right(change);
    }
  }

  void print(const OtherwiseReport& report, std::string_view currency) {
    fmt::print("{} of {} recorded calls would be decided otherwise, {} more might\n",
               report.certain, report.replayed, report.uncertain);
    if (report.left_out > 0) {
      fmt::print("({} others are left out: no rule decided them)\n", report.left_out);
    }
    if (report.unread > 0) fmt::print("({} lines are no lines of a record)\n", report.unread);
    for (const OtherwiseGroup& group : report.groups) {
      fmt::print("{:>8}  {} -> {}  {}  {}  {}  {}  by {}{}\n", group.calls, group.was,
                 group.becomes, for_terminal(group.agent, kCell),
                 for_terminal(group.upstream, kCell), for_terminal(group.action, kCell),
                 for_terminal(group.target, kCell), for_terminal(group.why, kCell),
                 group.spent > 0
                     ? fmt::format("  spent {} {}", policy::format_decimal(group.spent), currency)
                     : "");
    }
  }

 private:
  static std::string named(const std::vector<std::string>& agents) {
    if (agents.empty()) return "nobody (roles that no agent has)";
    const size_t shown = agents.size() <= kMostAgents ? agents.size() : kMostAgents - 1;
    std::string text = fmt::format(
        "{}", fmt::join(agents.begin(), agents.begin() + static_cast<ptrdiff_t>(shown), ", "));
    if (shown < agents.size()) text += fmt::format(" and {} more", agents.size() - shown);
    return for_terminal(text, SIZE_MAX);
  }

  std::string colored(How how, const std::string& text) const {
    if (!color_ || how == How::kChanged) return text;
    return fmt::format("\x1b[{}m{}\x1b[0m", how == How::kAdded ? 32 : 31, text);
  }

  void print_one(const policy::Change& change) const {
    std::string what = change.subject;
    if (!change.name.empty()) what += " " + for_terminal(change.name, kCell);
    if (change.how != How::kChanged) {
      const std::string& text = change.how == How::kAdded ? change.after : change.before;
      fmt::print("{}\n", colored(change.how, fmt::format("{} {}: {}", what, to_string(change.how),
                                                         for_terminal(text, kCell))));
      return;
    }
    const auto value = [](const std::string& text) {
      return text.empty() ? std::string("(none)") : for_terminal(text, kCell);
    };
    fmt::print("{}: {} {} -> {}\n", what, change.key, value(change.before), value(change.after));
  }

  void print_right(const policy::Change& change) const {
    const bool added = change.how == How::kAdded;
    std::string line = fmt::format("  {} {}", added ? '+' : '-',
                                   for_terminal(added ? change.after : change.before, kCell));
    if (!change.rule.empty()) line += fmt::format("  [{} {}]", change.rule, to_string(change.at));
    fmt::print("{}\n", colored(change.how, line));
  }

  bool color_;
};

class Json {
 public:
  std::string text = "{";

  void member(std::string_view name, std::string_view value) {
    key(name);
    json::append_string(text, value);
  }
  void member_if(std::string_view name, std::string_view value) {
    if (!value.empty()) member(name, value);
  }
  void number(std::string_view name, uint64_t value) {
    key(name);
    text += std::to_string(value);
  }
  void key(std::string_view name) {
    if (text.back() != '{') text += ',';
    json::append_string(text, name);
    text += ':';
  }
  template <class List, class Each>
  void list(std::string_view name, const List& items, Each each) {
    key(name);
    text += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) text += ',';
      each(items[i]);
    }
    text += ']';
  }
};

void append_change(Json& out, const policy::Change& change) {
  out.text += '{';
  out.member("change", to_string(change.how));
  out.member("what", change.subject);
  out.member_if("name", change.name);
  out.member_if("key", change.key);
  if (change.subject == "rule" || change.subject == "limit" || change.subject == "guard") {
    out.list("agents", change.agents,
             [&](const std::string& agent) { json::append_string(out.text, agent); });
  }
  out.member_if("old", change.before);
  out.member_if("new", change.after);
  out.member_if("rule", change.rule);
  out.member("at", to_string(change.at));
  out.text += '}';
}

void append_group(Json& out, const OtherwiseGroup& group) {
  out.text += '{';
  out.number("calls", group.calls);
  for (const auto& [name, value] : {std::pair{"agent", &group.agent},
                                    {"upstream", &group.upstream},
                                    {"action", &group.action},
                                    {"target", &group.target},
                                    {"was", &group.was},
                                    {"becomes", &group.becomes},
                                    {"why", &group.why},
                                    {"first", &group.first},
                                    {"last", &group.last},
                                    {"call", &group.call}}) {
    out.member(name, *value);
  }
  out.key("certain");
  out.text += group.certain ? "true" : "false";
  out.key("spent");
  out.text += policy::format_decimal(group.spent) + "}";
}

void print_json(const std::vector<policy::Change>& changes, const OtherwiseReport* report) {
  Json out;
  out.list("changes", changes, [&](const policy::Change& change) { append_change(out, change); });
  if (report) {
    out.number("replayed", report->replayed);
    out.number("left_out", report->left_out);
    out.number("otherwise", report->certain);
    out.number("maybe", report->uncertain);
    out.list("calls", report->groups,
             [&](const OtherwiseGroup& group) { append_group(out, group); });
  }
  fmt::print("{}}}\n", out.text);
}

}  // namespace

int diff(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  if (arguments->files().size() != 2) return usage_error("diff", "name OLD and NEW");
  Diagnostics diagnostics;
  const auto wiring = load_wiring(arguments->value("-c"), diagnostics);
  if (!wiring) {
    print_errors(diagnostics);
    return 2;
  }
  Policy before, after;
  if (!load(arguments->files()[0], *wiring, before) ||
      !load(arguments->files()[1], *wiring, after)) {
    return 2;
  }
  const auto changes = policy::list_changes(before.files, after.files);
  OtherwiseReport report;
  const auto record = arguments->find("--audit");
  if (record) {
    const auto files = find_record("diff", *record);
    if (!files) return 2;
    const policy::Replay replay(before.set.get(), &before.conditions, *after.set, after.conditions);
    if (!compare_with_record(files->files, replay, report)) return 2;
  }
  if (arguments->has("--json")) {
    print_json(changes, record ? &report : nullptr);
  } else {
    Printer printer;
    printer.print(changes);
    if (record) printer.print(report, after.set->currency());
    if (changes.empty() && !record) fmt::print("no change\n");
  }
  return changes.empty() && report.certain + report.uncertain == 0 ? 0 : 1;
}

}  // namespace reeve::commands
