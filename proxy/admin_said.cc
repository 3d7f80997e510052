// Tested end to end by tests/e2e/approval_people_test.mjs and stop_test.mjs.
#include "proxy/admin_said.h"

#include <fmt/format.h>

#include "policy/json.h"

namespace reeve {
namespace {

constexpr size_t kLongestText = 1024;

bool read_member(const json::Member& member, bool rehearses, Said& said) {
  if (rehearses && member.key.equals("dry_run")) {
    said.dry_run = member.value.type() == json::Type::kTrue;
    return said.dry_run || member.value.type() == json::Type::kFalse;
  }
  std::string* to = member.key.equals("as")    ? &said.as
                    : member.key.equals("why") ? &said.why
                                               : nullptr;
  if (to == nullptr || !member.value.is_string()) return false;
  std::string scratch;
  *to = member.value.text(scratch);
  return true;
}

}  // namespace

Result<Said> read_said(const std::string& body, bool rehearses) {
  Said said;
  if (body.empty()) return said;
  json::Parser parser;
  const auto value = parser.parse(body);
  if (!value || !value->is_object()) return Error{"the body is no JSON object"};
  for (const json::Member member : value->members()) {
    if (read_member(member, rehearses, said)) continue;
    return Error{rehearses ? "the body may say {\"as\": PERSON, \"why\": TEXT, \"dry_run\": true}"
                           : "the body may say {\"as\": PERSON, \"why\": TEXT}"};
  }
  if (said.why.size() > kLongestText) return Error{"`why` is longer than 1024 bytes"};
  if (said.as.size() > kLongestText) return Error{"`as` is longer than 1024 bytes"};
  return said;
}

Result<std::string> person_of(const AdminCall& call, const Said& said) {
  if (!call.person.empty()) {
    if (said.as.empty() || said.as == call.person) return call.person;
    return Error{fmt::format("this token is {}'s, who answers for nobody else", call.person)};
  }
  if (call.has_people) {
    return Error{"reeve.yaml names people: each answers with a token of their own"};
  }
  if (said.as.empty()) return Error{"the admin token stands for several people: say `as` whom"};
  return said.as;
}

}  // namespace reeve
