// reeve.yaml: every key is either acted on, refused as not yet supported, or unknown. A key that is
// read and does nothing would be a promise that nobody keeps. Tested by tests/proxy/config_test.cc.
#include "proxy/config.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <set>

#include "policy/path.h"
#include "policy/yaml.h"

namespace reeve {
namespace {

constexpr size_t kConfigBytes = 1024 * 1024;
constexpr size_t kSecretBytes = 64 * 1024;

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// Reads a regular file whole. A FIFO or device would block or never end, so it is refused.
std::optional<std::string> read_file(const std::string& path, size_t limit, std::string& why) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    why = std::strerror(errno);
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode)) {
    why = "not a regular file";
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  std::string text;
  text.resize(std::min<size_t>(static_cast<size_t>(info.st_size), limit + 1));
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in && !in.eof()) {
    why = std::strerror(errno);
    return std::nullopt;
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > limit) {
    why = fmt::format("larger than {} bytes", limit);
    return std::nullopt;
  }
  return text;
}

struct KeySet {
  std::vector<std::string> known;
  std::vector<std::string> not_yet;
};

class Loader {
 public:
  Loader(const yaml::Document& document, Diagnostics& diagnostics)
      : document_(document),
        diagnostics_(diagnostics),
        folder_(std::filesystem::path(document.file).parent_path()) {}

  std::optional<Config> load() {
    config_.file = document_.file;
    const yaml::Node& root = document_.root;
    if (!keys(root, "the configuration",
              {{"listen", "admin", "policy", "state", "audit", "upstreams", "limits", "dial",
                "threads"},
               {"fleet", "busy_poll"}})) {
      return std::nullopt;
    }
    listeners(root);
    if (const yaml::Node* node = root.find("admin")) admin(*node);
    config_.policy = path(required_text(root, "policy", "policy: policy.yaml"));
    config_.state = "state";
    if (const yaml::Node* node = root.find("state")) config_.state = text(*node);
    config_.state = path(config_.state);
    config_.audit_path = (std::filesystem::path(config_.state) / "audit.jsonl").string();
    if (const yaml::Node* node = root.find("audit")) audit(*node);
    upstreams(root);
    if (const yaml::Node* node = root.find("limits")) limits(*node);
    if (const yaml::Node* node = root.find("dial")) dial(*node);
    if (const yaml::Node* node = root.find("threads")) threads(*node);
    if (diagnostics_.has_errors()) return std::nullopt;
    return std::move(config_);
  }

 private:
  void error(const yaml::Mark& mark, std::string message) {
    diagnostics_.error(document_.place(mark), std::move(message));
  }

  bool mapping(const yaml::Node& node, std::string_view what) {
    if (node.is_mapping()) return true;
    error(node.mark, fmt::format("{} must be a mapping of `key: value`", what));
    return false;
  }

  // False when the node is no mapping. Every key that is not known is an error here, once.
  bool keys(const yaml::Node& node, std::string_view what, const KeySet& set) {
    if (!mapping(node, what)) return false;
    for (const auto& member : node.members) {
      const auto in = [&](const std::vector<std::string>& list) {
        return std::find(list.begin(), list.end(), member.key) != list.end();
      };
      if (in(set.known)) continue;
      if (in(set.not_yet)) {
        error(member.key_mark,
              fmt::format("`{}` is not yet supported by this version; remove it", member.key));
        continue;
      }
      const std::string near = nearest(member.key, set.known);
      error(member.key_mark, near.empty()
                                 ? fmt::format("unknown key `{}` in {}; known are {}", member.key,
                                               what, fmt::join(set.known, ", "))
                                 : fmt::format("unknown key `{}` in {}; did you mean `{}`?",
                                               member.key, what, near));
    }
    return true;
  }

