// See drift.h. Tested end to end by tests/e2e/drift_test.mjs.
#include "proxy/drift.h"

#include <fmt/format.h>

#include "policy/text.h"
#include "proxy/digest.h"
#include "proxy/log.h"
#include "proxy/tool_lister.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr int kMostLooks = 3;  // a server that changes its tools while they are listed

PinWatch& watch(Exchange& x) { return x.worker.services().pins; }

Spectator spectator(const Exchange& x) {
  return {x.upstream->config().name, x.agent_info()->name,
          x.head.fields.single("mcp-session-id").value_or("")};
}

void member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += fmt::format(",\"{}\":", name);
  json::append_string(out, policy::shown(text));
}

// A line of the record, unless this upstream has had too many of them.
void write_line(Exchange& x, std::string_view kind, std::string_view members) {
  const std::string& upstream = x.upstream->config().name;
  const auto unwritten = watch(x).admit_line(upstream, steady_now());
  if (!unwritten) return;
  std::string line;
  member(line, "agent", x.agent_info()->name);
  member(line, "upstream", upstream);
  line += members;
  member(line, "policy", x.snapshot->policy->sha256());
  if (*unwritten > 0) line += fmt::format(",\"count\":{}", *unwritten);
  x.worker.services().journal.append(kind, line, wall_now());
}

bool denies_drift(const Exchange& x) {
  const policy::ServerInfo* const server = x.snapshot->policy->server(x.upstream->config().name);
  return server && server->deny_drift && !x.snapshot->policy->report();
}

void record(Exchange& x, const PinWatch::Change& change) {
  const std::string& upstream = x.upstream->config().name;
  const std::string what =
      change.tool.empty() ? "its instructions" : fmt::format("`{}`", policy::shown(change.tool));
  log(LogLevel::kWarning,
      fmt::format("upstream `{}`: {} {} beside its lock{}{}", upstream, change.kind, what,
                  change.parts.empty() ? "" : ": ", change.parts));
  std::string members;
  member(members, "target", change.tool);
  member(members, "change", change.kind);
  member(members, "parts", change.parts);
  member(members, "digest", change.digest);
  if (!denies_drift(x)) member(members, "mode", "report");
  write_line(x, "drift", members);
}

// Refuses the call, or lets it through and records it where drift is only reported.
bool refuse_drift(Exchange& x, std::string detail) {
  if (denies_drift(x)) return x.refuse(403, "drift", std::move(detail));
  if (!x.overlooked) x.overlooked = Refusal{403, "drift", std::move(detail), {}, {}, {}};
  return true;
}

// Nothing: its definition has to be seen first.
std::optional<bool> judge(Exchange& x, const Pin& pin, std::string_view name) {
  const auto drifted = [&](std::string_view how) {
    return refuse_drift(x, fmt::format("Denied: tool `{}` {}; a person must look at it and run "
                                       "`reeve pin {}`",
                                       policy::shown(name), how, pin.upstream));
  };
  const mcp::PinnedTool* const tool = pin.lock.find(name);
  if (!tool) return drifted("is not in the lock of its server");
  const auto place = static_cast<size_t>(tool - pin.lock.tools.data());
  switch (watch(x).standing(spectator(x), pin, place, steady_now())) {
    case PinWatch::Standing::kSame:
      return true;
    case PinWatch::Standing::kOther:
      return drifted("is no longer what was pinned");
    case PinWatch::Standing::kGone:
      return drifted("is no longer listed by its server");
    case PinWatch::Standing::kUnseen:
      break;
  }
  return std::nullopt;
}

// The tool that is called and, where the lock has it, the one inside.
std::optional<bool> judge_both(Exchange& x, const Pin& pin) {
  const std::string_view called = x.dispatched ? x.dispatched->outer().target : x.call.target;
  const auto outer = judge(x, pin, called);
  if (!outer || !*outer || !x.dispatched || !pin.lock.find(x.call.target)) return outer;
  return judge(x, pin, x.call.target);
}

net::Task<bool> look_then_judge(Exchange& x, const Pin& pin) {
  std::string why = "its tools change while they are listed";
  for (int look = 0; look < kMostLooks; ++look) {
    const uint64_t epoch = watch(x).epoch(pin.upstream);
    mcp::Sighting sighting(pin.lock);
    const auto listed = co_await list_tools(x, sighting);
    if (!listed) {
      why = listed.error().message;
      break;
    }
    const auto changes =
        watch(x).saw(spectator(x), pin, sighting, PinWatch::Worth::kWhole, epoch, steady_now());
    for (const PinWatch::Change& change : changes) record(x, change);
    if (const auto judged = judge_both(x, pin)) co_return *judged;
  }
  log(LogLevel::kWarning, fmt::format("upstream `{}`: its tools cannot be compared with their "
                                      "lock: {}",
                                      pin.upstream, why));
  co_return refuse_drift(x, fmt::format("Denied: the tools of `{}` cannot be compared with their "
                                        "lock: {}",
                                        pin.upstream, why));
}

const Pin* pin_of(const Exchange& x) {
  return x.is_mcp() ? find_pin(x.snapshot->pins, x.upstream->config().name) : nullptr;
}

