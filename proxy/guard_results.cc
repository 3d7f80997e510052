// See guard_results.h.
#include "proxy/guard_results.h"

#include "proxy/mcp/reply.h"
#include "proxy/reply.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

using policy::GuardReport;
using Guards = Guarded::Guards;
using Root = policy::GuardExaminer::Root;
using Side = policy::GuardExaminer::Side;

constexpr int kDeniedCode = 403;  // as denials of other methods (mcp/reply.h)

// The guards begin to look; false when none of these looks at results.
bool use(Exchange& x, const Guards& guards) {
  policy::GuardExaminer& examiner = x.worker.guard_tools().examiner;
  examiner.use(guards, Side::kResult);
  return !examiner.is_idle();
}

// Counts what was found. True: it goes on, maybe only because of report mode.
bool note(Exchange& x, const GuardReport& report, const Guards& used) {
  GuardFindings& findings = x.guarded->result;
  findings.add(report, used);
  if (!refuses(report.outcome)) return true;
  const int status = report.outcome == GuardReport::Outcome::kDoubt ? 502 : 403;
  return x.refuse_or_overlook(status, "guard", guard_detail(findings, "result"));
}

bool note_doubt(Exchange& x, const char* why) {
  return note(x, doubtful(why), x.guarded->own.empty() ? x.guarded->all : x.guarded->own);
}

// The message is the answer to this call.
bool answers_call(const Exchange& x, const json::Value& message) {
  if (x.message == nullptr || !x.message->id_value || message.find("method")) return false;
  const auto id = message.find("id");
  return id && mcp::id_key(*id) == mcp::id_key(*x.message->id_value);
}

struct Message {
  GuardedAs as = GuardedAs::kAsIs;
  bool own = false;     // the answer to this call
  std::string foreign;  // of an answer to another one: its id
};

bool has_variants(const json::Value& message) {
  return message.has_case_variant("result") || message.has_case_variant("error") ||
         message.has_case_variant("params") || message.has_case_variant("id") ||
         message.has_case_variant("method");
}

// Looks at what one JSON-RPC message carries. `out` has what goes on where it is changed.
Message guard_message(Exchange& x, std::string_view text, std::string& out) {
  GuardTools& tools = x.worker.guard_tools();
  Message message;
  const auto root = tools.json.parse(text);
  if (!root || !root->is_object() || has_variants(*root)) {
    if (!note_doubt(x, "a message is no strict JSON object")) message.as = GuardedAs::kRefused;
    return message;
  }
  message.own = answers_call(x, *root);
  const auto id = root->find("id");
  if (!message.own && id && !root->find("method")) message.foreign = id->raw();
  const Guards& guards = message.own ? x.guarded->own : x.guarded->all;
  if (!use(x, guards)) return message;
  out.clear();
  size_t done = 0;
  bool goes_on = true;
  std::string scratch;
  for (const json::Member member : root->members()) {
    const std::string_view key = member.key.text(scratch);
    if (key == "jsonrpc" || key == "id" || key == "method") continue;
    const GuardReport report = tools.examiner.examine(member.value, Root::kMcpResult, tools.out);
    goes_on = note(x, report, guards) && goes_on;
    if (!report.redacted || x.guarded->report) continue;
    out.append(text.substr(done, member.value.offset() - done)).append(tools.out);
    done = member.value.offset() + member.value.raw().size();
    message.as = GuardedAs::kChanged;
  }
  out.append(text.substr(done));
  if (!goes_on) message.as = GuardedAs::kRefused;
  return message;
}

}  // namespace

bool can_guard_answer(Exchange& x, const http::ResponseHead& head) {
  const GuardedMedia media = media_of(head.fields);
  const char* fault = head.status == 206                      ? "only a part of it came"
                      : media.media == BodyMedia::kUnreadable ? media.fault
                                                              : nullptr;
  if (!fault) return true;
  x.guarded->results = false;
  return note_doubt(x, fault);
}

bool refuse_long_answer(Exchange& x) {
  x.guarded->results = false;
  return note_doubt(x, "it is larger than limits.body_bytes");
}

GuardedAs guard_answer(Exchange& x, const http::Fields& fields, std::string_view body,
                       std::string& out) {
  const BodyMedia media = media_of(fields).media;
  if (x.is_mcp() && media == BodyMedia::kJson) return guard_message(x, body, out).as;
  // An MCP server's text is no answer to a call: it may be about any.
  const Guards& guards = x.is_mcp() ? x.guarded->all : x.guarded->own;
  if (!use(x, guards)) return GuardedAs::kAsIs;
  bool changed = false, goes_on = true;
  examine_body(x.worker.guard_tools(), media, body, out, changed, [&](const GuardReport& report) {
    goes_on = note(x, report, guards) && goes_on;
    return report.outcome != GuardReport::Outcome::kDoubt;
  });
  if (!goes_on) return GuardedAs::kRefused;
  return changed && !x.guarded->report ? GuardedAs::kChanged : GuardedAs::kAsIs;
}

