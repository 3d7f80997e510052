// See guarded.h. What was looked at is what is sent: after an edit the body is read again by the
// reader that read it first.
#include "proxy/guarded.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "policy/selector.h"
#include "proxy/body.h"
#include "proxy/guard_body.h"
#include "proxy/mcp_call.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

using policy::GuardExaminer;
using policy::GuardInfo;
using policy::GuardReport;
using Outcome = GuardReport::Outcome;

// Members of an MCP message's `params` that name something or steer the protocol.
constexpr std::string_view kProtocol[] = {
    "name",       "uri",          "ref",           "cursor",    "level",           "requestState",
    "taskId",     "task",         "progressToken", "requestId", "protocolVersion", "capabilities",
    "clientInfo", "notifications"};
constexpr std::string_view kReservedMeta = "io.modelcontextprotocol/";

bool is_one_of(std::string_view key, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

// What a server says of itself, and what a client asks it for that: no content.
bool is_about_the_server(std::string_view method) {
  constexpr std::string_view kMethods[] = {"initialize",
                                           "server/discover",
                                           "ping",
                                           "tools/list",
                                           "prompts/list",
                                           "resources/list",
                                           "logging/setLevel",
                                           "resources/templates/list"};
  return is_one_of(method, kMethods);
}

// What an answer to this may hold is known by nobody: it is another call's.
bool is_of_any_call(const Exchange& x) {
  return x.message == nullptr || x.message->shape == mcp::Shape::kResponse ||
         x.call.action.starts_with("tasks/") || x.call.action == "subscriptions/listen";
}

bool looks_at(const Guarded::Guards& guards, GuardInfo::On side) {
  return std::any_of(guards.begin(), guards.end(), [&](const GuardInfo* guard) {
    return guard->on == side || guard->on == GuardInfo::On::kBoth;
  });
}

// In the policy's order, in which its guards lie.
void add(const Guarded::Guards& more, Guarded::Guards& guards) {
  guards.insert(guards.end(), more.begin(), more.end());
  std::sort(guards.begin(), guards.end(), std::less<>());
  guards.erase(std::unique(guards.begin(), guards.end()), guards.end());
}

// Where the arguments of a call inside begin in the body; nothing where they are a text of it.
std::optional<size_t> inner_arguments(const Exchange& x) {
  if (!x.dispatched || !x.call.args) return std::nullopt;
  const std::string& body = x.connection.work->body;
  const char* at = x.call.args->raw().data();
  const bool inside = std::less_equal<>()(body.data(), at) && at < body.data() + body.size();
  return inside ? std::optional<size_t>(at - body.data()) : std::nullopt;
}

// The guards of this call; null when there are none.
std::unique_ptr<Guarded> find_guards(const Exchange& x) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  auto guarded = std::make_unique<Guarded>();
  guarded->own = policy.guards(*x.agent, x.call);
  if (x.dispatched) add(policy.guards(*x.agent, x.dispatched->outer()), guarded->own);
  if (x.is_mcp()) {
    guarded->all = policy.guards_on(*x.agent, x.call.upstream);
    if (is_of_any_call(x)) {
      guarded->own = guarded->all;
    } else if (is_about_the_server(x.call.action)) {
      guarded->own.clear();
    }
  }
  if (guarded->own.empty() && guarded->all.empty()) return nullptr;
  guarded->report = policy.report();
  guarded->results = looks_at(guarded->own, GuardInfo::On::kResult) ||
                     looks_at(guarded->all, GuardInfo::On::kResult);
  return guarded;
}

// Refuses the call for what was found in its arguments; true where it goes on in report mode.
bool refuse_arguments(Exchange& x, int status) {
  return x.refuse_or_overlook(status, "guard", guard_detail(x.guarded->arguments, "arguments"));
}

struct Edit {
  size_t begin;
  size_t end;
  std::string text;
};

// Looks at the parts of a message that the agent fills in, one by one; edits are of its bytes.
class MessageArguments {
 public:
  MessageArguments(GuardTools& tools, Guarded& guarded, std::optional<size_t> inner)
      : tools_(tools), guarded_(guarded), inner_(inner) {}

