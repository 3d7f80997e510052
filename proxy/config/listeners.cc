// `listen`: where agents are served.
#include <fmt/format.h>

#include <set>

#include "proxy/config/sections.h"

namespace reeve::config {

void read_listeners(Reader& r, const yaml::Node& root, Config& config) {
  const yaml::Node* list = root.find("listen");
  if (list == nullptr || !list->is_sequence() || list->items.empty()) {
    r.error(list ? list->mark : root.mark,
            "`listen` is missing; write `listen: [{name: local, address: 127.0.0.1:8700}]`");
    return;
  }
  std::set<std::string> names;
  for (const yaml::Node& node : list->items) {
    if (!r.keys(node, "a listener", {{"name", "address"}, {"tls"}})) continue;
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
      config.listeners.push_back(std::move(listener));
    }
  }
}

}  // namespace reeve::config
