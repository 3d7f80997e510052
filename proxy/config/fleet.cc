// `fleet`: the database that sidecars share.
#include <unistd.h>

#include "proxy/config/sections.h"

namespace reeve::config {
namespace {

constexpr size_t kNameBytes = 100;

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

void read_fleet(Reader& r, const yaml::Node& node, Config& config) {
  if (!r.keys(node, "`fleet`", {{"database", "instance"}, {"sidecars"}})) return;
  FleetConfig fleet;
  fleet.database =
      r.required_text(node, "database", "database: \"postgres://reeve@db.internal/reeve\"");
  // The URL has a password: what is wrong with it is said without it.
  const yaml::Node* url = node.find("database");
  if (url != nullptr && !fleet.database.empty() && !fleet.database.starts_with("postgres://") &&
      !fleet.database.starts_with("postgresql://")) {
    r.error(url->mark,
            "`database` is no URL of PostgreSQL; write "
            "postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=verify-full");
  }
  fleet.instance = host_name();
  if (const yaml::Node* name = node.find("instance")) {
    fleet.instance = r.text(*name);
    if (fleet.instance.empty() || fleet.instance.size() > kNameBytes) {
      r.error(name->mark, "`instance` is a name of 1 to 100 characters, such as pod-7");
    }
  }
  config.fleet = std::move(fleet);
}

}  // namespace reeve::config
