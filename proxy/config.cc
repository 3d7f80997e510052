// reeve.yaml: every key is either acted on, refused as not yet supported, or unknown. A key that is
// read and does nothing would be a promise that nobody keeps. The sections are in config/. Tested
// by tests/proxy/config_test.cc.
#include "proxy/config.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <filesystem>
#include <memory>
#include <new>

#include "policy/yaml.h"
#include "proxy/config/sections.h"

namespace reeve {
namespace {

constexpr size_t kConfigBytes = 1024 * 1024;

std::optional<Config> read(const yaml::Document& document, Diagnostics& diagnostics) {
  config::Reader r(document, diagnostics);
  Config config;
  config.file = document.file;
  const yaml::Node& root = document.root;
  if (!r.keys(root, "the configuration",
              {{"listen", "admin", "policy", "state", "audit", "upstreams", "limits", "dial",
                "threads"},
               {"fleet", "busy_poll"}})) {
    return std::nullopt;
  }
  config::read_listeners(r, root, config);
  if (const yaml::Node* node = root.find("admin")) config::read_admin(r, *node, config);
  config.policy = r.path(r.required_text(root, "policy", "policy: policy.yaml"));
  config.state = "state";
  if (const yaml::Node* node = root.find("state")) config.state = r.text(*node);
  config.state = r.path(config.state);
  config.audit_path = (std::filesystem::path(config.state) / "audit.jsonl").string();
  if (const yaml::Node* node = root.find("audit")) config::read_audit(r, *node, config);
  config::read_upstreams(r, root, config);
  if (const yaml::Node* node = root.find("limits")) config::read_limits(r, *node, config);
  if (const yaml::Node* node = root.find("dial")) config::read_dial(r, *node, config);
  if (const yaml::Node* node = root.find("threads")) config::read_threads(r, *node, config);
  if (r.has_errors()) return std::nullopt;
  return config;
}

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
  const std::optional<std::string> text = config::read_file(path, kConfigBytes, why);
  if (!text) {
    diagnostics.error({path}, fmt::format("cannot be read: {}; name the configuration with "
                                          "`-c reeve.yaml`",
                                          why));
    return std::nullopt;
  }
  const auto document = yaml::parse(*text, path, diagnostics);
  if (!document) return std::nullopt;
  return read(*document, diagnostics);
}

}  // namespace reeve