  void look(const json::Value& root) {
    std::string scratch;
    for (const json::Member member : root.members()) {
      const std::string_view key = member.key.text(scratch);
      if (key == "jsonrpc" || key == "id" || key == "method") continue;
      if (key == "params" && member.value.is_object()) {
        look_at_params(member.value);
      } else {
        examine(member.value);
      }
    }
  }
  const std::vector<Edit>& edits() const { return edits_; }

 private:
  void look_at_params(const json::Value& params) {
    std::string scratch;
    for (const json::Member member : params.members()) {
      const std::string_view key = member.key.text(scratch);
      if (key == "_meta" && member.value.is_object()) {
        look_at_meta(member.value);
      } else if (!is_one_of(key, kProtocol)) {
        examine(member.value);
      }
    }
  }

  void look_at_meta(const json::Value& meta) {
    std::string scratch;
    for (const json::Member member : meta.members()) {
      const std::string_view key = member.key.text(scratch);
      if (key != "progressToken" && !key.starts_with(kReservedMeta)) examine(member.value);
    }
  }

  void examine(const json::Value& value) {
    const GuardReport report =
        tools_.examiner.examine(value, GuardExaminer::Root::kValue, tools_.out, inner_);
    guarded_.arguments.add(report, guarded_.own);
    if (!report.redacted) return;
    edits_.push_back({value.offset(), value.offset() + value.raw().size(), tools_.out});
  }

  GuardTools& tools_;
  Guarded& guarded_;
  const std::optional<size_t> inner_;
  std::vector<Edit> edits_;
};

// Header fields that mirror arguments would still tell what is redacted in these.
bool mirrors_arguments(const http::Fields& fields) {
  return std::any_of(fields.list.begin(), fields.list.end(), [](const http::Field& field) {
    return http::name_of(field) == http::FieldName::kMcpParam;
  });
}

bool guard_message(Exchange& x) {
  Guarded& guarded = *x.guarded;
  GuardTools& tools = x.worker.guard_tools();
  std::string& body = x.connection.work->body;
  const auto root = tools.json.parse(body);
  if (!root || !root->is_object()) return x.refuse(400, "malformed", "the message is no object");
  MessageArguments arguments(tools, guarded, inner_arguments(x));
  arguments.look(*root);
  if (refuses(guarded.arguments.outcome)) return refuse_arguments(x, 403);
  if (arguments.edits().empty() || guarded.report) return true;
  if (mirrors_arguments(x.head.fields)) {
    guarded.arguments.add(doubtful("header fields repeat them"), guarded.own);
    return refuse_arguments(x, 403);
  }
  std::string edited;
  size_t done = 0;
  for (const Edit& edit : arguments.edits()) {
    edited.append(body, done, edit.begin - done).append(edit.text);
    done = edit.end;
  }
  edited.append(body, done);
  const std::string target(x.call.target);
  body = std::move(edited);
  if (!read_message(x)) return false;
  if (x.call.target == target) return true;
  // The name of the tool that a dispatch tool calls: nobody has decided about another one.
  guarded.arguments.add(doubtful("it stands in the name of the tool"), guarded.own);
  return refuse_arguments(x, 403);
}

bool guard_body(Exchange& x) {
  Guarded& guarded = *x.guarded;
  std::string& body = x.connection.work->body;
  if (x.body_complete && (!x.body_buffered || body.empty())) return true;
  const GuardedMedia media = media_of(x.head.fields);
  const char* fault = !x.body_buffered                        ? "it is not read"
                      : media.media == BodyMedia::kUnreadable ? media.fault
                      : media.media == BodyMedia::kEvents     ? "it is a stream of events"
                                                              : nullptr;
  if (fault) {
    guarded.arguments.add(doubtful(fault), guarded.own);
    return refuse_arguments(x, 415);
  }
  std::string edited;
  bool changed = false;
  examine_body(x.worker.guard_tools(), media.media, body, edited, changed,
               [&](const GuardReport& report) {
                 guarded.arguments.add(report, guarded.own);
                 return report.outcome != Outcome::kDoubt;
               });
  if (refuses(guarded.arguments.outcome)) return refuse_arguments(x, 403);
  if (!changed || guarded.report) return true;
  body = std::move(edited);
  return !x.args || read_json_body(x);
}