  // The scalar's text with `${NAME}` and `${file:PATH}` filled in.
  std::string text(const yaml::Node& node) {
    if (!node.is_scalar()) {
      error(node.mark, "a text is expected here");
      return {};
    }
    std::string out;
    std::string_view rest = node.text;
    for (size_t at; (at = rest.find("${")) != std::string_view::npos;) {
      const size_t end = rest.find('}', at);
      if (end == std::string_view::npos) {
        error(node.mark, fmt::format("`{}` has no closing `}}`", rest.substr(at)));
        return {};
      }
      out += rest.substr(0, at);
      out += variable(node.mark, std::string(rest.substr(at + 2, end - at - 2)));
      rest.remove_prefix(end + 1);
    }
    out += rest;
    return out;
  }

  std::string variable(const yaml::Mark& mark, const std::string& name) {
    if (name.rfind("file:", 0) == 0) {
      std::string why;
      const std::string from = path(name.substr(5));
      std::optional<std::string> secret = read_file(from, kSecretBytes, why);
      if (!secret) {
        error(mark, fmt::format("`${{{}}}` cannot be read from `{}`: {}", name, from, why));
        return {};
      }
      while (!secret->empty() && (secret->back() == '\n' || secret->back() == '\r')) {
        secret->pop_back();  // editors end a file with a newline that is no part of the secret
      }
      return *secret;
    }
    if (const char* value = std::getenv(name.c_str())) return value;
    error(mark,
          fmt::format("`${{{}}}` is not set; export {} in the environment of reeve", name, name));
    return {};
  }

  std::string required_text(const yaml::Node& node, const char* key, const char* example) {
    if (const yaml::Node* value = node.find(key)) {
      std::string found = text(*value);
      if (found.empty() && !diagnostics_.has_errors()) {
        error(value->mark, fmt::format("`{}` is empty; write `{}`", key, example));
      }
      return found;
    }
    error(node.mark, fmt::format("`{}` is missing; write `{}`", key, example));
    return {};
  }

  std::string path(const std::string& name) const {
    if (name.empty() || folder_.empty() || std::filesystem::path(name).is_absolute()) return name;
    return (folder_ / name).lexically_normal().string();
  }

