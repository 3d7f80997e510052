// `admin`: where operators are served, and who they are.
#include <fmt/format.h>

#include "proxy/config/sections.h"

namespace reeve::config {
namespace {

void read_people(Reader& r, const yaml::Node& list, AdminConfig& admin) {
  if (!list.is_sequence()) r.error(list.mark, "`people` must be a list");
  for (const yaml::Node& node : list.items) {
    if (!r.keys(node, "a person", {{"name", "role", "token_sha256"}, {"spiffe"}})) continue;
    Person person;
    person.name = r.required_text(node, "name", "name: lee@acme.example");
    const std::string role = r.required_text(node, "role", "role: viewer");
    if (role == "viewer") {
      person.role = AdminRole::kViewer;
    } else if (role == "approver") {
      person.role = AdminRole::kApprover;
    } else if (role == "operator") {
      person.role = AdminRole::kOperator;
    } else if (!role.empty()) {
      r.error(node.find("role")->mark,
              fmt::format("`{}` is none of viewer, approver, operator", role));
    }
    const yaml::Node* hash = node.find("token_sha256");
    if (hash == nullptr) {
      r.error(node.mark, "`token_sha256` is missing: nobody could prove to be this person");
      continue;
    }
    if (auto value = r.hex_hash(*hash)) person.token_sha256 = *value;
    for (const Person& other : admin.people) {
      if (other.name == person.name || other.token_sha256 == person.token_sha256) {
        r.error(node.mark,
                fmt::format("`{}` and `{}` share a name or a token", person.name, other.name));
      }
    }
    admin.people.push_back(std::move(person));
  }
}

}  // namespace

void read_admin(Reader& r, const yaml::Node& node, Config& config) {
  if (!r.keys(node, "`admin`", {{"address", "hosts", "token", "people", "metrics"}, {"tls"}})) {
    return;
  }
  AdminConfig admin;
  const yaml::Node* at = node.find("address");
  if (at == nullptr) {
    r.error(node.mark, "`address` is missing; write `address: 127.0.0.1:8701`");
    return;
  }
  if (auto found = r.address(*at)) admin.address = *found;
  if (const yaml::Node* hosts = node.find("hosts")) {
    if (!hosts->is_sequence()) r.error(hosts->mark, "`hosts` must be a list of host names");
    for (const yaml::Node& host : hosts->items) admin.hosts.push_back(r.text(host));
  }
  if (const yaml::Node* token = node.find("token")) {
    const std::string secret = r.text(*token);
    if (secret.size() < 16) {
      r.error(token->mark,
              "the admin token is shorter than 16 characters; make one with "
              "`openssl rand -hex 32`");
    }
    admin.token_sha256 = sha256(secret);
  }
  if (const yaml::Node* people = node.find("people")) read_people(r, *people, admin);
  if (const yaml::Node* metrics = node.find("metrics")) {
    const std::string value = r.text(*metrics);
    if (value != "open" && value != "token") {
      r.error(metrics->mark, fmt::format("`{}` is neither `open` nor `token`", value));
    }
    admin.metrics_need_token = value == "token";
  }
  config.admin = std::move(admin);
}

}  // namespace reeve::config
