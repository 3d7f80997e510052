// `reeve suggest`: grants that a record never used, and the tightest policy that still allows what
// was seen. What it suggests is loaded, and each kind of call that was seen is replayed on it,
// before it is shown.
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <unordered_set>

#include "policy/changes.h"
#include "policy/json.h"
#include "policy/usage.h"
#include "proxy/audit/decided.h"
#include "proxy/audit/files.h"
#include "proxy/clock.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/policy_source.h"
#include "proxy/policy_files.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"-p", "POLICY", "the policy, a file or a folder"},
    {"--audit", "FILE", "the record; the current file brings those rotated away from it"},
    {"-c", "reeve.yaml", "the wiring; also says where policy and record are"},
    {"--policy", "", "prints the tightest policy alone, as YAML"},
    {"--json", "", "one JSON object, the tightest policy included"},
};
constexpr Synopsis kSynopsis = {
    "suggest", "-p POLICY --audit FILE [--policy | --json]",
    "Grants that no recorded call used, and the tightest policy that still allows what was seen. A "
    "call that\nwas let through is counted for the rule that the record names. Only `allow` rules "
    "are "
    "tightened; what is\nasked for or denied stays. A quiet month is no proof that a grant is not "
    "needed: read before you use it.",
    kOptions, false};

constexpr size_t kMostKinds = 200'000;  // of calls that are replayed at the end

// What was let through, read once.
class Seen {
 public:
  Seen(const policy::PolicySet& set) : usage(set) {}

  void read(std::string_view text) {
    const auto line = audit::read_line(text);
    if (!line || line->kind != "decision") return;
    const auto members = parser_.parse(text);
    if (!members || !members->is_object()) return;
    const audit::Decided* decided = reader_.read(*line, *members);
    if (!decided || decided->recorded.verdict == policy::Verdict::kDeny) return;
    ++calls;
    if (first.empty()) first = line->time;
    last = line->time;
    if (usage.add(decided->recorded)) {
      keep(decided->recorded);
    } else {
      ++ungranted;
    }
  }

  // Of the kinds of calls that were seen, how many the policy may still allow.
  size_t allowed_by(const policy::Replay& replay) const {
    size_t allowed = 0;
    for (const Kept& one : kept) {
      policy::RecordedCall recorded;
      recorded.agent = one.agent;
      recorded.rule = one.rule;
      recorded.verdict = policy::Verdict::kAllow;
      recorded.call.upstream = one.upstream;
      recorded.call.kind = one.kind;
      recorded.call.action = one.action;
      recorded.call.target = one.target;
      recorded.call.time = one.time;
      const policy::Possible possible = replay.decide(recorded);
      if (possible.allow || possible.ask) ++allowed;
    }
    return allowed;
  }

  policy::Usage usage;
  uint64_t calls = 0;
  uint64_t ungranted = 0;  // by no rule that the policy has now
  std::string first, last;

  struct Kept {
    std::string agent, rule, upstream, action, target;
    policy::Kind kind;
    policy::Time time;
  };
  std::vector<Kept> kept;

 private:
  void keep(const policy::RecordedCall& recorded) {
    if (kept.size() >= kMostKinds) return;
    const policy::Call& call = recorded.call;
    std::string key;
    for (const std::string_view part :
         {recorded.agent, recorded.rule, call.upstream, call.action, call.target}) {
      key += part;
      key += '\0';
    }
    if (!keys_.insert(std::move(key)).second) return;
    kept.push_back({std::string(recorded.agent), std::string(recorded.rule),
                    std::string(call.upstream), std::string(call.action), std::string(call.target),
                    call.kind, call.time});
  }

  json::Parser parser_;
  audit::DecidedReader reader_;
  std::unordered_set<std::string> keys_;
};

std::string time_text(policy::Time time) {
  std::string text;
  append_time(text, time);
  return text.substr(0, 19) + "Z";
}

void print_text(const Seen& seen) {
  fmt::print("{} calls were let through", seen.calls);
  if (seen.calls > 0) fmt::print(", from {} to {}", seen.first, seen.last);
  fmt::print("\n");
  if (seen.ungranted > 0) {
    fmt::print("({} of them by no grant that the policy has now)\n", seen.ungranted);
  }
  fmt::print("\nGrants that none of them used:\n");
  size_t unused = 0;
  for (const auto& [rule, use] : seen.usage.grants()) {
    const auto patterns = seen.usage.unused_patterns(*rule);
    if (use->calls > 0 && patterns.empty()) continue;
    ++unused;
    const std::string where = fmt::format("{}  {}", rule->id, to_string(rule->at));
    if (use->calls == 0) {
      fmt::print("  {} {}: the whole rule\n", policy::to_string(rule->effect), where);
    } else {
      fmt::print("  {} {}: {} (the rest {} times, last {})\n", policy::to_string(rule->effect),
                 where, for_terminal(fmt::format("{}", fmt::join(patterns, ", ")), 400), use->calls,
                 time_text(use->last));
    }
  }
  if (unused == 0) fmt::print("  none\n");
  for (const std::string& agent : seen.usage.idle_agents()) {
    fmt::print("agent {} made no call\n", for_terminal(agent, 80));
  }
  for (const auto& [agent, role] : seen.usage.idle_roles()) {
    fmt::print("agent {} used nothing of its role {}\n", for_terminal(agent, 80),
               for_terminal(role, 80));
  }
  fmt::print("\n`reeve suggest --policy …` prints the tightest policy that allows these calls.\n");
}

