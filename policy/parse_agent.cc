// The catalogue of agents: who answers for each, what proves it, how long it works here. Tested by
// tests/policy/parse_test.cc and the files of tests/data/policies/bad.
#include <fmt/format.h>

#include "policy/parse_amounts.h"
#include "policy/parse_sections.h"
#include "policy/spiffe_id.h"
#include "policy/text.h"

namespace reeve::policy {

namespace {

bool is_hex_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

// `{issuer: …, audience: …, subject: …}`, all of which a token must hold.
void read_jwt(FileReader& reader, const yaml::Node& node, AgentSource& agent) {
  const Fields fields(reader, node, "jwt", {"issuer", "audience", "subject"});
  if (!fields.valid()) return;
  IdentitySource identity;
  identity.kind = IdentitySource::Kind::kJwt;
  bool good = true;
  for (const auto& [key, part] : {std::pair{"issuer", &identity.issuer},
                                  {"audience", &identity.audience},
                                  {"subject", &identity.value}}) {
    *part = fields.text(key);
    good = good && !part->empty();
    if (!fields.find(key)) {
      reader.error(node.mark, fmt::format("a jwt identity without `{}`; add it", key));
    }
  }
  if (good) agent.identity.push_back(std::move(identity));
}

void read_identity_entry(FileReader& reader, const yaml::Node& node, AgentSource& agent) {
  using Kind = IdentitySource::Kind;
  const Fields fields(reader, node, "identity",
                      {"token_sha256", "spiffe", "jwt", "unix_uid", "listener"});
  if (!fields.valid()) return;
  if (node.members.size() != 1) {
    reader.error(node.mark, "an identity must hold exactly one proof, such as `token_sha256`");
    return;
  }
  const std::string& key = node.members.front().key;
  if (!fields.find(key)) return;
  if (key == "spiffe" || key == "jwt" || key == "unix_uid") {
    reader.uses(key == "spiffe" ? "spiffe"
                : key == "jwt"  ? "jwt"
                                : "unix_uid",
                node.members.front().key_mark);
  }
  if (key == "jwt") return read_jwt(reader, *fields.find(key), agent);
  if (key == "unix_uid") {
    const yaml::Mark mark = fields.find(key)->mark;
    const std::optional<uint64_t> uid = fields.whole_number(key, 0);
    constexpr uint64_t kMostUid = 0xFFFFFFFE;  // the next is -1, which no process has
    if (uid && *uid > kMostUid) {
      reader.error(mark, fmt::format("`{}` is no user id; write at most {}", *uid, kMostUid));
    } else if (uid) {
      agent.identity.push_back(
          {Kind::kUnixUid, {fmt::format("{}", *uid), reader.at(mark)}, {}, {}});
    }
    return;
  }
  Text value = fields.text(key);
  if (value.empty()) return;
  if (key == "token_sha256" && !is_hex_sha256(value.value)) {
    reader.error(mark_of(value),
                 "`token_sha256` must be the SHA-256 of the token, 64 hexadecimal digits (and "
                 "never the token itself); `reeve token` makes both");
  } else if (key == "spiffe" && !is_spiffe_id(value.value)) {
    reader.error(mark_of(value), fmt::format("`{}` is no SPIFFE ID; write it as "
                                             "`spiffe://acme.example/agents/jordan`",
                                             shown(value.value)));
  } else {
    const Kind kind = key == "token_sha256" ? Kind::kTokenSha256
                      : key == "spiffe"     ? Kind::kSpiffe
                                            : Kind::kListener;
    agent.identity.push_back({kind, std::move(value), {}, {}});
  }
}

void read_identity(FileReader& reader, const yaml::Node& node, AgentSource& agent) {
  if (!node.is_sequence()) {
    reader.error(node.mark, "`identity` must be a list; write `- token_sha256: …` below it");
    return;
  }
  for (const yaml::Node& item : node.items) read_identity_entry(reader, item, agent);
}

void read_probation(FileReader& reader, const yaml::Node& node, AgentSource& agent) {
  const Fields fields(reader, node, "probation", {"until", "limits"});
  if (!fields.valid()) return;
  for (const std::string_view key : {"until", "limits"}) {
    if (!fields.find(key))
      reader.error(node.mark, fmt::format("probation without `{}`; add it", key));
  }
  const Text until = fields.text("until");
  const std::optional<Time> end = until.empty() ? std::nullopt : read_day_end(reader, until);
  const yaml::Node* limits = fields.find("limits");
  if (!limits) return;
  agent.probation = read_rate_limits(reader, *limits);
  for (RateLimitSource& limit : agent.probation) limit.limit.until = end.value_or(Time::max());
}

}  // namespace

void read_agent(FileReader& reader, const yaml::Node::Member& member) {
  AgentSource agent;
  agent.name = read_name(reader, member, "agent");
  const Fields fields(reader, member.value, "agent",
                      {"owner", "purpose", "team", "risk", "roles", "identity", "status", "expires",
                       "budget", "probation", "review"});
  if (!fields.valid()) {
    reader.document.agents.push_back(std::move(agent));  // its name is known all the same
    return;
  }
  for (const auto& [key, value] :
       {std::pair{"owner", &agent.owner}, {"purpose", &agent.purpose}, {"team", &agent.team}}) {
    *value = fields.text(key).value;
    if (value->empty() && !fields.find(key)) {
      reader.error(member.key_mark,
                   fmt::format("agent `{}` without `{}`; add it", shown(agent.name.value), key));
    }
  }
  if (const Text risk = fields.text("risk"); !risk.empty()) {
    agent.risk = read_word(reader, risk, "risk", {"minimal", "limited", "high"});
  }
  if (const Text status = fields.text("status"); !status.empty()) {
    agent.status = read_word(reader, status, "status", {"active", "suspended", "retired"});
  }
  if (const Text expires = fields.text("expires"); !expires.empty()) {
    agent.expires = expires.value;
    agent.expires_at = read_day_end(reader, expires);
  }
  if (const yaml::Node* roles = fields.find("roles")) {
    agent.roles = read_texts(reader, *roles, "roles");
  }
  if (const yaml::Node* identity = fields.find("identity")) {
    read_identity(reader, *identity, agent);
  }
  if (const Text budget = fields.text("budget"); !budget.empty()) {
    agent.budget = read_limit(reader, budget);
  }
  if (const yaml::Node* probation = fields.find("probation")) {
    reader.uses("probation", probation->mark);
    read_probation(reader, *probation, agent);
  }
  if (const Text review = fields.text("review"); !review.empty()) {
    reader.uses("review", mark_of(review));
    agent.review = read_duration(reader, review);
  }
  reader.document.agents.push_back(std::move(agent));
}

}  // namespace reeve::policy
