// What a policy obliges to: people to ask, limits, guards, servers that must stay as they were.
// Tested by tests/policy/parse_test.cc and the files of tests/data/policies/bad.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "policy/guard_kind.h"
#include "policy/parse_amounts.h"
#include "policy/parse_condition.h"
#include "policy/parse_sections.h"
#include "policy/pattern.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

void read_finder(FileReader& reader, const yaml::Node& node, GuardInfo& guard) {
  if (!node.is_mapping()) {
    const Text name = read_text(reader, node, "patterns");
    if (name.empty()) return;
    const std::string known = read_word(reader, name, "pattern", kGuardKindNames);
    if (!known.empty()) guard.finders.push_back({known, {}});
    return;
  }
  const Fields fields(reader, node, "pattern", {"name", "regex"});
  const Text name = fields.text("name");
  const Text regex = fields.text("regex");
  for (const std::string_view key : {"name", "regex"}) {
    if (!fields.find(key)) {
      reader.error(node.mark, fmt::format("a pattern of one's own without `{}`; add it", key));
    }
  }
  if (name.empty() || regex.empty()) return;
  if (guard_kind(name.value)) {
    reader.error(mark_of(name),
                 fmt::format("pattern `{}` is built in; choose another name", shown(name.value)));
    return;
  }
  const Result<Pattern> pattern = Pattern::compile("re:" + regex.value);
  if (!pattern) {
    reader.error(mark_of(regex), pattern.error().message);
    return;
  }
  guard.finders.push_back({name.value, regex.value});
}

void read_finders(FileReader& reader, const yaml::Node& node, GuardInfo& guard) {
  if (!node.is_sequence()) {
    read_finder(reader, node, guard);
    return;
  }
  if (node.items.empty()) {
    reader.error(node.mark, "empty list of `patterns`; name at least one, or remove the key");
  }
  for (const yaml::Node& item : node.items) read_finder(reader, item, guard);
}

void read_fields(FileReader& reader, const yaml::Node& node, GuardInfo& guard) {
  for (Text& field : read_texts(reader, node, "fields")) {
    ValueRef place;
    if (read_steps(field.value, place)) {
      guard.fields.push_back(std::move(field.value));
    } else {
      reader.error(mark_of(field),
                   fmt::format("`{}` is no place in a value; write it as `customer.name` or "
                               "`*.birth_date`",
                               shown(field.value)));
    }
  }
}

// `args.name` of a dispatch tool.
bool read_dispatch_path(FileReader& reader, const Text& text, ValueRef& value) {
  value.text = text.value;
  const bool good = text.value.starts_with("args.") &&
                    read_steps(std::string_view(text.value).substr(5), value) && !value.every;
  if (!good) {
    reader.error(mark_of(text), fmt::format("`{}` is no place in the arguments; write it as "
                                            "`args.name`",
                                            shown(text.value)));
  }
  return good;
}

// Names that are compared as they stand: a pattern would never match, without a word.
void refuse_pattern(FileReader& reader, const yaml::Node::Member& member, std::string_view what) {
  if (!member.key.starts_with("re:") && member.key.find_first_of("*?") == std::string::npos) return;
  reader.error(member.key_mark, fmt::format("`{}` looks like a pattern; a {} is named in full, one "
                                            "entry for each",
                                            shown(member.key), what));
}

void read_dispatch(FileReader& reader, const yaml::Node& node, ServerInfo& server) {
  if (!node.is_mapping() || node.members.empty()) {
    reader.error(node.mark,
                 "`dispatch` must map tools to where their arguments name the inner tool, such as "
                 "`invoke_tool: {tool: args.name, args: args.arguments}`");
    return;
  }
  for (const yaml::Node::Member& member : node.members) {
    DispatchInfo dispatch;
    dispatch.tool = read_name(reader, member, "dispatch tool").value;
    refuse_pattern(reader, member, "dispatch tool");
    const Fields fields(reader, member.value, "dispatch", {"tool", "args"});
    if (!fields.valid()) continue;
    if (!fields.find("tool")) {
      reader.error(member.key_mark, fmt::format("dispatch of `{}` without `tool`; say where the "
                                                "inner tool's name stands",
                                                shown(member.key)));
      continue;
    }
    const Text tool = fields.text("tool");
    const Text args = fields.text("args");
    if (tool.empty() || !read_dispatch_path(reader, tool, dispatch.inner_tool)) continue;
    if (!args.empty() && !read_dispatch_path(reader, args, dispatch.inner_args)) continue;
    server.dispatch.push_back(std::move(dispatch));
  }
}

}  // namespace

