// `reeve agents`: who works here, and the stop. It speaks to the running sidecar.
#include <fmt/format.h>

#include <algorithm>

#include "policy/diagnostic.h"
#include "proxy/commands/admin_target.h"
#include "proxy/commands/commands.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"--role", "ROLE", "stop, resume: all agents that have this role"},
    {"--team", "TEAM", "stop, resume: all agents of this team"},
    {"--upstream", "NAME", "stop, resume: whatever goes to this upstream"},
    {"--all", "", "stop: every agent, each to be resumed by its name"},
    {"--dry-run", "", "stop, retire: only tell what would be cut"},
    {"--as", "PERSON", "who says it, where the token stands for several people"},
    {"--why", "TEXT", "a reason, for the record"},
    {"--json", "", "as the sidecar says it"},
    {"-c", "reeve.yaml", "where the sidecar is (reeve.yaml without it)"},
};
constexpr Synopsis kSynopsis = {
    "agents", "[list | show ID | stop ID | resume ID | retire ID | review ID | stops]",
    "Who works here, and the stop. `stop` cuts what is under way within moments and refuses what "
    "comes,\nuntil it is resumed by the same name: an ID, or --role, --team, --upstream. `retire` "
    "is "
    "for good and\nrevokes its credentials; `review` notes that somebody has looked at how the "
    "agent "
    "does. REEVE_TOKEN is a\nperson's own token; without it the admin token of reeve.yaml is used. "
    "Exits with 0, or 1 where the sidecar\nsays no or could not do all of it.",
    kOptions, true};

// For a path.
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

bool is_true(const json::Value& object, std::string_view name) {
  const auto value = object.find(name);
  return value && value->type() == json::Type::kTrue;
}

std::string joined(const json::Value& object, std::string_view name) {
  std::string out;
  const auto list = object.find(name);
  if (!list || !list->is_array()) return out;
  for (const json::Value item : list->items()) {
    std::string scratch;
    if (!item.is_string()) continue;
    out += (out.empty() ? "" : ",") + std::string(item.text(scratch));
  }
  return out;
}

std::string state_of(const json::Value& agent) {
  const std::string state = text_of(agent, "state");
  return state == "active" && is_true(agent, "unused") ? "unused" : state;
}

std::string spend_of(const json::Value& agent) {
  std::string out;
  const auto list = agent.find("spend");
  if (!list || !list->is_array()) return out;
  for (const json::Value budget : list->items()) {
    const std::string unit = text_of(budget, "unit");
    if (!out.empty()) out += ", ";
    out += fmt::format("{} of {} {} a {}", text_of(budget, "used"), text_of(budget, "limit"),
                       unit == "money" ? text_of(budget, "currency") : unit,
                       text_of(budget, "period"));
  }
  return out;
}

std::string day_of(const json::Value& agent, std::string_view name) {
  const std::string time = text_of(agent, name);
  return time.empty() ? "-" : time.substr(0, 10);
}

int print_list(const AdminTarget& target, const json::Value& answer) {
  const auto list = answer.find("agents");
  const auto roles = answer.find("roles");
  if (!list || !list->is_array() || !roles || !roles->is_array()) {
    return target.fail("the sidecar's answer cannot be read");
  }
  fmt::print("{:<20}  {:<10}  {:<24}  {:<16}  {:<24}  {:<20}  {:<12}  {}\n", "AGENT", "STATE",
             "ROLES", "TEAM", "OWNER", "LAST CALL", "NEXT REVIEW", "SPEND");
  for (const json::Value agent : list->items()) {
    const std::string last = text_of(agent, "last_call");
    fmt::print("{:<20}  {:<10}  {:<24}  {:<16}  {:<24}  {:<20}  {:<12}  {}\n",
               text_of(agent, "agent"), state_of(agent), joined(agent, "roles"),
               text_of(agent, "team"), text_of(agent, "owner"), last.empty() ? "-" : last,
               day_of(agent, "next_review") + (is_true(agent, "review_due") ? "!" : ""),
               spend_of(agent));
  }
  for (const json::Value role : roles->items()) {
    if (!is_true(role, "unused")) continue;
    fmt::print("role {} is unused: none of its agents has called in the last 30 days\n",
               text_of(role, "role"));
  }
  return 0;
}

int print_agent(const AdminTarget&, const json::Value& agent) {
  for (const std::string_view name :
       {"agent", "owner", "purpose", "team", "risk", "state", "expires", "probation_until", "hired",
        "last_call", "reviewed", "reviewed_by", "next_review"}) {
    const std::string text = text_of(agent, name);
    if (!text.empty()) fmt::print("{:<15} {}\n", name, text);
  }
  fmt::print("{:<15} {}\n", "roles", joined(agent, "roles"));
  if (is_true(agent, "unused")) fmt::print("{:<15} no call in the last 30 days\n", "unused");
  if (const auto stop = agent.find("stop"); stop && stop->is_object()) {
    fmt::print("{:<15} {} {} by {} at {} {}\n", text_of(*stop, "state"), text_of(*stop, "scope"),
               text_of(*stop, "name"), text_of(*stop, "by"), text_of(*stop, "time"),
               text_of(*stop, "why", 1024));
  }
  if (const std::string spend = spend_of(agent); !spend.empty()) {
    fmt::print("{:<15} {}\n", "spend", spend);
  }
  return 0;
}