void append_texts(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (const std::string& text : texts) {
    if (out.back() != '[') out += ',';
    json::append_string(out, text);
  }
  out += ']';
}

void print_json(const Seen& seen, const std::string& tight) {
  std::string out = fmt::format("{{\"calls\":{},\"first\":", seen.calls);
  json::append_string(out, seen.first);
  out += ",\"last\":";
  json::append_string(out, seen.last);
  out += fmt::format(",\"ungranted\":{},\"grants\":[", seen.ungranted);
  for (const auto& [rule, use] : seen.usage.grants()) {
    if (out.back() != '[') out += ',';
    out += "{\"rule\":";
    json::append_string(out, rule->id);
    out += ",\"at\":";
    json::append_string(out, to_string(rule->at));
    out +=
        fmt::format(",\"effect\":\"{}\",\"calls\":{}", policy::to_string(rule->effect), use->calls);
    if (use->calls > 0) out += fmt::format(",\"last\":\"{}\"", time_text(use->last));
    out += ",\"unused\":";
    append_texts(out, seen.usage.unused_patterns(*rule));
    out += '}';
  }
  out += "],\"idle_agents\":";
  append_texts(out, seen.usage.idle_agents());
  out += ",\"idle_roles\":[";
  for (const auto& [agent, role] : seen.usage.idle_roles()) {
    if (out.back() != '[') out += ',';
    append_texts(out, {agent, role});
  }
  out += "],\"policy\":";
  json::append_string(out, tight);
  fmt::print("{}}}\n", out);
}

// Loads what is suggested, and holds it against what was seen. Prints what is wrong.
bool verify(const std::string& tight, const WiringSource& wiring, const policy::PolicySet& before,
            std::span<const policy::SourceFile> files, const Seen& seen) {
  const policy::SourceFile file{"suggested", tight};
  Diagnostics diagnostics;
  const auto set = policy::PolicySet::load({&file, 1}, wiring.wiring(), diagnostics);
  if (!set) {
    print_errors(diagnostics);
    fmt::print(stderr,
               "reeve suggest: what would be suggested does not load: please report this\n");
    return false;
  }
  const auto conditions_before = policy::conditions_of(files);
  const auto conditions_after = policy::conditions_of({&file, 1});
  const policy::Replay replay(&before, &conditions_before, *set, conditions_after);
  const size_t allowed = seen.allowed_by(replay);
  if (allowed == seen.kept.size()) return true;
  fmt::print(
      stderr,
      "reeve suggest: what would be suggested allows {} of {} kinds of calls that were seen: "
      "please report this\n",
      allowed, seen.kept.size());
  return false;
}

}  // namespace

int suggest(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  Diagnostics diagnostics;
  const auto wiring = load_wiring(arguments->value("-c"), diagnostics);
  if (!wiring) {
    print_errors(diagnostics);
    return 2;
  }
  const std::string path = arguments->has("-p") ? arguments->value("-p")
                           : wiring->config     ? wiring->config->policy
                                                : "";
  const std::string record = arguments->has("--audit") ? arguments->value("--audit")
                             : wiring->config          ? wiring->config->audit.path
                                                       : "";
  if (path.empty()) return usage_error("suggest", "no -p POLICY");
  if (record.empty()) return usage_error("suggest", "no --audit FILE");
  const auto source = find_record("suggest", record);
  if (!source) return 2;
  const auto files = read_policy_files(path, diagnostics);
  const auto set = files ? policy::PolicySet::load(*files, wiring->wiring(), diagnostics) : nullptr;
  if (!set) {
    print_errors(diagnostics);
    return 2;
  }
  Seen seen(*set);
  for (const std::string& file : source->files) {
    audit::LineReader reader;
    if (!reader.open(file)) {
      fmt::print(stderr, "reeve suggest: `{}` cannot be read: {}\n", file,
                 std::strerror(reader.error()));
      return 2;
    }
    reader.stop_at_end();
    for (std::string_view text; reader.next(text, false);) seen.read(text);
  }
  const std::string tight = policy::tightest_policy(*files, seen.usage);
  if (!verify(tight, *wiring, *set, *files, seen)) return 1;
  if (arguments->has("--json")) {
    print_json(seen, tight);
  } else if (arguments->has("--policy")) {
    fmt::print(
        "# The tightest policy that allows {} recorded calls; comments of the old one are "
        "not kept.\n{}",
        seen.calls, tight);
  } else {
    print_text(seen);
  }
  return 0;
}

}  // namespace reeve::commands
