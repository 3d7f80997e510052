// Tested end to end by tests/e2e/approval_test.mjs and stop_test.mjs.
#include "proxy/commands/admin_target.h"

#include <fmt/format.h>

#include "policy/diagnostic.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/policy_source.h"
#include "proxy/commands/terminal.h"

namespace reeve::commands {

std::optional<AdminTarget> AdminTarget::open(std::string_view command, const Arguments& arguments,
                                             int& exit_code) {
  exit_code = 2;
  Diagnostics diagnostics;
  auto access = load_admin_access(arguments.find("-c").value_or("reeve.yaml"), diagnostics);
  if (!access) {
    print_errors(diagnostics);
    return std::nullopt;
  }
  AdminTarget target(command, arguments, std::move(*access));
  target.token_ = operator_token(target.access_);
  if (!target.token_.empty()) return target;
  exit_code = usage_error(command, kNoToken);
  return std::nullopt;
}

int AdminTarget::fail(std::string_view why) const {
  fmt::print(stderr, "reeve {}: {}\n", command_, why);
  return 1;
}

int AdminTarget::print(const Result<AdminAnswer, AdminFailure>& answer, Show show) const {
  if (!answer) return fail(answer.error().message);
  if (answer->status >= 400) return fail(detail_of(*answer));
  if (arguments_->has("--json")) {
    print_json(answer->body);
    return 0;
  }
  json::Parser parser;
  const auto value = parser.parse(answer->body);
  if (!value || !value->is_object()) return fail("the sidecar's answer cannot be read");
  return show(*this, *value);
}

std::string text_of(const json::Value& object, std::string_view name, size_t most) {
  const auto value = object.find(name);
  if (!value) return {};
  std::string scratch;
  return for_terminal(value->is_string() ? value->text(scratch) : value->raw(), most);
}

std::string said_body(const Arguments& arguments) {
  std::string body = "{";
  const auto begin = [&body](std::string_view name) {
    body += fmt::format("{}\"{}\":", body.size() > 1 ? "," : "", name);
  };
  for (const auto& [option, name] : {std::pair{"--as", "as"}, std::pair{"--why", "why"}}) {
    const auto value = arguments.find(option);
    if (!value) continue;
    begin(name);
    json::append_string(body, *value);
  }
  if (arguments.has("--dry-run")) {
    begin("dry_run");
    body += "true";
  }
  return body + "}";
}

}  // namespace reeve::commands
