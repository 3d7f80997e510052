// See recorded_arguments.h. Tested end to end by tests/e2e/record_arguments_test.mjs.
#include "proxy/recorded_arguments.h"

#include <algorithm>
#include <functional>

#include "policy/compiled.h"
#include "policy/json_body.h"
#include "proxy/arguments_text.h"
#include "proxy/digest.h"
#include "proxy/identify.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

using policy::GuardExaminer;
using policy::GuardReport;

constexpr char kGuarded[] = "guard";
constexpr char kUnreadable[] = "unreadable";
constexpr char kAmbiguous[] = "names";

// What an upstream's configuration says, before any rule.
KeptArguments configured(const Exchange& x) {
  const auto& own = x.upstream->config().arguments;
  return own ? *own : x.worker.services().config.audit.arguments;
}

KeptArguments kept_of(const Exchange& x) {
  const policy::RuleInfo* rule = x.decision.rule;
  if (rule && !rule->audit.empty()) {
    return kept_arguments(rule->audit).value_or(KeptArguments::kDigest);
  }
  return configured(x);
}

std::optional<json::Value> find_in(const std::optional<json::Value>& value, std::string_view key) {
  return value && value->is_object() ? value->find(key) : std::nullopt;
}

// The arguments of the call, or nothing; `fault` is set where there are some that cannot be read.
std::optional<json::Value> find_arguments(const Exchange& x, json::Parser& parser,
                                          const char*& fault) {
  if (x.call.args) return *x.call.args;
  if (x.is_mcp()) {
    const bool prompt = x.message && x.message->method == "prompts/get";
    return prompt ? find_in(x.message->params, "arguments") : std::nullopt;
  }
  if (!x.body_buffered || x.connection.work->body.empty()) return std::nullopt;
  if (policy::body_form(x.head.fields.list).kind != policy::BodyForm::Kind::kJson) {
    return std::nullopt;
  }
  auto root = parser.parse(x.connection.work->body);
  if (!root) fault = kUnreadable;
  return root;
}

bool is_clean(const GuardReport& report) { return report.outcome == GuardReport::Outcome::kClean; }

// What guards leave of the arguments. Nothing where they would not let them pass: nothing is known
// then of where in the text it stands.
std::optional<json::Value> as_guards_leave_it(const Exchange& x, const json::Value& args) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  GuardTools& tools = x.worker.guard_tools();
  auto guards = policy.guards(*x.agent, x.call);
  if (x.dispatched) {
    const auto outer = policy.guards(*x.agent, x.dispatched->outer());
    guards.insert(guards.end(), outer.begin(), outer.end());
    std::sort(guards.begin(), guards.end(), std::less<>());
    guards.erase(std::unique(guards.begin(), guards.end()), guards.end());
  }
  tools.examiner.use(guards, GuardExaminer::Side::kArguments);
  if (tools.examiner.is_idle()) return args;
  // A place may begin at the outer call's arguments.
  if (x.dispatched && x.dispatched->outer().args &&
      !is_clean(tools.examiner.examine(*x.dispatched->outer().args, GuardExaminer::Root::kValue,
                                       tools.out))) {
    return std::nullopt;
  }
  const GuardReport report = tools.examiner.examine(args, GuardExaminer::Root::kValue, tools.out);
  if (is_clean(report)) return args;
  if (report.outcome != GuardReport::Outcome::kRedact || !report.redacted) return std::nullopt;
  return tools.json.parse(tools.out);
}

// The credentials that came with the call and the upstream's, for which arguments are no place.
std::vector<std::string_view> secrets_of(const Exchange& x, std::string& scratch) {
  std::vector<std::string_view> secrets;
  const auto add = [&](std::string_view value) {
    const size_t space = value.rfind(' ');
    secrets.push_back(space == value.npos ? value : value.substr(space + 1));
  };
  for (const http::Field& field : x.head.fields.list) {
    switch (http::name_of(field)) {
      case http::FieldName::kAuthorization:
      case http::FieldName::kXApiKey:
        add(field.value);
        break;
      case http::FieldName::kProxyAuthorization:
        add(field.value);
        if (const auto token = bearer_token(field.value, true, scratch)) add(*token);
        break;
      default:
        break;
    }
  }
  add(x.upstream->config().fields.credential_value);
  return secrets;
}

// The digest of what is read for the record alone, as of what rules read.
policy::Sha256 digest_of(const json::Value& args) {
  std::string canonical;
  json::append_canonical(canonical, args);
  return sha256(canonical);
}

bool keeps_bodies(const policy::CompiledRule& rule) {
  return policy::selects_bodies(rule.selector.kind()) && !rule.info.audit.empty() &&
         kept_arguments(rule.info.audit) != KeptArguments::kDigest;
}

}  // namespace

bool rules_record_body(const policy::PolicySet& policy, std::optional<std::string_view> upstream) {
  const auto& rules = policy.compiled().rules;
  return std::any_of(rules.begin(), rules.end(), [&](const policy::CompiledRule& rule) {
    return keeps_bodies(rule) && (!upstream || rule.selector.covers_upstream(*upstream));
  });
}

RecordedArguments recorded_arguments(const Exchange& x) {
  RecordedArguments kept;
  kept.sha256 = x.args_sha256;
  // What is malformed may not have been read to its end.
  if (!x.upstream || !x.agent || (x.refusal && x.refusal->reason == "malformed")) return kept;
  const KeptArguments how = kept_of(x);
  if (how == KeptArguments::kDigest) return kept;
  GuardTools& tools = x.worker.guard_tools();
  std::optional<json::Value> args = find_arguments(x, tools.json, kept.left_out);
  if (!args) return kept;
  if (!kept.sha256) kept.sha256 = digest_of(*args);
  if (x.snapshot->policy->has_guards()) {
    args = as_guards_leave_it(x, *args);
    if (!args) {
      kept.left_out = kGuarded;
      return kept;
    }
  }
  std::string scratch;
  ArgumentsText text = arguments_text(*args, how, secrets_of(x, scratch));
  // A name that was cut or masked may now be another's: such a line nobody could read.
  if (!tools.json.parse(text.json)) {
    kept.left_out = kAmbiguous;
    return kept;
  }
  kept.json = std::move(text.json);
  kept.cut = text.cut;
  return kept;
}

bool records_body(const Exchange& x) {
  const bool wanted = configured(x) != KeptArguments::kDigest ||
                      (x.snapshot->rules_record_bodies &&
                       rules_record_body(*x.snapshot->policy, x.upstream->config().name));
  return wanted && policy::body_form(x.head.fields.list).kind == policy::BodyForm::Kind::kJson;
}

}  // namespace reeve
