// One credential decides; ambiguity is a refusal (security.md's G14). The order of the fields never
// matters, because all of them are looked at. Tested by tests/proxy/identify_test.cc.
#include "proxy/identify.h"

#include <openssl/evp.h>

#include <string>

#include "policy/words.h"
#include "proxy/digest.h"

namespace reeve {
namespace {

constexpr size_t kLongestToken = 8 * 1024;

bool token_bytes(std::string_view text) {
  if (text.empty() || text.size() > kLongestToken) return false;
  return is_printable_ascii(text) && text.find(' ') == std::string_view::npos;
}

std::optional<std::string_view> basic_password(std::string_view encoded, std::string& scratch) {
  if (encoded.empty() || encoded.size() % 4 != 0 || encoded.size() > 2 * kLongestToken) {
    return std::nullopt;
  }
  scratch.resize(encoded.size() / 4 * 3);
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(scratch.data()),
                                   reinterpret_cast<const unsigned char*>(encoded.data()),
                                   static_cast<int>(encoded.size()));
  if (size < 0) return std::nullopt;
  size_t length = static_cast<size_t>(size);
  for (size_t i = encoded.size(); i > 0 && encoded[i - 1] == '=' && length > 0; --i) --length;
  scratch.resize(length);
  const size_t colon = scratch.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return std::string_view(scratch).substr(colon + 1);
}

constexpr char kTwoAgents[] = "the credentials name two different agents";

bool agrees(std::optional<policy::AgentId>& proven, std::optional<policy::AgentId> agent) {
  if (proven && agent && *proven != *agent) return false;
  if (agent) proven = agent;
  return true;
}

// What the connection proves. Null, or why it must not be believed.
const char* add_caller(const policy::PolicySet& policy, const Caller& caller, policy::Time now,
                       std::optional<policy::AgentId>& proven) {
  proven = policy.agent_by_listener(caller.listener);
  if (caller.uid && !agrees(proven, policy.agent_by_unix_uid(*caller.uid))) return kTwoAgents;
  if (!caller.certificate) return nullptr;
  if (caller.certificate->id.empty()) return caller.certificate->fault;
  if (now >= caller.certificate->not_after) return "the client certificate has expired";
  const auto agent = policy.agent_by_spiffe(caller.certificate->id);
  if (!agent) return "the client certificate belongs to no agent of the policy";
  return agrees(proven, agent) ? nullptr : kTwoAgents;
}

}  // namespace

std::optional<std::string_view> bearer_token(std::string_view value, bool allow_basic,
                                             std::string& scratch) {
  const size_t space = value.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = value.substr(0, space);
  std::string_view rest = value.substr(space + 1);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (http::iequals(scheme, "Bearer")) {
    if (!token_bytes(rest)) return std::nullopt;
    return rest;
  }
  if (allow_basic && http::iequals(scheme, "Basic")) {
    const auto password = basic_password(rest, scratch);
    if (password && token_bytes(*password)) return password;
  }
  return std::nullopt;
}

Result<policy::AgentId, Unproven> identify(const policy::PolicySet& policy, const Caller& caller,
                                           const http::Fields& fields, policy::Time now) {
  std::optional<policy::AgentId> proven;
  if (const char* why = add_caller(policy, caller, now, proven)) return Unproven{why};
  bool seen[3] = {};
  std::string scratch;
  for (const http::Field& field : fields.list) {
    int kind = 0;
    switch (http::name_of(field)) {
      case http::FieldName::kAuthorization:
        break;
      case http::FieldName::kProxyAuthorization:
        kind = 1;
        break;
      case http::FieldName::kXApiKey:
        kind = 2;
        break;
      default:
        continue;
    }
    if (seen[kind]) return Unproven{"a credential is given twice"};
    seen[kind] = true;
    std::optional<std::string_view> token;
    if (kind != 2) {
      token = bearer_token(field.value, kind == 1, scratch);
    } else if (token_bytes(field.value)) {
      token = field.value;
    }
    if (!token) {
      return Unproven{
          "a credential has no form that reeve reads; send `Authorization: Bearer TOKEN`"};
    }
    const auto agent = policy.agent_by_token(sha256(*token));
    if (!agent) return Unproven{"the token belongs to no agent of the policy"};
    if (!agrees(proven, agent)) return Unproven{kTwoAgents};
  }
  if (!proven) {
    return Unproven{"no credential was presented; send `Authorization: Bearer TOKEN`"};
  }
  return *proven;
}

}  // namespace reeve
