// `listen`: where agents are served.
#include <fmt/format.h>

#include <set>

#include "policy/spiffe_id.h"
#include "proxy/config/sections.h"

namespace reeve::config {
namespace {

// `client_ca: PATH`, or a mapping of trust domains to paths.
void read_client_ca(Reader& r, const yaml::Node& node, tls::ServerFiles& files) {
  if (!node.is_mapping()) {
    files.client_ca.push_back({{}, r.file_name(node)});
    return;
  }
  if (node.members.empty()) r.error(node.mark, "`client_ca` names no CA; write `client_ca: PATH`");
  for (const auto& member : node.members) {
    if (!policy::is_trust_domain(std::string_view(member.key))) {
      r.error(member.key_mark, fmt::format("`{}` is no trust domain; write it as `acme.example`",
                                           std::string_view(member.key)));
    }
    files.client_ca.push_back({std::string(member.key), r.file_name(member.value)});
  }
}

void read_tls(Reader& r, const yaml::Node& node, ListenerConfig& listener) {
  if (!r.keys(node, "`tls`", {{"cert", "key", "client_ca", "client_crl"}, {}})) return;
  tls::ServerFiles files;
  for (const auto& [key, file] : {std::pair{"cert", &files.cert}, {"key", &files.key}}) {
    if (const yaml::Node* value = node.find(key)) {
      *file = r.file_name(*value);
    } else {
      r.error(node.mark,
              fmt::format("`{}` is missing; write `tls: {{cert: PATH, key: PATH}}`", key));
    }
  }
  if (const yaml::Node* value = node.find("client_ca")) read_client_ca(r, *value, files);
  if (const yaml::Node* value = node.find("client_crl")) {
    files.client_crl = r.file_name(*value);
    if (files.client_ca.empty()) {
      r.error(value->mark,
              "`client_crl` is without effect unless clients are asked for a "
              "certificate; add `client_ca: PATH`");
    }
  }
  listener.tls = std::move(files);
}

}  // namespace

void read_listeners(Reader& r, const yaml::Node& root, Config& config) {
  const yaml::Node* list = root.find("listen");
  if (list == nullptr || !list->is_sequence() || list->items.empty()) {
    r.error(list ? list->mark : root.mark,
            "`listen` is missing; write `listen: [{name: local, address: 127.0.0.1:8700}]`");
    return;
  }
  std::set<std::string> names;
  for (const yaml::Node& node : list->items) {
    if (!r.keys(node, "a listener", {{"name", "address", "tls"}, {}})) continue;
    ListenerConfig listener;
    listener.at = r.place(node.mark);
    listener.name = r.required_text(node, "name", "name: local");
    if (!names.insert(listener.name).second) {
      r.error(node.mark, fmt::format("two listeners are called `{}`; rename one", listener.name));
    }
    const yaml::Node* at = node.find("address");
    if (at == nullptr) {
      r.error(node.mark, "`address` is missing; write `address: 127.0.0.1:8700`");
      continue;
    }
    if (auto found = r.address(*at)) {
      listener.address = *found;
      if (const yaml::Node* tls = node.find("tls")) read_tls(r, *tls, listener);
      config.listeners.push_back(std::move(listener));
    }
  }
}

}  // namespace reeve::config
