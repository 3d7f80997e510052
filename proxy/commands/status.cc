// `reeve status`: how the running sidecar is. Two questions to the admin side, /v1/policy and
// /v1/upstreams, and /readyz. Tested by tests/e2e/status_test.mjs.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "policy/json.h"
#include "proxy/commands/admin_client.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/audit.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/policy_source.h"

namespace reeve::commands {
namespace {

constexpr Option kOptions[] = {
    {"--json", "", "one JSON object, of the sidecar's own answers"},
    {"-c", "reeve.yaml", "where the sidecar is (reeve.yaml without it)"},
};
constexpr Synopsis kSynopsis = {
    "status", "[--json] [-c reeve.yaml]",
    "The running sidecar: whether it is ready, its version, the policy in force and what became of "
    "the\nlast reload, and its upstreams. REEVE_TOKEN is a person's own token; without it the "
    "admin "
    "token of\nreeve.yaml is used. Exits with 0, or 1 where it is not there, not ready, or refused "
    "a reload.",
    kOptions};

constexpr size_t kCell = 400;

std::string text_of(const json::Value& object, std::string_view name) {
  const auto value = object.find(name);
  if (!value) return {};
  std::string scratch;
  return for_terminal(value->is_string() ? value->text(scratch) : value->raw(), kCell);
}

int fail(std::string_view why) {
  fmt::print(stderr, "reeve status: {}\n", why);
  return 1;
}

// Addresses that do not answer come with the last thing they did.
void print_upstreams(const json::Value& list) {
  for (const json::Value upstream : list.items()) {
    fmt::print("upstream  {:<16} {}, {} calls, {} waiting\n", text_of(upstream, "upstream"),
               text_of(upstream, "up") == "true" ? "up" : "DOWN", text_of(upstream, "in_use"),
               text_of(upstream, "waiting"));
    const auto addresses = upstream.find("addresses");
    if (!addresses || !addresses->is_array()) continue;
    for (const json::Value address : addresses->items()) {
      const std::string error = text_of(address, "last_error");
      if (error.empty()) continue;
      fmt::print("          {} is {}: {}\n", text_of(address, "address"), text_of(address, "state"),
                 error);
    }
  }
}

}  // namespace

int status(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  Diagnostics diagnostics;
  const auto access = load_admin_access(arguments->find("-c").value_or("reeve.yaml"), diagnostics);
  if (!access) {
    print_errors(diagnostics);
    return 2;
  }
  const char* own = std::getenv("REEVE_TOKEN");
  const std::string token = own != nullptr ? own : access->token;
  if (token.empty()) {
    return usage_error("status",
                       "there is no token: set REEVE_TOKEN, or what `admin.token` of reeve.yaml "
                       "refers to");
  }
  std::string bodies[2];
  const char* paths[] = {"/v1/policy", "/v1/upstreams"};
  for (size_t i = 0; i < 2; ++i) {
    auto answer = ask_admin(access->address, token, "GET", paths[i], {});
    if (!answer) return fail(answer.error().message);
    if (answer->status >= 400) return fail(detail_of(*answer));
    bodies[i] = std::move(answer->body);
  }
  auto ready = ask_admin(access->address, token, "GET", "/readyz", {});
  if (!ready) return fail(ready.error().message);
  while (!ready->body.empty() && ready->body.back() == '\n') ready->body.pop_back();
  const bool is_ready = ready->status == 200;

  json::Parser policy_parser, upstream_parser;
  const auto policy = policy_parser.parse(bodies[0]);
  const auto answer = upstream_parser.parse(bodies[1]);
  const auto upstreams = answer && answer->is_object() ? answer->find("upstreams") : std::nullopt;
  if (!policy || !policy->is_object() || !upstreams || !upstreams->is_array()) {
    return fail("the sidecar's answer cannot be read");
  }
  const std::string error = text_of(*policy, "last_error");
  if (arguments->has("--json")) {
    std::string out = fmt::format("{{\"ready\":{},\"why\":", is_ready);
    json::append_string(out, is_ready ? std::string_view() : std::string_view(ready->body));
    out += fmt::format(",\"policy\":{},\"upstreams\":{}}}", policy->raw(), upstreams->raw());
    fmt::print("{}\n", ::isatty(1) == 1 ? for_terminal(out, SIZE_MAX) : out);
  } else {
    fmt::print("sidecar   {} on {}, version {}, since {}\n",
               is_ready ? "ready" : fmt::format("NOT READY ({})", for_terminal(ready->body, kCell)),
               to_string(access->address), text_of(*policy, "version"),
               text_of(*policy, "started"));
    fmt::print("policy    {} of {}, loaded {}\n", text_of(*policy, "policy"),
               text_of(*policy, "file"), text_of(*policy, "loaded"));
    fmt::print("reloads   {}, refused {}\n", text_of(*policy, "reloads"),
               text_of(*policy, "failed_reloads"));
    if (!error.empty())
      fmt::print("          REFUSED, the policy above stays in force: {}\n", error);
    print_upstreams(*upstreams);
  }
  return is_ready && error.empty() ? 0 : 1;
}

}  // namespace reeve::commands