  std::optional<Address> address(const yaml::Node& node) {
    const std::string value = text(node);
    if (value.rfind("unix:", 0) == 0) {
      error(node.mark, "Unix sockets are not yet supported by this version; use HOST:PORT");
      return std::nullopt;
    }
    const size_t colon = value.rfind(':');
    Address address;
    if (colon != std::string::npos) {
      address.host = value.substr(0, colon);
      if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
        address.host = address.host.substr(1, address.host.size() - 2);
      }
      const std::string_view digits = std::string_view(value).substr(colon + 1);
      const auto [end, ec] =
          std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
      boost::system::error_code bad;
      boost::asio::ip::make_address(address.host, bad);
      if (ec == std::errc{} && end == digits.data() + digits.size() && !digits.empty() && !bad) {
        return address;
      }
    }
    error(node.mark, fmt::format("`{}` is no address to listen on; write IP:PORT, such as "
                                 "127.0.0.1:8700 or [::1]:8700",
                                 value));
    return std::nullopt;
  }

  void listeners(const yaml::Node& root) {
    const yaml::Node* list = root.find("listen");
    if (list == nullptr || !list->is_sequence() || list->items.empty()) {
      error(list ? list->mark : root.mark,
            "`listen` is missing; write `listen: [{name: local, address: 127.0.0.1:8700}]`");
      return;
    }
    std::set<std::string> names;
    for (const yaml::Node& node : list->items) {
      if (!keys(node, "a listener", {{"name", "address"}, {"tls"}})) continue;
      ListenerConfig listener;
      listener.at = document_.place(node.mark);
      listener.name = required_text(node, "name", "name: local");
      if (!names.insert(listener.name).second) {
        error(node.mark, fmt::format("two listeners are called `{}`; rename one", listener.name));
      }
      const yaml::Node* at = node.find("address");
      if (at == nullptr) {
        error(node.mark, "`address` is missing; write `address: 127.0.0.1:8700`");
        continue;
      }
      if (auto found = address(*at)) {
        listener.address = *found;
        config_.listeners.push_back(std::move(listener));
      }
    }
  }

  std::optional<policy::Sha256> hex_hash(const yaml::Node& node) {
    const std::string value = text(node);
    policy::Sha256 hash{};
    bool good = value.size() == 64;
    for (size_t i = 0; good && i < 32; ++i) {
      const auto [end, ec] =
          std::from_chars(value.data() + 2 * i, value.data() + 2 * i + 2, hash[i], 16);
      good = ec == std::errc{} && end == value.data() + 2 * i + 2;
    }
    if (good) return hash;
    error(node.mark,
          "a token's SHA-256 is 64 hexadecimal digits; make one with "
          "`printf %s TOKEN | sha256sum`");
    return std::nullopt;
  }

  void admin(const yaml::Node& node) {
    if (!keys(node, "`admin`", {{"address", "hosts", "token", "people", "metrics"}, {"tls"}})) {
      return;
    }
    AdminConfig admin;
    const yaml::Node* at = node.find("address");
    if (at == nullptr) {
      error(node.mark, "`address` is missing; write `address: 127.0.0.1:8701`");
      return;
    }
    if (auto found = address(*at)) admin.address = *found;
    if (const yaml::Node* hosts = node.find("hosts")) {
      if (!hosts->is_sequence()) error(hosts->mark, "`hosts` must be a list of host names");
      for (const yaml::Node& host : hosts->items) admin.hosts.push_back(text(host));
    }
    if (const yaml::Node* token = node.find("token")) {
      const std::string secret = text(*token);
      if (secret.size() < 16) {
        error(token->mark,
              "the admin token is shorter than 16 characters; make one with "
              "`openssl rand -hex 32`");
      }
      admin.token_sha256 = sha256(secret);
    }
    if (const yaml::Node* people = node.find("people")) persons(*people, admin);
    if (const yaml::Node* metrics = node.find("metrics")) {
      const std::string value = text(*metrics);
      if (value != "open" && value != "token") {
        error(metrics->mark, fmt::format("`{}` is neither `open` nor `token`", value));
      }
      admin.metrics_need_token = value == "token";
    }
    config_.admin = std::move(admin);
  }

  void persons(const yaml::Node& list, AdminConfig& admin) {
    if (!list.is_sequence()) error(list.mark, "`people` must be a list");
    for (const yaml::Node& node : list.items) {
      if (!keys(node, "a person", {{"name", "role", "token_sha256"}, {"spiffe"}})) continue;
      Person person;
      person.name = required_text(node, "name", "name: lee@acme.example");
      const std::string role = required_text(node, "role", "role: viewer");
      if (role == "viewer") {
        person.role = AdminRole::kViewer;
      } else if (role == "approver") {
        person.role = AdminRole::kApprover;
      } else if (role == "operator") {
        person.role = AdminRole::kOperator;
      } else if (!role.empty()) {
        error(node.find("role")->mark,
              fmt::format("`{}` is none of viewer, approver, operator", role));
      }
      const yaml::Node* hash = node.find("token_sha256");
      if (hash == nullptr) {
        error(node.mark, "`token_sha256` is missing: nobody could prove to be this person");
        continue;
      }
      if (auto value = hex_hash(*hash)) person.token_sha256 = *value;
      for (const Person& other : admin.people) {
        if (other.name == person.name || other.token_sha256 == person.token_sha256) {
          error(node.mark,
                fmt::format("`{}` and `{}` share a name or a token", person.name, other.name));
        }
      }
      admin.people.push_back(std::move(person));
    }
  }

  void audit(const yaml::Node& node) {
    if (!keys(node, "`audit`", {{"path", "sync", "arguments"}, {"rotate", "keep"}})) return;
    if (const yaml::Node* value = node.find("path")) config_.audit_path = path(text(*value));
    only(node, "sync", "call", {"batch", "disk"});
    only(node, "arguments", "digest", {"redacted", "full"});
  }

  // A choice of which this version has one.
  void only(const yaml::Node& node, const char* key, std::string_view supported,
            const std::vector<std::string>& not_yet) {
    const yaml::Node* value = node.find(key);
    if (value == nullptr) return;
    const std::string found = text(*value);
    if (found == supported) return;
    if (std::find(not_yet.begin(), not_yet.end(), found) != not_yet.end()) {
      error(value->mark, fmt::format("`{}: {}` is not yet supported by this version; write `{}`",
                                     key, found, supported));
    } else {
      error(value->mark,
            fmt::format("`{}` is no value of `{}`; write `{}`", found, key, supported));
    }
  }

  void upstreams(const yaml::Node& root) {
    const yaml::Node* map = root.find("upstreams");
    if (map == nullptr || !map->is_mapping() || map->members.empty()) {
      error(map ? map->mark : root.mark,
            "`upstreams` is missing; write `upstreams: {crm: {http: \"http://127.0.0.1:9001\"}}`");
      return;
    }
    for (const auto& member : map->members) upstream(member);
  }

  void upstream(const yaml::Node::Member& member) {
    const std::string& name = member.key;
    const bool plain = !name.empty() && name.size() <= 64 &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return std::isalnum(c) || c == '-' || c == '_' || c == '.';
                       });
    if (!plain || name.front() == '.' || name.find("__") != std::string::npos) {
      error(member.key_mark,
            fmt::format("`{}` is no name for an upstream; use letters, digits, `-`, `.` and single "
                        "`_`, at most 64",
                        name));
    }
    if (name == "mcp") {
      error(member.key_mark,
            "`mcp` is the endpoint of all MCP upstreams together; rename this one");
    }
    if (!keys(member.value, fmt::format("upstream `{}`", name),
              {{"http", "mcp", "credential", "timeout", "connect_timeout", "answer_idle",
                "connections", "idle_connections", "path_parameters", "pass_headers"},
               {"meter", "tls", "ca", "cert", "key"}})) {
      return;
    }
    UpstreamConfig upstream;
    upstream.name = name;
    upstream.at = document_.place(member.key_mark);
    const yaml::Node* http = member.value.find("http");
    const yaml::Node* mcp = member.value.find("mcp");
    if ((http == nullptr) == (mcp == nullptr)) {
      error(member.key_mark,
            fmt::format("upstream `{}` needs either `http: URL` or `mcp: URL`", name));
      return;
    }
    upstream.protocol = mcp ? Protocol::kMcp : Protocol::kHttp;
    urls(mcp ? *mcp : *http, upstream);
    pool(member.value, upstream);
    if (const yaml::Node* node = member.value.find("credential")) credential(*node, upstream);
    if (const yaml::Node* node = member.value.find("timeout")) upstream.timeout = duration(*node);
    if (const yaml::Node* node = member.value.find("path_parameters")) {
      upstream.path_parameters = boolean(*node);
    }
    if (const yaml::Node* node = member.value.find("pass_headers")) {
      if (!node->is_sequence()) error(node->mark, "`pass_headers` must be a list of field names");
      for (const yaml::Node& item : node->items) {
        std::string field = field_name(item);
        std::transform(field.begin(), field.end(), field.begin(),
                       [](unsigned char c) { return std::tolower(c); });
        upstream.fields.pass_headers.push_back(std::move(field));
      }
    }
    config_.upstreams.push_back(std::move(upstream));
  }

  // One URL, or a list of them that lead to the same service.
  void urls(const yaml::Node& node, UpstreamConfig& upstream) {
    if (!node.is_sequence()) return url(node, upstream);
    constexpr size_t kMostUrls = 32;
    if (node.items.empty() || node.items.size() > kMostUrls) {
      return error(node.mark, fmt::format("a list of URLs has 1 to {} of them", kMostUrls));
    }
    url(node.items.front(), upstream);
    std::set<std::string> seen{fmt::format("{}:{}", upstream.host, upstream.port)};
    for (size_t i = 1; i < node.items.size(); ++i) {
      UpstreamConfig other;
      url(node.items[i], other);
      if (other.base_path != upstream.base_path) {
        error(node.items[i].mark, "all URLs of an upstream must have the same path");
      }
      if (!seen.insert(fmt::format("{}:{}", other.host, other.port)).second) {
        error(node.items[i].mark, fmt::format("`{}` is there twice", other.authority));
      }
      upstream.others.push_back({other.host, other.port, other.authority});
    }
  }

  // How its connections are made and kept.
  void pool(const yaml::Node& node, UpstreamConfig& upstream) {
    constexpr size_t kMostConnections = 100'000;
    if (const auto* v = node.find("connect_timeout")) upstream.connect_timeout = duration(*v);
    if (const auto* v = node.find("answer_idle")) upstream.answer_idle = duration(*v);
    if (const auto* v = node.find("connections")) {
      upstream.connections = number(*v, 1, kMostConnections);
    }
    if (const auto* v = node.find("idle_connections")) {
      upstream.idle_connections = number(*v, 0, kMostConnections);
    }
  }

  void url(const yaml::Node& node, UpstreamConfig& upstream) {
    if (node.is_mapping()) {
      error(node.mark,
            "servers that are started by a command are not yet supported by this "
            "version; give a URL");
      return;
    }
    const std::string value = text(node);
    const auto bad = [&](const char* why) {
      error(node.mark, fmt::format("`{}` is no URL of an upstream: {}; write http://HOST:PORT/PATH",
                                   value, why));
    };
    if (value.rfind("https://", 0) == 0) {
      error(node.mark, "TLS to an upstream is not yet supported by this version; use http://");
      return;
    }
    if (value.rfind("http://", 0) != 0) return bad("it does not begin with http://");
    std::string_view rest = std::string_view(value).substr(7);
    const size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    std::string_view base = slash == std::string_view::npos ? "" : rest.substr(slash);
    if (base.find_first_of("?#") != std::string_view::npos)
      return bad("it has a query or fragment");
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
    while (ends_with(base, "/")) base.remove_suffix(1);
    policy::NormalPath normal;
    if (const char* why = policy::normalise_path(base, upstream.path_parameters, normal)) {
      return bad(why);
    }
    upstream.base_path = base.empty() ? "" : normal.forward;
  }

  std::string field_name(const yaml::Node& node) {
    std::string name = text(node);
    const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
    });
    if (!token) error(node.mark, fmt::format("`{}` is no name of a header field", name));
    return name;
  }

  void credential(const yaml::Node& node, UpstreamConfig& upstream) {
    if (!keys(node, "`credential`", {{"header", "value"}, {}})) return;
    const yaml::Node* header = node.find("header");
    const yaml::Node* value = node.find("value");
    if (header == nullptr || value == nullptr) {
      error(node.mark, "`credential` needs `header` and `value`");
      return;
    }
    upstream.fields.credential_name = field_name(*header);
    upstream.fields.credential_value = text(*value);
    for (const unsigned char c : upstream.fields.credential_value) {
      if (c < ' ' || c == 0x7f) {
        error(value->mark, "the credential has a line break or another control character");
        break;
      }
    }
  }

  std::chrono::milliseconds duration(const yaml::Node& node) {
    const std::string value = text(node);
    static constexpr struct {
      std::string_view unit;
      int64_t ms;
    } kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
    uint32_t number = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
    const std::string_view unit(end, value.data() + value.size());
    if (ec == std::errc{} && number > 0) {
      for (const auto& known : kUnits) {
        if (unit == known.unit) return std::chrono::milliseconds(number * known.ms);
      }
    }
    error(node.mark, fmt::format("`{}` is no duration; write a number and ms, s, m or h", value));
    return std::chrono::milliseconds(1);
  }

  size_t bytes(const yaml::Node& node, size_t least) {
    const std::string value = text(node);
    static constexpr struct {
      std::string_view unit;
      uint64_t factor;
    } kUnits[] = {{"", 1}, {"B", 1}, {"KB", 1024}, {"MB", 1024 * 1024}};
    uint32_t number = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
    const std::string_view unit(end, value.data() + value.size());
    if (ec == std::errc{}) {
      for (const auto& known : kUnits) {
        if (unit == known.unit && number * known.factor >= least) return number * known.factor;
      }
    }
    error(node.mark, fmt::format("`{}` is no size of at least {} bytes; write a number and B, KB "
                                 "or MB",
                                 value, least));
    return least;
  }

  bool boolean(const yaml::Node& node) {
    const std::string value = text(node);
    if (value == "true" || value == "false") return value == "true";
    error(node.mark, fmt::format("`{}` is neither true nor false", value));
    return false;
  }

  size_t number(const yaml::Node& node, size_t least, size_t most) {
    const std::string value = text(node);
    size_t found = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), found);
    if (ec == std::errc{} && end == value.data() + value.size() && found >= least &&
        found <= most) {
      return found;
    }
    error(node.mark, fmt::format("`{}` is no number from {} to {}", value, least, most));
    return least;
  }

  void limits(const yaml::Node& node) {
    if (!keys(node, "`limits`",
              {{"connections", "header_bytes", "body_bytes", "head", "body", "idle", "drain",
                "tunnel_idle", "tunnel_time", "tunnel_bytes"},
               {}})) {
      return;
    }
    LimitsConfig& to = config_.limits;
    if (const auto* v = node.find("connections")) to.connections = number(*v, 1, 1'000'000);
    if (const auto* v = node.find("header_bytes")) to.header_bytes = bytes(*v, 1024);
    if (const auto* v = node.find("body_bytes")) to.body_bytes = bytes(*v, 1024);
    if (const auto* v = node.find("head")) to.head = duration(*v);
    if (const auto* v = node.find("body")) to.body = duration(*v);
    if (const auto* v = node.find("idle")) to.idle = duration(*v);
    if (const auto* v = node.find("drain")) to.drain = duration(*v);
    if (const auto* v = node.find("tunnel_idle")) to.tunnel_idle = duration(*v);
    if (const auto* v = node.find("tunnel_time")) to.tunnel_time = duration(*v);
    if (const auto* v = node.find("tunnel_bytes")) to.tunnel_bytes = bytes(*v, 1024);
  }

  void dial(const yaml::Node& node) {
    if (!keys(node, "`dial`", {{"allow"}, {}})) return;
    const yaml::Node* allow = node.find("allow");
    if (allow == nullptr) return;
    if (!allow->is_sequence()) {
      return error(allow->mark, "`allow` must be a list of ranges, such as [10.1.0.0/16]");
    }
    for (const yaml::Node& item : allow->items) {
      const std::string value = text(item);
      if (const auto range = net::Cidr::parse(value)) {
        config_.dial_allow.push_back(*range);
      } else {
        error(item.mark, fmt::format("`{}` is no range of addresses; write its first address and "
                                     "the length of its prefix, such as 10.1.0.0/16 or fd00::/8",
                                     value));
      }
    }
  }

  void threads(const yaml::Node& node) {
    const size_t found = number(node, 0, 256);
    const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
    config_.threads = static_cast<unsigned>(found != 0 ? found : std::max(1L, cores));
  }

  const yaml::Document& document_;
  Diagnostics& diagnostics_;
  std::filesystem::path folder_;
  Config config_;
};

}  // namespace