// Whether nothing that does not show can stand in these bytes of JSON, escapes included.
bool is_plain(std::string_view json) {
  for (size_t at = 0; at < json.size(); ++at) {
    const auto c = static_cast<unsigned char>(json[at]);
    if (c >= 0x7f) return false;
    if (c != '\\') continue;
    ++at;
    if (at < json.size() && (json[at] == 'u' || json[at] == 'b' || json[at] == 'f')) return false;
  }
  return true;
}

}  // namespace

net::Step<bool> as_pinned(Exchange& x) {
  const Pin* const pin = x.message ? pin_of(x) : nullptr;
  if (!pin) return true;
  x.pin_epoch = watch(x).epoch(pin->upstream);
  if (x.message->method != "tools/call") return true;
  if (const auto judged = judge_both(x, *pin)) return *judged;
  return look_then_judge(x, *pin);
}

bool may_say_instructions(const Exchange& x) {
  return x.message && (x.message->method == "initialize" || x.message->method == "server/discover");
}

DriftObserver::DriftObserver(Exchange& x) : x_(x), pin_(pin_of(x)) {}

bool DriftObserver::hides() const { return denies_drift(x_); }

void DriftObserver::sees_result(const json::Value& result) {
  plain_ = is_plain(result.raw());
  const auto more = result.find("nextCursor");
  whole_ = !more || more->is_null();
  if (more && more->is_string()) {
    std::string scratch;
    x_.worker.services().issued.issue(Issued::Kind::kCursor, x_.upstream->config().name,
                                      more->text(scratch), x_.agent_info()->name);
  }
  sighting_.reset();
  if (pin_ && result.find("tools")) sighting_.emplace(pin_->lock);
}

bool DriftObserver::keeps(mcp::List list, std::string_view name, const json::Value& entry) {
  static constexpr std::string_view kWhat[] = {"tool", "resource", "resource template", "prompt"};
  if (!plain_) flag(kWhat[static_cast<size_t>(list)], name, entry);
  if (list != mcp::List::kTools || !sighting_) return true;
  return sighting_->see(name, entry) || !hides();
}

bool DriftObserver::keeps_instructions(const json::Value& value) {
  if (!may_say_instructions(x_)) return true;
  if (!plain_) flag("instructions", {}, value);
  if (!pin_) return true;
  std::string canonical;
  if (!value.is_null()) json::append_canonical(canonical, value);
  const bool same = canonical == pin_->lock.instructions;
  std::string digest;
  if (!same) {
    const policy::Sha256 hash = sha256(canonical);
    append_hex(digest, hash.data(), hash.size());
  }
  if (const auto change = watch(x_).saw_instructions(*pin_, digest)) record(x_, *change);
  return same || !hides();
}

void DriftObserver::finish_message() {
  if (!sighting_) return;
  PinWatch::Worth worth = PinWatch::Worth::kHint;
  uint64_t epoch = watch(x_).epoch(pin_->upstream);
  if (x_.message && x_.message->method == "tools/list") {
    const auto& params = x_.message->params;
    const auto cursor = params && params->is_object() ? params->find("cursor") : std::nullopt;
    const bool first = !cursor || cursor->is_null();
    worth = first && whole_ ? PinWatch::Worth::kWhole : PinWatch::Worth::kPage;
    epoch = x_.pin_epoch;
  }
  const auto changes = watch(x_).saw(spectator(x_), *pin_, *sighting_, worth, epoch, steady_now());
  for (const PinWatch::Change& change : changes) record(x_, change);
  sighting_.reset();
}

void DriftObserver::sees_event(std::string_view data) {
  if (!pin_) return;
  const auto message = x_.connection.work->json.parse(data);
  const auto method = message && message->is_object() ? message->find("method") : std::nullopt;
  if (method && method->is_string() && method->equals("notifications/tools/list_changed")) {
    watch(x_).tools_changed(pin_->upstream);
  }
}

void DriftObserver::flag(std::string_view what, std::string_view name, const json::Value& entry) {
  std::vector<mcp::HiddenText> found;
  mcp::find_hidden(entry, entry.is_object() ? std::string() : std::string(what), found);
  const std::string& upstream = x_.upstream->config().name;
  for (const mcp::HiddenText& text : found) {
    const std::string kind(mcp::to_string(text.kind));
    const std::string of =
        name.empty() ? std::string() : fmt::format(" of {} `{}`", what, policy::shown(name));
    const std::string sentence =
        fmt::format("{} in `{}`{} ({} of them, the first U+{:04X})", kind,
                    policy::shown(text.where), of, text.count, text.code_point);
    if (!watch(x_).saw_hidden(upstream, sentence)) continue;
    log(LogLevel::kWarning, fmt::format("upstream `{}`: {}", upstream, sentence));
    std::string members;
    member(members, "target", name);
    member(members, "where", text.where);
    member(members, "hidden", kind);
    members +=
        fmt::format(",\"code_point\":\"U+{:04X}\",\"times\":{}", text.code_point, text.count);
    write_line(x_, "hidden-text", members);
  }
}

}  // namespace reeve
