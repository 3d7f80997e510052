// `reeve approvals`: what waits for people, and their answers. It speaks to the running sidecar.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "policy/diagnostic.h"
#include "proxy/commands/admin_target.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/commands.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"--newest", "", "the one that was asked last and waits"},
    {"--as", "PERSON", "who answers, where the token stands for several people"},
    {"--why", "TEXT", "a reason, for the record and, with a no, for the agent"},
    {"--all", "", "list: those that have ended as well"},
    {"--json", "", "as the sidecar says it"},
    {"-c", "reeve.yaml", "where the sidecar is (reeve.yaml without it)"},
};
constexpr Synopsis kSynopsis = {
    "approvals", "[list | show ID | approve ID | deny ID] [--newest] [--as PERSON] [--why TEXT]",
    "What waits for people, and their answers. REEVE_TOKEN is a person's own token; without it the "
    "admin\ntoken of reeve.yaml is used. Exits with 0, or 1 where the sidecar says no.",
    kOptions, true};

constexpr size_t kWhole = 64 * 1024;

int print_list(const AdminTarget& target, const json::Value& answer) {
  const auto list = answer.find("approvals");
  if (!list || !list->is_array()) return target.fail("the sidecar's answer cannot be read");
  if (list->size() == 0) {
    fmt::print("nothing waits for people\n");
    return 0;
  }
  fmt::print("{:<36}  {:<8}  {:<20}  {:<16}  {:<12}  {:<14}  {}\n", "APPROVAL", "STATE", "EXPIRES",
             "AGENT", "UPSTREAM", "ACTION", "TARGET");
  for (const json::Value record : list->items()) {
    fmt::print("{:<36}  {:<8}  {:<20}  {:<16}  {:<12}  {:<14}  {} {}\n",
               text_of(record, "approval"), text_of(record, "state"), text_of(record, "expires"),
               text_of(record, "agent"), text_of(record, "upstream"), text_of(record, "action"),
               text_of(record, "target"), text_of(record, "arguments"));
  }
  return 0;
}

void print_rules(const json::Value& record) {
  const auto rules = record.find("rules");
  if (!rules || !rules->is_array()) return;
  for (const json::Value rule : rules->items()) {
    fmt::print("rule        {} ({}) {}\n", text_of(rule, "rule"), text_of(rule, "at"),
               text_of(rule, "because"));
    fmt::print("asks        {}: {} of {}\n", text_of(rule, "approvers"), text_of(rule, "need"),
               text_of(rule, "members", kWhole));
  }
}

int print_record(const AdminTarget&, const json::Value& record) {
  for (const std::string_view name :
       {"approval", "state",     "time",  "expires",  "agent",       "owner",  "team",
        "purpose",  "risk",      "roles", "upstream", "protocol",    "action", "target",
        "query",    "arguments", "cost",  "currency", "args_sha256", "policy"}) {
    const std::string text = text_of(record, name, kWhole);
    if (!text.empty()) fmt::print("{:<11} {}\n", name, text);
  }
  print_rules(record);
  for (const char* list : {"votes", "before"}) {
    const auto items = record.find(list);
    if (!items || !items->is_array()) continue;
    for (const json::Value item : items->items()) {
      fmt::print("{:<11} {}\n", list, for_terminal(item.raw(), kWhole));
    }
  }
  return 0;
}

// The id that is meant, or nothing, and then `exit_code`.
std::optional<std::string> id_of(const AdminTarget& target, int& exit_code) {
  const auto& words = target.arguments().files();
  const bool newest = target.arguments().has("--newest");
  if (newest == (words.size() == 2) || words.size() > 2) {
    exit_code = usage_error("approvals", "name one ID, or --newest");
    return std::nullopt;
  }
  if (!newest) {
    for (const char c : words[1]) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-') continue;
      exit_code = usage_error("approvals", "an ID is letters, digits and dashes");
      return std::nullopt;
    }
    return words[1];
  }
  const auto answer = target.ask("GET", "/v1/approvals");
  exit_code = 1;
  if (!answer) return target.fail(answer.error().message), std::nullopt;
  if (answer->status >= 400) return target.fail(detail_of(*answer)), std::nullopt;
  json::Parser parser;
  const auto value = parser.parse(answer->body);
  const auto list = value && value->is_object() ? value->find("approvals") : std::nullopt;
  if (list && list->is_array()) {
    for (const json::Value record : list->items()) {
      const auto state = record.find("state");
      if (state && state->is_string() && state->equals("pending")) {
        return text_of(record, "approval");
      }
    }
  }
  return target.fail("nothing waits for people"), std::nullopt;
}

int answer(const AdminTarget& target, const std::string& verb) {
  int exit_code = 0;
  const auto id = id_of(target, exit_code);
  if (!id) return exit_code;
  const std::string path = fmt::format("/v1/approvals/{}/{}", *id, verb);
  const auto said = target.ask("POST", path, said_body(target.arguments()));
  return target.print(said, [](const AdminTarget&, const json::Value& record) {
    const std::string state = text_of(record, "state");
    fmt::print("{} is {}\n", text_of(record, "approval"),
               state == "pending" ? "pending: more people must say yes" : state);
    return 0;
  });
}

}  // namespace

int approvals(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  const auto& words = arguments->files();
  const std::string verb = words.empty() ? "list" : words.front();
  const std::vector<std::string> verbs = {"list", "show", "approve", "deny"};
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) {
    const std::string near = nearest(verb, verbs);
    return usage_error("approvals",
                       near.empty()
                           ? fmt::format("there is no `{}`", verb)
                           : fmt::format("there is no `{}`; did you mean `{}`?", verb, near));
  }
  const auto target = AdminTarget::open("approvals", *arguments, exit_code);
  if (!target) return exit_code;
  if (verb == "list") {
    if (words.size() > 1) return usage_error("approvals", "list takes no ID; show does");
    const char* path = arguments->has("--all") ? "/v1/approvals?all=true" : "/v1/approvals";
    return target->print(target->ask("GET", path), print_list);
  }
  if (verb != "show") return answer(*target, verb);
  const auto id = id_of(*target, exit_code);
  if (!id) return exit_code;
  return target->print(target->ask("GET", "/v1/approvals/" + *id), print_record);
}

}  // namespace reeve::commands