policy::Sha256 sha256(std::string_view text) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  // Fetched once, and a context for each thread: both cost more than hashing a token.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  policy::Sha256 hash{};
  unsigned size = hash.size();
  if (!EVP_DigestInit_ex2(context.get(), algorithm, nullptr) ||
      !EVP_DigestUpdate(context.get(), text.data(), text.size()) ||
      !EVP_DigestFinal_ex(context.get(), hash.data(), &size)) {
    throw std::bad_alloc();  // the library has no other reason to fail
  }
  return hash;
}

policy::Wiring Config::wiring() const {
  policy::Wiring wiring;
  wiring.upstreams.emplace();
  for (const UpstreamConfig& upstream : upstreams) wiring.upstreams->push_back(upstream.name);
  wiring.listeners.emplace();
  for (const ListenerConfig& listener : listeners) wiring.listeners->push_back(listener.name);
  return wiring;
}

std::optional<Config> load_config(const std::string& path, Diagnostics& diagnostics) {
  std::string why;
  const std::optional<std::string> text = read_file(path, kConfigBytes, why);
  if (!text) {
    diagnostics.error({path}, fmt::format("cannot be read: {}; name the configuration with "
                                          "`-c reeve.yaml`",
                                          why));
    return std::nullopt;
  }
  const auto document = yaml::parse(*text, path, diagnostics);
  if (!document) return std::nullopt;
  return Loader(*document, diagnostics).load();
}

}  // namespace reeve