int print_stops(const AdminTarget& target, const json::Value& answer) {
  const auto list = answer.find("stops");
  if (!list || !list->is_array()) return target.fail("the sidecar's answer cannot be read");
  if (list->size() == 0) fmt::print("nothing is stopped\n");
  for (const json::Value stop : list->items()) {
    const std::string resumed = joined(stop, "resumed");
    fmt::print("{} {} {} by {} at {} {}{}\n", text_of(stop, "scope"), text_of(stop, "name"),
               text_of(stop, "state"), text_of(stop, "by"), text_of(stop, "time"),
               text_of(stop, "why", 1024), resumed.empty() ? "" : ", but for " + resumed);
  }
  return 0;
}

int print_done(const AdminTarget&, const json::Value& done) {
  fmt::print("{} {} {}\n", text_of(done, "scope"), text_of(done, "name"), text_of(done, "state"));
  if (const std::string held = text_of(done, "still_stopped_by"); !held.empty()) {
    fmt::print("it is still stopped by {}\n", held);
  }
  const auto cut = done.find("cut");
  if (!cut || !cut->is_object()) return 0;
  const bool would = cut->find("named").has_value();
  fmt::print("{}cut: {} calls, {} streams, {} tunnels; refused: {} held calls\n",
             would ? "would be " : "", text_of(*cut, "calls"), text_of(*cut, "streams"),
             text_of(*cut, "tunnels"), text_of(*cut, "held"));
  if (!would) return 0;
  for (const json::Value call : cut->find("named")->items()) {
    fmt::print("  {:<6}  {}  {:<16}  {:<12}  {} {}\n", text_of(call, "kind"), text_of(call, "call"),
               text_of(call, "agent"), text_of(call, "upstream"), text_of(call, "action"),
               text_of(call, "target"));
  }
  return 0;
}

// What is meant by ID or one of --role, --team, --upstream, --all, as a path; or nothing, after
// saying why.
std::optional<std::string> path_of(const Arguments& arguments, std::string_view verb) {
  const auto& words = arguments.files();
  std::vector<std::string> paths;
  if (words.size() == 2) paths.push_back("/v1/agents/" + escaped(words[1]));
  for (const std::string_view option : {"--role", "--team", "--upstream"}) {
    if (const auto name = arguments.find(option)) {
      paths.push_back(fmt::format("/v1/stops/{}/{}", option.substr(2), escaped(*name)));
    }
  }
  if (arguments.has("--all")) paths.emplace_back("/v1/stops/all");
  if (paths.size() != 1 || words.size() > 2) {
    usage_error("agents", fmt::format("name what to {}: one ID, or one of --role, --team, "
                                      "--upstream{}",
                                      verb, verb == "stop" ? ", --all" : ""));
    return std::nullopt;
  }
  if (verb != "stop" && arguments.has("--all")) {
    usage_error("agents", "there is no resume of all: each agent is resumed by its name");
    return std::nullopt;
  }
  return fmt::format("{}/{}", paths.front(), verb);
}

}  // namespace

int agents(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  const auto& words = arguments->files();
  const std::string verb = words.empty() ? "list" : words.front();
  const std::vector<std::string> verbs = {"list",   "show",   "stop", "resume",
                                          "retire", "review", "stops"};
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) {
    const std::string near = nearest(verb, verbs);
    return usage_error(
        "agents", near.empty() ? fmt::format("there is no `{}`", verb)
                               : fmt::format("there is no `{}`; did you mean `{}`?", verb, near));
  }
  const bool one = verb == "retire" || verb == "review";
  const bool changes = verb == "stop" || verb == "resume" || one;
  if (arguments->has("--dry-run") && verb != "stop" && verb != "retire") {
    return usage_error("agents", "--dry-run goes with stop and retire");
  }
  if (one && words.size() != 2) {
    return usage_error("agents", fmt::format("{} takes one ID", verb));
  }
  std::string path;
  if (changes) {
    const auto meant = path_of(*arguments, verb);
    if (!meant) return 2;
    path = *meant;
  } else if (words.size() != (verb == "show" ? 2U : std::min<size_t>(words.size(), 1))) {
    return usage_error(
        "agents", verb == "show" ? "show which? name one ID" : fmt::format("{} takes no ID", verb));
  }
  const auto target = AdminTarget::open("agents", *arguments, exit_code);
  if (!target) return exit_code;
  if (changes) return target->print(target->ask("POST", path, said_body(*arguments)), print_done);
  if (verb == "stops") return target->print(target->ask("GET", "/v1/stops"), print_stops);
  if (verb == "list") return target->print(target->ask("GET", "/v1/agents"), print_list);
  return target->print(target->ask("GET", "/v1/agents/" + escaped(words[1])), print_agent);
}

}  // namespace reeve::commands
