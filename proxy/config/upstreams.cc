// `upstreams`: what the agents use through the sidecar.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/path.h"
#include "proxy/config/sections.h"

namespace reeve::config {
namespace {

// NAME=value for the server's environment.
void read_environment(Reader& r, const yaml::Node& node, stdio::Command& command) {
  if (!node.is_mapping()) {
    r.error(node.mark, "`env` must be a mapping of names to values");
    return;
  }
  for (const auto& member : node.members) {
    const bool name = !member.key.empty() && !std::isdigit(static_cast<uint8_t>(member.key[0])) &&
                      std::all_of(member.key.begin(), member.key.end(),
                                  [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!name) {
      r.error(member.key_mark, fmt::format("`{}` is no name of a variable", member.key));
    }
    const std::string value = r.text(member.value);
    if (value.find('\0') != std::string::npos) r.error(member.value.mark, "the value has a NUL");
    command.environment.push_back(fmt::format("{}={}", member.key, value));
  }
}

// `{command: [npx, -y, …]}`: a server that reeve starts.
void read_command(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (upstream.protocol != Protocol::kMcp) {
    r.error(node.mark, "only an MCP server can be started by a command; `http` takes a URL");
    return;
  }
  if (!r.keys(node, "`mcp`", {{"command", "env", "folder"}, {}})) return;
  const yaml::Node* words = node.find("command");
  if (words == nullptr || !words->is_sequence() || words->items.empty()) {
    r.error(words == nullptr ? node.mark : words->mark,
            "`command` must be a list of the program and its arguments; no shell reads it: "
            "`command: [npx, -y, \"@modelcontextprotocol/server-everything\"]`");
    return;
  }
  for (const yaml::Node& word : words->items) {
    upstream.command.words.push_back(r.text(word));
    if (upstream.command.words.back().find('\0') != std::string::npos) {
      r.error(word.mark, "the word has a NUL");
    }
  }
  if (upstream.command.words.front().empty()) r.error(words->mark, "the program has no name");
  if (const yaml::Node* env = node.find("env")) read_environment(r, *env, upstream.command);
  if (const yaml::Node* folder = node.find("folder")) {
    upstream.command.folder = r.path(r.text(*folder));
  }
  upstream.authority = upstream.host = "localhost";
}

void read_url(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (node.is_mapping()) return read_command(r, node, upstream);
  const std::string value = r.text(node);
  const auto bad = [&](const char* why) {
    r.error(node.mark, fmt::format("`{}` is no URL of an upstream: {}; write http://HOST:PORT/PATH",
                                   value, why));
  };
  if (value.rfind("https://", 0) == 0) {
    r.error(node.mark, "TLS to an upstream is not yet supported by this version; use http://");
    return;
  }
  if (value.rfind("http://", 0) != 0) return bad("it does not begin with http://");
  std::string_view rest = std::string_view(value).substr(7);
  const size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  std::string_view base = slash == std::string_view::npos ? "" : rest.substr(slash);
  if (base.find_first_of("?#") != std::string_view::npos) return bad("it has a query or fragment");
  for (const char c : value) {
    if (c <= ' ' || c == 0x7f) return bad("it has a blank or a control character");
  }
  if (authority.find('@') != std::string_view::npos) {
    return bad("it has a user name; use `credential`");
  }
  upstream.authority = std::string(authority);
  const size_t colon = authority.rfind(':');
  const bool bracket_end = !authority.empty() && authority.back() == ']';
  if (colon != std::string_view::npos && !bracket_end) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, ec] =
        std::from_chars(digits.data(), digits.data() + digits.size(), upstream.port);
    if (ec != std::errc{} || end != digits.data() + digits.size() || upstream.port == 0) {
      return bad("its port is no number from 1 to 65535");
    }
    authority = authority.substr(0, colon);
  }
  if (authority.size() > 2 && authority.front() == '[' && authority.back() == ']') {
    authority = authority.substr(1, authority.size() - 2);
  }
  if (authority.empty()) return bad("it has no host");
  upstream.host = std::string(authority);
  while (base.ends_with('/')) base.remove_suffix(1);
  policy::NormalPath normal;
  if (const char* why = policy::normalise_path(base, upstream.path_parameters, normal)) {
    return bad(why);
  }
  upstream.base_path = base.empty() ? "" : normal.forward;
}

void read_credential(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (!r.keys(node, "`credential`", {{"header", "value"}, {}})) return;
  const yaml::Node* header = node.find("header");
  const yaml::Node* value = node.find("value");
  if (header == nullptr || value == nullptr) {
    r.error(node.mark, "`credential` needs `header` and `value`");
    return;
  }
  upstream.fields.credential_name = r.field_name(*header);
  upstream.fields.credential_value = r.text(*value);
  for (const unsigned char c : upstream.fields.credential_value) {
    if (c < ' ' || c == 0x7f) {
      r.error(value->mark, "the credential has a line break or another control character");
      break;
    }
  }
}

void read_upstream(Reader& r, const yaml::Node::Member& member, Config& config) {
  const std::string& name = member.key;
  const bool plain = !name.empty() && name.size() <= 64 &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::isalnum(c) || c == '-' || c == '_' || c == '.';
                     });
  if (!plain || name.front() == '.' || name.find("__") != std::string::npos) {
    r.error(member.key_mark,
            fmt::format("`{}` is no name for an upstream; use letters, digits, `-`, `.` and single "
                        "`_`, at most 64",
                        name));
  }
  if (name == "mcp") {
    r.error(member.key_mark,
            "`mcp` is the endpoint of all MCP upstreams together; rename this one");
  }
  if (!r.keys(member.value, fmt::format("upstream `{}`", name),
              {{"http", "mcp", "credential", "timeout", "path_parameters", "pass_headers"},
               {"meter", "tls", "ca", "cert", "key"}})) {
    return;
  }
  UpstreamConfig upstream;
  upstream.name = name;
  upstream.at = r.place(member.key_mark);
  const yaml::Node* http = member.value.find("http");
  const yaml::Node* mcp = member.value.find("mcp");
  if ((http == nullptr) == (mcp == nullptr)) {
    r.error(
        member.key_mark,
        fmt::format("upstream `{}` needs either `http: URL`, `mcp: URL` or `mcp: {{command: …}}`",
                    name));
    return;
  }
  upstream.protocol = mcp ? Protocol::kMcp : Protocol::kHttp;
  read_url(r, mcp ? *mcp : *http, upstream);
  if (const yaml::Node* node = member.value.find("credential")) {
    read_credential(r, *node, upstream);
    if (!upstream.command.words.empty()) {
      r.error(node->mark, "a server that is started by a command gets its credential by `env`");
    }
  }
  if (const yaml::Node* node = member.value.find("timeout")) upstream.timeout = r.duration(*node);
  if (const yaml::Node* node = member.value.find("path_parameters")) {
    upstream.path_parameters = r.boolean(*node);
  }
  if (const yaml::Node* node = member.value.find("pass_headers")) {
    if (!node->is_sequence()) r.error(node->mark, "`pass_headers` must be a list of field names");
    for (const yaml::Node& item : node->items) {
      std::string field = r.field_name(item);
      std::transform(field.begin(), field.end(), field.begin(),
                     [](unsigned char c) { return std::tolower(c); });
      upstream.fields.pass_headers.push_back(std::move(field));
    }
  }
  config.upstreams.push_back(std::move(upstream));
}

}  // namespace

void read_upstreams(Reader& r, const yaml::Node& root, Config& config) {
  const yaml::Node* map = root.find("upstreams");
  if (map == nullptr || !map->is_mapping() || map->members.empty()) {
    r.error(map ? map->mark : root.mark,
            "`upstreams` is missing; write `upstreams: {crm: {http: \"http://127.0.0.1:9001\"}}`");
    return;
  }
  for (const auto& member : map->members) read_upstream(r, member, config);
}

}  // namespace reeve::config
