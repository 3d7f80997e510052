// Tested by tests/e2e/approval_test.mjs and approval_people_test.mjs.
#include "proxy/approvals/admin.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/text.h"
#include "proxy/admin_said.h"
#include "proxy/approvals/view.h"

namespace reeve::approvals {
namespace {

constexpr std::string_view kRoot = "/v1/approvals";

AdminReply no_such() { return {404, "no approval has this id"}; }

net::Task<AdminReply> answer(Desk& desk, Desk::Policy policy, const AdminCall& call, std::string id,
                             bool yes) {
  if (call.role == AdminRole::kViewer)
    co_return AdminReply{403, "a viewer looks and decides nothing"};
  const auto said = read_said(call.body, false);
  if (!said) co_return AdminReply{400, said.error().message};
  auto person = person_of(call, *said);
  if (!person) co_return AdminReply{403, person.error().message};
  const std::string name = *person;
  const auto voted = co_await desk.vote(id, name, yes, said->why, std::move(policy));
  if (!voted) co_return AdminReply{503, voted.error().message};
  const auto record = co_await desk.find(id);
  if (!record) co_return no_such();
  using Voted = policy::Approvals::Voted;
  switch (*voted) {
    case Voted::kCounted:
    case Voted::kDecided:
      co_return AdminReply{200, to_json(*record)};
    case Voted::kUnknown:
      co_return no_such();
    case Voted::kEnded:
      co_return AdminReply{409, fmt::format("it is {} already", policy::to_string(record->state))};
    case Voted::kNotAsked:
      co_return AdminReply{
          403, fmt::format("{} is not asked: no member of its approvers, or the agent's owner",
                           policy::shown(name))};
    case Voted::kAlready:
      co_return AdminReply{409, fmt::format("{} has answered already", policy::shown(name))};
  }
  co_return no_such();
}

net::Task<AdminReply> show_all(Desk& desk, bool all) {
  std::string out = "{\"approvals\":[";
  for (const policy::Approval& record : co_await desk.list(all)) {
    if (out.back() == '}') out += ',';
    out += to_json(record);
  }
  co_return AdminReply{200, out + "]}"};
}

}  // namespace

net::Task<AdminReply> serve_admin(Desk& desk, Desk::Policy policy, AdminCall call) {
  std::string_view rest = std::string_view(call.path).substr(kRoot.size());
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (rest.empty()) {
    if (!reads) co_return AdminReply{405, "the list is read with GET"};
    co_return co_await show_all(desk, call.query == "all=true");
  }
  if (rest.front() != '/') co_return no_such();
  rest.remove_prefix(1);
  const size_t slash = rest.find('/');
  const std::string id(rest.substr(0, slash));
  const std::string_view verb = slash == rest.npos ? std::string_view{} : rest.substr(slash + 1);
  if (verb.empty()) {
    if (!reads)
      co_return AdminReply{405, "an approval is read with GET, answered by POST …/approve"};
    const auto record = co_await desk.find(id);
    if (!record) co_return no_such();
    co_return AdminReply{200, to_json(*record)};
  }
  if (verb != "approve" && verb != "deny") co_return no_such();
  if (call.method != "POST") co_return AdminReply{405, "an answer is a POST"};
  co_return co_await answer(desk, std::move(policy), call, id, verb == "approve");
}

}  // namespace reeve::approvals
