// A requestState of reeve's is `reeve.ID.NONCE`: the nonce, which only the record's caller was
// given, is its seal. Tested by tests/e2e/approval_mcp_test.mjs.
#include "proxy/approvals/ask.h"
#include "proxy/worker.h"

namespace reeve::approvals {
namespace {

constexpr std::string_view kPrefix = "reeve.";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// `body` without this member of an object, and without the comma that it needs.
std::string without(std::string_view body, const json::Member& member) {
  size_t begin = member.key.offset();
  size_t end = member.value.offset() + member.value.raw().size();
  size_t next = end;
  while (next < body.size() && is_blank(body[next])) ++next;
  if (next < body.size() && body[next] == ',') {
    end = next + 1;
  } else {  // the last: the comma before it, if there is one
    size_t before = begin;
    while (before > 0 && is_blank(body[before - 1])) --before;
    if (before > 0 && body[before - 1] == ',') begin = before - 1;
  }
  return std::string(body.substr(0, begin)).append(body.substr(end));
}

}  // namespace

bool take_request_state(Exchange& x) {
  const mcp::Message& message = *x.message;
  if (message.era != mcp::Era::kModern || !message.params || !message.params->is_object()) {
    return true;
  }
  for (const json::Member member : message.params->members()) {
    if (!member.key.equals("requestState") || !member.value.is_string()) continue;
    std::string scratch;
    const std::string state(member.value.text(scratch));
    if (state.compare(0, kPrefix.size(), kPrefix) != 0) return true;
    const size_t dot = state.find('.', kPrefix.size());
    x.asked = std::make_unique<Asked>();
    x.asked->presented_id = state.substr(kPrefix.size(), dot - kPrefix.size());
    if (dot != state.npos) x.asked->presented_nonce = state.substr(dot + 1);
    std::string body = without(x.connection.work->body, member);
    x.connection.work->body.swap(body);
    mcp::Reader& reader = x.connection.work->reader;
    if (!reader.read(x.connection.work->body, x.head.fields)) {
      x.refuse(400, "malformed", reader.refusal().message);
      x.refusal->rpc = reader.refusal();
      return false;
    }
    x.message = &reader.message();
    return true;
  }
  return true;
}

}  // namespace reeve::approvals
