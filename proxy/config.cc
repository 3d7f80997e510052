// reeve.yaml: every key is either acted on, refused as not yet supported, or unknown. A key that is
// read and does nothing would be a promise that nobody keeps. The sections are in config/. Tested
// by tests/proxy/config_test.cc.
#include "proxy/config.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <new>

#include "policy/yaml.h"
#include "proxy/config/places.h"
#include "proxy/config/sections.h"

namespace reeve {
namespace {

constexpr size_t kConfigBytes = 1024 * 1024;

std::unique_ptr<yaml::Document> parse_file(const std::string& path, Diagnostics& diagnostics) {
  std::string why;
  const std::optional<std::string> text = config::read_file(path, kConfigBytes, why);
  if (!text) {
    diagnostics.error({path}, fmt::format("cannot be read: {}; name the configuration with "
                                          "`-c reeve.yaml`",
                                          why));
    return nullptr;
  }
  return yaml::parse(*text, path, diagnostics);
}

void read_places(config::Reader& r, const yaml::Node& root, Config& config) {
  config.policy = r.path(r.required_text(root, "policy", "policy: policy.yaml"));
  config.state = "state";
  if (const yaml::Node* node = root.find("state")) config.state = r.text(*node);
  config.state = r.path(config.state);
  config.audit.path = (std::filesystem::path(config.state) / "audit.jsonl").string();
  if (const yaml::Node* node = root.find("audit")) config::read_audit(r, *node, config);
}

// The node of `admin.address`, or null.
const yaml::Node* admin_address(const yaml::Node& root) {
  const yaml::Node* admin = root.find("admin");
  return admin && admin->is_mapping() ? admin->find("address") : nullptr;
}

std::optional<AdminAccess> read_admin_access(const yaml::Document& document, const yaml::Node& at,
                                             Diagnostics& diagnostics) {
  config::Reader r(document, diagnostics);
  const yaml::Node& admin = *document.root.find("admin");
  const auto address = r.address(at);
  if (r.has_errors() || !address) return std::nullopt;
  AdminAccess access{*address, {}, admin.find("people") != nullptr};
  if (const yaml::Node* token = admin.find("token")) {
    Diagnostics missing;  // a person's own token may stand in for it
    access.token = config::Reader(document, missing).text(*token);
    if (missing.has_errors()) access.token.clear();
  }
  return access;
}

std::optional<Config> read(const yaml::Document& document, Diagnostics& diagnostics) {
  config::Reader r(document, diagnostics);
  Config config;
  config.file = document.file;
  const yaml::Node& root = document.root;
  if (!r.keys(root, "the configuration",
              {{"listen", "admin", "policy", "state", "audit", "upstreams", "limits", "dial",
                "threads", "busy_poll", "approvals", "fleet"},
               {}})) {
    return std::nullopt;
  }
  config::read_listeners(r, root, config);
  if (const yaml::Node* node = root.find("admin")) config::read_admin(r, *node, config);
  read_places(r, root, config);
  config::read_upstreams(r, root, config);
  if (const yaml::Node* node = root.find("limits")) config::read_limits(r, *node, config);
  if (const yaml::Node* node = root.find("approvals")) config::read_approvals(r, *node, config);
  if (const yaml::Node* node = root.find("fleet")) config::read_fleet(r, *node, config);
  if (const yaml::Node* node = root.find("dial")) config::read_dial(r, *node, config);
  if (const yaml::Node* node = root.find("threads")) config::read_threads(r, *node, config);
  if (const yaml::Node* node = root.find("busy_poll")) config::read_busy_poll(r, *node, config);
  if (r.has_errors()) return std::nullopt;
  return config;
}

}  // namespace

std::string to_string(const Address& address) {
  if (address.is_unix()) return "unix:" + address.unix_path;
  return address.host.find(':') == std::string::npos
             ? fmt::format("{}:{}", address.host, address.port)
             : fmt::format("[{}]:{}", address.host, address.port);
}

policy::Wiring Config::wiring() const {
  policy::Wiring wiring;
  wiring.fleet = fleet.has_value();
  wiring.upstreams.emplace();
  wiring.metered.emplace();
  for (const UpstreamConfig& upstream : upstreams) {
    wiring.upstreams->push_back(upstream.name);
    if (upstream.meter != Meter::kNone) wiring.metered->push_back(upstream.name);
  }
  wiring.listeners.emplace();
  for (const ListenerConfig& listener : listeners) wiring.listeners->push_back(listener.name);
  return wiring;
}

std::optional<Config> load_config(const std::string& path, Diagnostics& diagnostics) {
  const auto document = parse_file(path, diagnostics);
  if (!document) return std::nullopt;
  return read(*document, diagnostics);
}

std::optional<std::vector<ListenerConfig>> load_listeners(const std::string& path,
                                                          Diagnostics& diagnostics) {
  const auto document = parse_file(path, diagnostics);
  if (!document) return std::nullopt;
  config::Reader r(*document, diagnostics);
  Config config;
  config::read_listeners(r, document->root, config);
  if (r.has_errors()) return std::nullopt;
  return config.listeners;
}

std::optional<AdminAccess> load_admin_access(const std::string& path, Diagnostics& diagnostics) {
  const auto document = parse_file(path, diagnostics);
  if (!document) return std::nullopt;
  const yaml::Node* at = admin_address(document->root);
  if (at == nullptr) {
    diagnostics.error({path},
                      "has no `admin: {address: IP:PORT, token: …}`, where a running "
                      "sidecar could be asked");
    return std::nullopt;
  }
  return read_admin_access(*document, *at, diagnostics);
}

std::map<std::string, std::chrono::seconds> load_idempotency_keys(const std::string& path) {
  std::map<std::string, std::chrono::seconds> keys;
  Diagnostics ignored;  // load_config() has told
  const auto document = parse_file(path, ignored);
  const yaml::Node* upstreams = document ? document->root.find("upstreams") : nullptr;
  if (upstreams == nullptr) return keys;
  config::Reader r(*document, ignored);
  for (const yaml::Node::Member& member : upstreams->members) {
    const yaml::Node* time = member.value.find("idempotency_keys");
    if (time == nullptr) continue;
    keys.emplace(member.key, std::chrono::floor<std::chrono::seconds>(r.duration(*time)));
  }
  return keys;
}

std::optional<StatePlaces> load_state_places(const std::string& path, Diagnostics& diagnostics) {
  const auto document = parse_file(path, diagnostics);
  if (!document) return std::nullopt;
  config::Reader r(*document, diagnostics);
  Config config;
  read_places(r, document->root, config);
  StatePlaces places{config.policy, config.state, config.audit.path, {}};
  if (const yaml::Node* at = admin_address(document->root)) {
    places.admin = read_admin_access(*document, *at, diagnostics);
  }
  if (r.has_errors()) return std::nullopt;
  return places;
}

}  // namespace reeve
