// `upstreams`: what the agents use through the sidecar.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "policy/path.h"
#include "proxy/config/sections.h"
#include "proxy/http/authority.h"

namespace reeve::config {
namespace {

// Null when the URL's path is fit to stand before each call's, else why not.
const char* read_base_path(std::string_view base, UpstreamConfig& upstream) {
  if (base.find_first_of("?#") != std::string_view::npos) return "it has a query or fragment";
  while (base.ends_with('/')) base.remove_suffix(1);
  policy::NormalPath normal;
  if (const char* why = policy::normalise_path(base, upstream.path_parameters, normal)) return why;
  upstream.base_path = base.empty() ? "" : normal.forward;
  return nullptr;
}

// What follows `http://unix:`: PATH, or PATH:/BASE as nginx writes it.
void read_unix_url(Reader& r, const yaml::Node& node, std::string_view rest,
                   UpstreamConfig& upstream) {
  constexpr size_t kLongest = 107;  // unix(7)
  const size_t colon = rest.find(':');
  const std::string_view base = colon == rest.npos ? "" : rest.substr(colon + 1);
  upstream.unix_path = r.path(std::string(rest.substr(0, colon)));
  upstream.authority = upstream.host = "localhost";
  const char* why = nullptr;
  if (upstream.unix_path.empty()) {
    why = "it has no path of a socket";
  } else if (upstream.unix_path.size() > kLongest) {
    why = "the path of its socket is longer than 107 bytes";
  } else if (!base.empty() && base.front() != '/') {
    why = "what follows the socket's path does not begin with `/`";
  } else {
    why = read_base_path(base, upstream);
  }
  if (!why) return;
  r.error(node.mark, fmt::format("`{}` is no URL of an upstream: {}; write http://unix:PATH or "
                                 "http://unix:PATH:/BASE",
                                 std::string_view(node.text), why));
}

// `host: NAME`, as sent in Host to an upstream whose URL has none.
void read_host(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  const std::string name = r.text(node);
  if (upstream.unix_path.empty()) {
    return r.error(node.mark,
                   "`host` is for upstreams on a Unix socket; others have it in the URL");
  }
  if (!http::parse_authority(name)) {
    return r.error(node.mark, fmt::format("`{}` is no host; write it as `app.internal`", name));
  }
  upstream.authority = name;
}

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

void read_url(Reader& r, const yaml::Node& node, UpstreamConfig& upstream);

// `{sse: URL}`: a server that speaks HTTP+SSE, the transport before Streamable HTTP.
void read_events(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (upstream.protocol != Protocol::kMcp) {
    r.error(node.mark, "`sse` is of MCP servers; `http` takes a URL");
    return;
  }
  if (!r.keys(node, "`mcp`", {{"sse"}, {}})) return;
  const yaml::Node& url = *node.find("sse");
  if (!url.is_scalar()) {
    r.error(url.mark, "`sse` is one URL: `mcp: {sse: \"http://127.0.0.1:9001/sse\"}`");
    return;
  }
  upstream.events = true;
  read_url(r, url, upstream);
}

void read_url(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (node.is_mapping() && node.find("sse")) return read_events(r, node, upstream);
  if (node.is_mapping()) return read_command(r, node, upstream);
  const std::string value = r.text(node);
  const auto bad = [&](const char* why) {
    r.error(node.mark, fmt::format("`{}` is no URL of an upstream: {}; write http://HOST:PORT/PATH",
                                   value, why));
  };
  const bool secure = value.rfind("https://", 0) == 0;
  if (!secure && value.rfind("http://", 0) != 0) {
    return bad("it does not begin with http:// or https://");
  }
  for (const char c : value) {
    if (c <= ' ' || c == 0x7f) return bad("it has a blank or a control character");
  }
  std::string_view rest = std::string_view(value).substr(secure ? 8 : 7);
  if (rest.starts_with("unix:")) {
    if (secure) return bad("TLS over a Unix socket is not supported; write http://unix:");
    return read_unix_url(r, node, rest.substr(5), upstream);
  }
  if (secure) {
    upstream.tls.emplace();
    upstream.port = 443;
  }
  const size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  std::string_view base = slash == std::string_view::npos ? "" : rest.substr(slash);
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
  upstream.host = upstream.server_name = std::string(authority);
  if (upstream.server_name.back() == '.') upstream.server_name.pop_back();  // RFC 6066, 3
  if (const char* why = read_base_path(base, upstream)) bad(why);
}

// `tls: {ca, cert, key, server_name}` of an https:// upstream.
void read_tls(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (!r.keys(node, "`tls`", {{"ca", "cert", "key", "server_name"}, {}})) return;
  if (!upstream.tls) {
    return r.error(node.mark, "`tls` is for upstreams with https://; correct the URL or remove it");
  }
  tls::ClientFiles& files = *upstream.tls;
  if (const yaml::Node* value = node.find("ca")) files.ca = r.file_name(*value);
  if (const yaml::Node* value = node.find("cert")) files.cert = r.file_name(*value);
  if (const yaml::Node* value = node.find("key")) files.key = r.file_name(*value);
  if (files.cert.empty() != files.key.empty()) {
    r.error(node.mark, "a client certificate needs both `cert` and `key`; name the other one, too");
  }
  if (const yaml::Node* value = node.find("server_name")) {
    upstream.server_name = r.text(*value);
    const bool fit = !upstream.server_name.empty() && upstream.server_name.size() <= 253 &&
                     upstream.server_name.find_first_of(" /@*") == std::string::npos;
    if (!fit) {
      r.error(value->mark, fmt::format("`{}` is no name of a host; write it as `billing.internal`",
                                       upstream.server_name));
    }
  }
}

// One URL, or a list of them that lead to the same service.
void read_urls(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (!node.is_sequence()) return read_url(r, node, upstream);
  constexpr size_t kMostUrls = 32;
  if (node.items.empty() || node.items.size() > kMostUrls) {
    return r.error(node.mark, fmt::format("a list of URLs has 1 to {} of them", kMostUrls));
  }
  read_url(r, node.items.front(), upstream);
  std::set<std::string> seen{fmt::format("{}:{}", upstream.host, upstream.port)};
  for (size_t i = 1; i < node.items.size(); ++i) {
    UpstreamConfig other;
    other.protocol = upstream.protocol;
    read_url(r, node.items[i], other);
    if (other.has_face() || upstream.has_face()) {
      r.error(node.items[i].mark,
              "a server that is started by a command, or speaks HTTP+SSE, has one address");
    }
    if (other.base_path != upstream.base_path) {
      r.error(node.items[i].mark, "all URLs of an upstream must have the same path");
    }
    if (!seen.insert(fmt::format("{}:{}", other.host, other.port)).second) {
      r.error(node.items[i].mark, fmt::format("`{}` is there twice", other.authority));
    }
    upstream.others.push_back({other.host, other.port, other.authority});
  }
}

// How its connections are made and kept.
void read_pool(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  constexpr size_t kMostConnections = 100'000;
  if (const auto* v = node.find("connect_timeout")) upstream.connect_timeout = r.duration(*v);
  if (const auto* v = node.find("answer_idle")) upstream.answer_idle = r.duration(*v);
  if (const auto* v = node.find("connections")) {
    upstream.connections = r.number(*v, 1, kMostConnections);
  }
  if (const auto* v = node.find("idle_connections")) {
    upstream.idle_connections = r.number(*v, 0, kMostConnections);
  }
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

// `audit: {arguments: redacted}`: what the record keeps of its calls.
void read_recorded(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  if (!r.keys(node, "`audit` of an upstream", {{"arguments"}, {}})) return;
  if (const auto* v = node.find("arguments")) upstream.arguments = read_kept_arguments(r, *v);
}

void read_meter(Reader& r, const yaml::Node& node, UpstreamConfig& upstream) {
  const std::string word = r.text(node);
  if (word == "openai") {
    upstream.meter = Meter::kOpenAi;
  } else if (word == "anthropic") {
    upstream.meter = Meter::kAnthropic;
  } else {
    r.error(node.mark,
            fmt::format("unknown `meter` `{}`; write `openai` or `anthropic`, the API that the "
                        "upstream speaks",
                        word));
  }
  if (upstream.protocol == Protocol::kMcp) {
    r.error(node.mark, "only `http` upstreams are LLM APIs; remove `meter`");
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
  if (plain && name.back() == '_' && member.value.find("mcp")) {
    r.error(member.key_mark,
            fmt::format("`{}` ends in `_`, so that under /mcp the names of its tools could be "
                        "another upstream's; leave it out",
                        name));
  }
  if (name == "mcp") {
    r.error(member.key_mark,
            "`mcp` is the endpoint of all MCP upstreams together; rename this one");
  }
  if (!r.keys(member.value, fmt::format("upstream `{}`", name),
              {{"http", "mcp", "credential", "timeout", "connect_timeout", "answer_idle",
                "connections", "idle_connections", "path_parameters", "pass_headers", "tls", "host",
                "meter", "audit", "idempotency_keys"},
               {}})) {
    return;
  }
  UpstreamConfig upstream;
  upstream.name = name;
  upstream.at = r.place(member.key_mark);
  const yaml::Node* http = member.value.find("http");
  const yaml::Node* mcp = member.value.find("mcp");
  if ((http == nullptr) == (mcp == nullptr)) {
    r.error(member.key_mark,
            fmt::format(
                "upstream `{}` needs either `http: URL`, `mcp: URL` or `mcp: {{command: …}}` (or "
                "`mcp: {{sse: URL}}`, of the older transport)",
                name));
    return;
  }
  upstream.protocol = mcp ? Protocol::kMcp : Protocol::kHttp;
  read_urls(r, mcp ? *mcp : *http, upstream);
  if (const yaml::Node* node = member.value.find("tls")) read_tls(r, *node, upstream);
  if (const yaml::Node* node = member.value.find("host")) read_host(r, *node, upstream);
  read_pool(r, member.value, upstream);
  if (const yaml::Node* node = member.value.find("credential")) {
    read_credential(r, *node, upstream);
    if (!upstream.command.words.empty()) {
      r.error(node->mark, "a server that is started by a command gets its credential by `env`");
    }
  }
  if (const yaml::Node* node = member.value.find("meter")) read_meter(r, *node, upstream);
  if (const yaml::Node* node = member.value.find("timeout")) upstream.timeout = r.duration(*node);
  if (const yaml::Node* node = member.value.find("idempotency_keys")) {
    (void)r.duration(*node);  // load_idempotency_keys() reads it
    if (upstream.protocol == Protocol::kMcp) {
      r.error(node->mark, "MCP has no idempotency keys; remove `idempotency_keys`");
    }
  }
  if (const yaml::Node* node = member.value.find("path_parameters")) {
    upstream.path_parameters = r.boolean(*node);
  }
  if (const yaml::Node* node = member.value.find("audit")) read_recorded(r, *node, upstream);
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