// Whether a call without an upstream of this sidecar may go: nobody looks into a tunnel.
bool guard_tunnel(Exchange& x) {
  x.guarded->arguments.add(doubtful("what goes through the forward proxy is not looked at"),
                           x.guarded->own);
  return x.refuse(403, "guard", guard_detail(x.guarded->arguments, "call"));
}

bool look(Exchange& x) {
  x.guarded = find_guards(x);
  if (!x.guarded) return true;
  if (x.destination) return guard_tunnel(x);
  GuardTools& tools = x.worker.guard_tools();
  tools.examiner.use(x.guarded->own, GuardExaminer::Side::kArguments);
  if (tools.examiner.is_idle()) return true;
  if (!x.is_mcp()) return guard_body(x);
  return x.message == nullptr || guard_message(x);
}

// What the agent may know of what a guard looks for: the names of patterns, not of places.
std::string_view shown_kind(const policy::GuardHit& hit) {
  const auto& places = hit.guard->program->places;
  const bool place = std::any_of(places.begin(), places.end(),
                                 [&](const policy::ValueRef& ref) { return ref.text == hit.what; });
  return place ? std::string_view("guarded field") : hit.what;
}

}  // namespace

bool refuses(Outcome outcome) { return outcome > Outcome::kRedact; }

void GuardFindings::add(const GuardReport& report, std::span<const GuardInfo* const> used) {
  for (const policy::GuardHit& hit : report.hits) {
    const auto known = std::find_if(hits.begin(), hits.end(), [&](const policy::GuardHit& each) {
      return each.guard == hit.guard && each.what == hit.what;
    });
    if (known == hits.end()) {
      hits.push_back(hit);
    } else {
      known->count += hit.count;
    }
  }
  if (report.outcome <= outcome) return;
  outcome = report.outcome;
  guard = report.guard ? report.guard : used.empty() ? nullptr : used.front();
  doubt = report.doubt;
}

void GuardFindings::join(const GuardFindings& earlier) {
  for (const policy::GuardHit& hit : earlier.hits) {
    const auto known = std::find_if(hits.begin(), hits.end(), [&](const policy::GuardHit& each) {
      return each.guard->name == hit.guard->name && each.what == hit.what;
    });
    if (known != hits.end()) {
      known->count = std::max(known->count, hit.count);
      continue;
    }
    // A guard of two policies is told as one.
    const auto same = std::find_if(hits.begin(), hits.end(), [&](const policy::GuardHit& each) {
      return each.guard->name == hit.guard->name;
    });
    const policy::GuardInfo* const named = same == hits.end() ? hit.guard : same->guard;
    hits.push_back(hit);
    hits.back().guard = named;
  }
  if (earlier.outcome <= outcome) return;
  outcome = earlier.outcome;
  guard = earlier.guard;
  doubt = earlier.doubt;
}

bool guard_arguments(Exchange& x) { return !x.snapshot->policy->has_guards() || look(x); }

bool guard_again(Exchange& x) {
  const std::unique_ptr<Guarded> before = std::move(x.guarded);
  x.guarded.reset();
  const bool goes_on = guard_arguments(x);
  if (!before) return goes_on;
  if (!x.guarded) x.guarded = std::make_unique<Guarded>();
  x.guarded->arguments.join(before->arguments);
  return goes_on;
}

bool guards_results(const Exchange& x) { return x.guarded && x.guarded->results; }

std::string guard_detail(const GuardFindings& findings, std::string_view what) {
  const std::string_view name = findings.guard ? std::string_view(findings.guard->name) : "";
  if (findings.outcome == Outcome::kDoubt) {
    return fmt::format("Denied by policy: guard {} cannot look at the {}: {}", name, what,
                       findings.doubt);
  }
  std::string kinds;
  for (const policy::GuardHit& hit : findings.hits) {
    const std::string_view kind = shown_kind(hit);
    if (hit.guard != findings.guard || kinds.find(kind) != kinds.npos) continue;
    kinds.append(kinds.empty() ? "" : ", ").append(kind);
  }
  return fmt::format("Denied by policy: guard {} found {} in the {}", name, kinds, what);
}

}  // namespace reeve
