// reeve.yaml: every key is either acted on, refused as not yet supported, or unknown. A key that is
// read and does nothing would be a promise that nobody keeps. The sections are in config/. Tested
// by tests/proxy/config_test.cc.
#include "proxy/config.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <new>

#include "policy/yaml.h"
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

std::optional<Config> read(const yaml::Document& document, Diagnostics& diagnostics) {
  config::Reader r(document, diagnostics);
  Config config;
  config.file = document.file;
  const yaml::Node& root = document.root;
  if (!r.keys(root, "the configuration",
              {{"listen", "admin", "policy", "state", "audit", "upstreams", "limits", "dial",
                "threads", "approvals", "fleet"},
               {"busy_poll"}})) {
    return std::nullopt;
  }
  config::read_listeners(r, root, config);
  if (const yaml::Node* node = root.find("admin")) config::read_admin(r, *node, config);
  config.policy = r.path(r.required_text(root, "policy", "policy: policy.yaml"));
  config.state = "state";
  if (const yaml::Node* node = root.find("state")) config.state = r.text(*node);
  config.state = r.path(config.state);
  config.audit.path = (std::filesystem::path(config.state) / "audit.jsonl").string();
  if (const yaml::Node* node = root.find("audit")) config::read_audit(r, *node, config);
  config::read_upstreams(r, root, config);
  if (const yaml::Node* node = root.find("limits")) config::read_limits(r, *node, config);
  if (const yaml::Node* node = root.find("approvals")) config::read_approvals(r, *node, config);
  if (const yaml::Node* node = root.find("fleet")) config::read_fleet(r, *node, config);
  if (const yaml::Node* node = root.find("dial")) config::read_dial(r, *node, config);
  if (const yaml::Node* node = root.find("threads")) config::read_threads(r, *node, config);
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
  config::Reader r(*document, diagnostics);
  const yaml::Node* admin = document->root.find("admin");
  const yaml::Node* at = admin && admin->is_mapping() ? admin->find("address") : nullptr;
  if (at == nullptr) {
    diagnostics.error({path},
                      "has no `admin: {address: IP:PORT, token: …}`, where a running "
                      "sidecar could be asked");
    return std::nullopt;
  }
  const auto address = r.address(*at);
  if (r.has_errors() || !address) return std::nullopt;
  AdminAccess access{*address, {}, admin->find("people") != nullptr};
  if (const yaml::Node* token = admin->find("token")) {
    Diagnostics missing;  // a person's own token may stand in for it
    access.token = config::Reader(*document, missing).text(*token);
    if (missing.has_errors()) access.token.clear();
  }
  return access;
}

}  // namespace reeve