void read_approvers(FileReader& reader, const yaml::Node::Member& member) {
  ApproversSource group;
  group.name = read_name(reader, member, "approvers");
  const Fields fields(reader, member.value, "approvers", {"members", "need", "not_owner"});
  reader.uses("approvers", member.key_mark);
  if (const yaml::Node* members = fields.find("members")) {
    group.members = read_texts(reader, *members, "members");
  } else if (fields.valid()) {
    reader.error(member.key_mark, fmt::format("approvers `{}` without `members`; name them",
                                              shown(group.name.value)));
  }
  std::unordered_set<std::string_view> named;
  for (const Text& name : group.members) {
    if (named.insert(name.value).second) continue;
    reader.error(mark_of(name), fmt::format("`{}` is named twice; keep one", shown(name.value)));
  }
  group.need = static_cast<uint32_t>(
      std::min<uint64_t>(fields.whole_number("need", 1).value_or(1), UINT32_MAX));
  group.not_owner = fields.boolean("not_owner");
  if (!group.members.empty() && group.need > group.members.size()) {
    reader.error(fields.find("need")->mark,
                 fmt::format("approvers `{}` need {} of {} members; name more or need fewer",
                             shown(group.name.value), group.need, group.members.size()));
  }
  reader.document.approvers.push_back(std::move(group));
}

AskSource read_ask(FileReader& reader, const Fields& fields, std::string_view what) {
  AskSource ask;
  ask.approvers = fields.text("approvers");
  if (!fields.find("approvers")) {
    reader.error(fields.node().mark, fmt::format("{} without `approvers`; name the group that may "
                                                 "say yes",
                                                 what));
  }
  if (const Text within = fields.text("within"); !within.empty()) {
    ask.within = read_duration(reader, within).value_or(kDefaultWithin);
  }
  return ask;
}

void refuse_ask(FileReader& reader, const Fields& fields, std::string_view remedy) {
  for (const std::string_view key : {"approvers", "within"}) {
    if (const yaml::Node* node = fields.find(key)) {
      reader.error(node->mark, fmt::format("`{}` without anything that asks; {}", key, remedy));
    }
  }
}

std::vector<RateLimitSource> read_rate_limits(FileReader& reader, const yaml::Node& node) {
  std::vector<RateLimitSource> limits;
  for (const Text& text : read_texts(reader, node, "limits")) {
    if (auto limit = read_rate_limit(reader, text)) limits.push_back({std::move(*limit), text.at});
  }
  return limits;
}

void read_guard(FileReader& reader, const yaml::Node::Member& member) {
  GuardSource source;
  GuardInfo& guard = source.guard;
  source.name = read_name(reader, member, "guard");
  guard.name = source.name.value;
  const Fields fields(reader, member.value, "guard",
                      {"patterns", "fields", "on", "then", "approvers", "within"});
  if (!fields.valid()) {
    reader.document.guards.push_back(std::move(source));  // its name is known all the same
    return;
  }
  reader.uses("guards", member.key_mark);
  if (const yaml::Node* patterns = fields.find("patterns")) read_finders(reader, *patterns, guard);
  if (const yaml::Node* places = fields.find("fields")) read_fields(reader, *places, guard);
  if (!fields.find("patterns") && !fields.find("fields")) {
    reader.error(member.key_mark, fmt::format("guard `{}` looks for nothing; add `patterns` or "
                                              "`fields`",
                                              shown(guard.name)));
  }
  if (const Text on = fields.text("on"); !on.empty()) {
    const std::string word = read_word(reader, on, "`on`", {"arguments", "result", "both"});
    guard.on = word == "arguments" ? GuardInfo::On::kArguments
               : word == "both"    ? GuardInfo::On::kBoth
                                   : GuardInfo::On::kResult;
  }
  if (const Text then = fields.text("then"); !then.empty()) {
    const std::string word = read_word(reader, then, "`then`", {"redact", "deny", "ask"});
    guard.then = word == "deny"  ? GuardInfo::Then::kDeny
                 : word == "ask" ? GuardInfo::Then::kAsk
                                 : GuardInfo::Then::kRedact;
  }
  if (guard.then == GuardInfo::Then::kAsk) {
    reader.uses("then: ask of a guard", member.key_mark);
    source.ask = read_ask(reader, fields, "a guard that asks");
  } else {
    refuse_ask(reader, fields, "write `then: ask`, or remove it");
  }
  reader.document.guards.push_back(std::move(source));
}

void read_server(FileReader& reader, const yaml::Node::Member& member) {
  ServerSource source;
  ServerInfo& server = source.server;
  source.name = read_name(reader, member, "server");
  server.upstream = source.name.value;
  refuse_pattern(reader, member, "server");
  const Fields fields(reader, member.value, "server", {"pin", "on_drift", "dispatch"});
  if (!fields.valid()) return;
  server.pin = fields.text("pin").value;
  if (const yaml::Node* pin = fields.find("pin")) reader.uses("pin", pin->mark);
  if (const Text drift = fields.text("on_drift"); !drift.empty()) {
    server.deny_drift = read_word(reader, drift, "`on_drift`", {"deny", "report"}) != "report";
  }
  if (fields.find("on_drift") && !fields.find("pin")) {
    reader.error(fields.find("on_drift")->mark,
                 "`on_drift` without `pin`: there is nothing to drift from; add the lock");
  }
  if (const yaml::Node* dispatch = fields.find("dispatch")) {
    reader.uses("dispatch", dispatch->mark);
    read_dispatch(reader, *dispatch, server);
  }
  reader.document.servers.push_back(std::move(source));
}

}  // namespace reeve::policy