GuardedEvents::GuardedEvents(Exchange& x)
    : x_(x), tools_(x.worker.guard_tools()), deltas_(tools_) {}

// Names and ids steer the stream: nothing to redact there, and nothing to find.
bool GuardedEvents::is_plain(std::string_view field) {
  if (field.empty() || field == "message") return true;
  if (!use(x_, x_.guarded->all.empty() ? x_.guarded->own : x_.guarded->all)) return true;
  const GuardReport report = tools_.examiner.examine_text(field, {}, edited_);
  return report.outcome == GuardReport::Outcome::kClean ||
         note_doubt(x_, "it stands in the name or id of an event");
}

bool GuardedEvents::pass(const mcp::Event& event, std::string& out) {
  if (event.comment) return pass_comment(event, out);
  if (!is_plain(event.name) || !is_plain(event.id)) return false;
  if (!event.has_data || event.data.empty()) {
    mcp::append_event(out, event);
    return true;
  }
  return x_.is_mcp() ? pass_message(event, out) : pass_data(event, out);
}

bool GuardedEvents::pass_comment(const mcp::Event& event, std::string& out) {
  const Guards& guards = x_.is_mcp() ? x_.guarded->all : x_.guarded->own;
  mcp::Event told = event;
  if (!event.data.empty() && use(x_, guards)) {
    const GuardReport report = tools_.examiner.examine_text(event.data, {}, edited_);
    if (!note(x_, report, guards)) return false;
    if (report.redacted && !x_.guarded->report) told.data = edited_;
  }
  mcp::append_event(out, told);
  return true;
}

bool GuardedEvents::pass_message(const mcp::Event& event, std::string& out) {
  mcp::Event told = event;
  const Message message = guard_message(x_, event.data, edited_);
  if (message.as == GuardedAs::kChanged) told.data = edited_;
  if (message.as == GuardedAs::kRefused) {
    if (message.own) {
      data_ = refusal_message(x_);
      told.data = data_;
    } else if (!message.foreign.empty()) {
      data_ = mcp::error_body(message.foreign, kDeniedCode, x_.refusal->detail);
      told.data = data_;
    } else if (x_.guarded->result.doubt[0] != '\0' && event.name.empty()) {
      return false;  // it may be the answer
    } else {
      told.has_data = false;  // its id stays: the client may ask for what comes after it
      if (!told.has_id && !told.has_retry) return true;
    }
  }
  mcp::append_event(out, told);
  return true;
}

void GuardedEvents::append(const std::vector<GuardedDeltas::Event>& events,
                           std::string& out) const {
  for (const GuardedDeltas::Event& each : events) {
    mcp::Event event;
    event.name = each.name;
    event.data = each.data;
    event.has_data = true;
    mcp::append_event(out, event);
  }
}

bool GuardedEvents::pass_data(const mcp::Event& event, std::string& out) {
  const Guards& guards = x_.guarded->own;
  if (!use(x_, guards)) {
    mcp::append_event(out, event);
    return true;
  }
  bool goes_on = true, changed = false, refused = false;
  const auto on_report = [&](const GuardReport& report) {
    goes_on = note(x_, report, guards) && goes_on;
    refused = refused || refuses(report.outcome);
    return report.outcome != GuardReport::Outcome::kDoubt;
  };
  before_.clear();
  if (event.data == "[DONE]") {
    deltas_.finish(before_, on_report);
  } else {
    deltas_.pass(event.name, event.data, before_, data_, changed, on_report);
  }
  if (!goes_on) return false;
  if (refused) deltas_.forget();
  const std::string_view data = changed ? std::string_view(data_) : event.data;
  const GuardReport report = examine_loose(tools_, data, edited_);
  on_report(report);
  if (!goes_on) return false;
  mcp::Event told = event;
  if (!x_.guarded->report) {
    append(before_, out);
    told.data = report.redacted ? std::string_view(edited_) : data;
  }
  mcp::append_event(out, told);
  return true;
}

bool GuardedEvents::finish(std::string& out) {
  const Guards& guards = x_.guarded->own;
  if (x_.is_mcp() || !use(x_, guards)) return true;
  bool goes_on = true;
  before_.clear();
  deltas_.finish(before_, [&](const GuardReport& report) {
    goes_on = note(x_, report, guards) && goes_on;
    return goes_on;
  });
  if (goes_on && !x_.guarded->report) append(before_, out);
  return goes_on;
}

}  // namespace reeve
