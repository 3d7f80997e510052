// reeve.yaml: what it means, and every way in which it can be wrong, with place and remedy.
#include "proxy/config.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace reeve {
namespace {

struct Loaded {
  std::optional<Config> config;
  Diagnostics diagnostics;
  std::string first() const {
    return diagnostics.all().empty() ? std::string() : to_string(diagnostics.all().front());
  }
};

Loaded load(const std::string& text) {
  std::string name = (std::filesystem::temp_directory_path() / "reeve-config-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::filesystem::path folder(name);
  std::ofstream(folder / "secret") << "s3cret\n";
  std::ofstream(folder / "reeve.yaml") << text;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  Loaded loaded;
  loaded.config = load_config("reeve.yaml", loaded.diagnostics);
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
  return loaded;
}

const std::string kLeast =
    "listen: [{name: local, address: 127.0.0.1:8700}]\n"
    "policy: policy.yaml\n"
    "upstreams: {crm: {http: \"http://127.0.0.1:9001/api/\"}}\n";

TEST_CASE("the least configuration has the documented defaults") {
  const Loaded loaded = load(kLeast);
  REQUIRE(loaded.config);
  const Config& config = *loaded.config;
  CHECK(config.listeners.at(0).address.port == 8700);
  CHECK(config.state == "state");
  CHECK(config.audit.path == "state/audit.jsonl");
  CHECK(config.limits.body_bytes == 8 * 1024 * 1024);
  CHECK(config.limits.idle.count() == 60'000);
  CHECK(config.threads == 1);
  CHECK(config.dial_allow.empty());
  CHECK(config.limits.tunnel_idle.count() == 600'000);
  CHECK(config.limits.tunnel_time.count() == 86'400'000);
  CHECK(config.limits.tunnel_bytes == 64ull * 1024 * 1024 * 1024);
  CHECK_FALSE(config.admin);
  const UpstreamConfig& crm = config.upstreams.at(0);
  CHECK(crm.protocol == Protocol::kHttp);
  CHECK(crm.host == "127.0.0.1");
  CHECK(crm.port == 9001);
  CHECK(crm.authority == "127.0.0.1:9001");
  CHECK(crm.base_path == "/api");
}

TEST_CASE("variables come from the environment and from files") {
  ::setenv("REEVE_TEST_TOKEN", "abcdefghijklmnop", 1);
  const Loaded loaded = load(kLeast +
                             "  \n"
                             "admin: {address: \"[::1]:8701\", token: \"${REEVE_TEST_TOKEN}\",\n"
                             "  metrics: token, hosts: [sidecar.internal]}\n"
                             "state: here\n"
                             "audit: {path: there.jsonl, sync: call, arguments: digest}\n"
                             "limits: {body_bytes: 1MB, head: 250ms, idle: 2m}\n"
                             "threads: 3\n");
  REQUIRE(loaded.config);
  CHECK(loaded.config->admin->address.host == "::1");
  CHECK(loaded.config->admin->token_sha256 == sha256("abcdefghijklmnop"));
  CHECK(loaded.config->admin->metrics_need_token);
  CHECK(loaded.config->audit.path == "there.jsonl");
  CHECK(loaded.config->limits.head.count() == 250);
  CHECK(loaded.config->limits.idle.count() == 120'000);
  CHECK(loaded.config->threads == 3);

  const Loaded secret = load(
      "listen: [{name: local, address: 127.0.0.1:8700}]\n"
      "policy: policy.yaml\n"
      "upstreams:\n"
      "  billing: {http: \"http://b.internal\", timeout: 5s, path_parameters: true,\n"
      "    credential: {header: Authorization, value: \"Bearer ${file:secret}\"},\n"
      "    pass_headers: [Cookie]}\n");
  REQUIRE(secret.config);
  const UpstreamConfig& billing = secret.config->upstreams.at(0);
  CHECK(billing.fields.credential_value == "Bearer s3cret");
  CHECK(billing.fields.pass_headers == std::vector<std::string>{"cookie"});
  CHECK(billing.port == 80);
  CHECK(billing.timeout.count() == 5'000);
  CHECK(billing.path_parameters);
}

TEST_CASE("an upstream may have several URLs, and says how its connections are kept") {
  const Loaded least = load(kLeast);
  REQUIRE(least.config);
  const UpstreamConfig& crm = least.config->upstreams.at(0);
  CHECK(crm.others.empty());
  CHECK(crm.connect_timeout.count() == 5'000);
  CHECK(crm.answer_idle.count() == 60'000);
  CHECK(crm.connections == 1024);
  CHECK(crm.idle_connections == 256);

  const Loaded loaded = load(
      "listen: [{name: local, address: 127.0.0.1:8700}]\n"
      "policy: policy.yaml\n"
      "upstreams:\n"
      "  crm: {mcp: [\"http://a.internal/mcp\", \"http://10.0.0.2:81/mcp/\", "
      "\"http://[::1]/mcp\"],\n"
      "    connect_timeout: 250ms, answer_idle: 2m, connections: 7, idle_connections: 0}\n");
  REQUIRE(loaded.config);
  const UpstreamConfig& several = loaded.config->upstreams.at(0);
  CHECK(several.protocol == Protocol::kMcp);
  CHECK(several.host == "a.internal");
  CHECK(several.base_path == "/mcp");
  REQUIRE(several.others.size() == 2);
  CHECK(several.others[0].host == "10.0.0.2");
  CHECK(several.others[0].port == 81);
  CHECK(several.others[0].authority == "10.0.0.2:81");
  CHECK(several.others[1].host == "::1");
  CHECK(several.others[1].port == 80);
  CHECK(several.connect_timeout.count() == 250);
  CHECK(several.answer_idle.count() == 120'000);
  CHECK(several.connections == 7);
  CHECK(several.idle_connections == 0);
}

TEST_CASE("TLS and Unix sockets, on both sides") {
  const Loaded loaded = load(
      "listen:\n"
      "  - {name: one, address: 127.0.0.1:1, tls: {cert: c.pem, key: /k.pem, client_ca: ca.pem}}\n"
      "  - {name: two, address: \"unix:/run/reeve.sock\"}\n"
      "  - {name: three, address: 127.0.0.1:3, tls: {cert: c, key: k, client_crl: l,\n"
      "      client_ca: {acme.example: a, other.example: b}}}\n"
      "policy: policy.yaml\n"
      "upstreams:\n"
      "  a: {http: \"https://billing.internal./api\"}\n"
      "  b: {mcp: \"https://10.0.0.1:8443/mcp\", tls: {ca: ca, cert: c, key: k, server_name: "
      "b.x}}\n"
      "  c: {http: \"http://unix:/run/app.sock:/base/\"}\n"
      "  d: {http: \"http://unix:/run/app.sock\", host: app.internal}\n");
  REQUIRE(loaded.config);
  const auto& listeners = loaded.config->listeners;
  CHECK(listeners.at(0).tls->cert.path == "c.pem");
  CHECK(listeners.at(0).tls->cert.at.line == 2);
  CHECK(listeners.at(0).tls->key.path == "/k.pem");
  CHECK(listeners.at(0).tls->client_ca.at(0).trust_domain.empty());
  CHECK(listeners.at(1).address.unix_path == "/run/reeve.sock");
  CHECK(to_string(listeners.at(1).address) == "unix:/run/reeve.sock");
  CHECK(listeners.at(2).tls->client_ca.at(1).trust_domain == "other.example");
  CHECK(listeners.at(2).tls->client_crl.path == "l");
  const auto& upstreams = loaded.config->upstreams;
  CHECK(upstreams.at(0).tls);
  CHECK(upstreams.at(0).port == 443);
  CHECK(upstreams.at(0).server_name == "billing.internal");
  CHECK(upstreams.at(0).authority == "billing.internal.");
  CHECK(upstreams.at(1).port == 8443);
  CHECK(upstreams.at(1).server_name == "b.x");
  CHECK(upstreams.at(1).tls->ca.path == "ca");
  CHECK(upstreams.at(2).unix_path == "/run/app.sock");
  CHECK(upstreams.at(2).authority == "localhost");
  CHECK(upstreams.at(2).base_path == "/base");
  CHECK_FALSE(upstreams.at(2).tls);
  CHECK(upstreams.at(3).authority == "app.internal");
  CHECK(upstreams.at(3).base_path.empty());
}

struct Bad {
  const char* text;
  const char* message;  // the first diagnostic contains this
};

const Bad kBad[] = {
    {"", "must be a mapping"},
    {"- a\n", "must be a mapping"},
    {"listen: 5\n", "reeve.yaml:1:9: error: `listen` is missing"},
    {"lisen: []\n", "reeve.yaml:1:1: error: unknown key `lisen`"},
    {"lisen: []\n", "did you mean `listen`?"},
    {"fleet: {}\n",
     "`database` is missing; write `database: \"postgres://reeve@db.internal/reeve\"`"},
    {"fleet: {database: \"mysql://u:s3cret@h/d\"}\n",
     "`database` is no URL of PostgreSQL; write "
     "postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=verify-full"},
    {"fleet: {database: \"postgres://h/d\", instance: \"\"}\n",
     "`instance` is a name of 1 to 100 characters, such as pod-7"},
    {"fleet: {database: \"postgres://h/d\", sidecars: []}\n",
     "`sidecars` is not yet supported by this version; remove it"},
    {"busy_poll: 5ms\n", "reeve.yaml:1:12: error: `5ms` is no time to look for work; write micro"},
    {"busy_poll: 50\n", "such as 50us"},
    {"busy_poll: -1us\n", "such as 50us"},
    {"busy_poll: 10001us\n", "up to 10000"},
    {"listen: [{name: a, address: 127.0.0.1:8700, tls: {}}]\n",
     "reeve.yaml:1:50: error: `cert` is missing; write `tls: {cert: PATH, key: PATH}`"},
    {"listen: [{name: a, address: 127.0.0.1:8700, tls: {cert: c}}]\n", "`key` is missing"},
    {"listen: [{name: a, address: 127.0.0.1:8700, tls: {cert: c, key: k, client_cas: d}}]\n",
     "did you mean `client_ca`?"},
    {"listen: [{name: a, address: 127.0.0.1:8700, tls: {cert: c, key: k, client_ca: {}}}]\n",
     "`client_ca` names no CA"},
    {"listen: [{name: a, address: 127.0.0.1:8700, tls: {cert: c, key: k, client_ca: {A: d}}}]\n",
     "`A` is no trust domain"},
    {"listen: [{name: a, address: 127.0.0.1:8700, tls: {cert: c, key: k, client_crl: d}}]\n",
     "`client_crl` is without effect"},
    {"listen: [{name: a, address: \"unix:\"}]\n", "`unix:` names no socket"},
    {"listen: [{name: a, address: localhost:8700}]\n", "`localhost:8700` is no address"},
    {"listen: [{name: a, address: 127.0.0.1}]\n", "is no address to listen on"},
    {"listen: [{name: a, address: 127.0.0.1:99999}]\n", "is no address to listen on"},
    {"listen: [{name: a, address: 127.0.0.1:1}, {name: a, address: 127.0.0.1:2}]\n",
     "two listeners are called `a`"},
    {"listen: [{name: a, address: 127.0.0.1:1}]\nupstreams: {crm: {}}\n", "`policy` is missing"},
    {"policy: p\nlisten: [{name: a, address: 127.0.0.1:1}]\n", "`upstreams` is missing"},
};

const Bad kBadUpstreams[] = {
    {"crm: {}", "needs either `http: URL`, `mcp: URL` or"},
    {"crm: {http: \"http://a\", mcp: \"http://b\"}", "needs either"},
    {"crm: {http: \"ftp://a\"}", "does not begin with http://"},
    {"crm: {http: \"http://a\", tls: {ca: x}}", "`tls` is for upstreams with https://"},
    {"crm: {http: \"https://a\", tls: {cert: x}}", "needs both `cert` and `key`"},
    {"crm: {http: \"https://a\", tls: {server_name: \"*.b\"}}", "`*.b` is no name of a host"},
    {"crm: {http: \"https://a\", tls: {verify: no}}", "unknown key `verify`"},
    {"crm: {http: \"https://a\", ca: x}", "unknown key `ca`"},
    {"crm: {http: \"https://unix:/a\"}", "TLS over a Unix socket is not supported"},
    {"crm: {http: \"http://unix:\"}", "it has no path of a socket"},
    {"crm: {http: \"http://unix:/a:b\"}", "does not begin with `/`"},
    {"crm: {http: \"http://a\", host: b}", "`host` is for upstreams on a Unix socket"},
    {"crm: {http: \"http://unix:/a\", host: \"b c\"}", "`b c` is no host"},
    {"crm: {http: \"http://\"}", "it has no host"},
    {"crm: {http: \"http://u:p@a\"}", "it has a user name"},
    {"crm: {http: \"http://a:0\"}", "its port is no number"},
    {"crm: {http: \"http://a:x\"}", "its port is no number"},
    {"crm: {http: \"http://a/b?c\"}", "it has a query"},
    {"crm: {http: \"http://a/b/../c\"}", "is no URL of an upstream"},
    {"crm: {http: \"http://a b\"}", "it has a blank"},
    {"crm: {mcp: {command: node x.js}}", "`command` must be a list of the program"},
    {"crm: {http: {command: [node, x.js]}}", "only an MCP server can be started by a command"},
    {"crm: {http: \"http://a\", meter: gemini}", "unknown `meter` `gemini`; write `openai` or"},
    {"crm: {mcp: \"http://a\", meter: openai}", "only `http` upstreams are LLM APIs"},
    {"crm: {http: \"http://a\", timout: 5s}", "did you mean `timeout`?"},
    {"crm: {http: \"http://a\", timeout: 5}", "`5` is no duration"},
    {"crm: {http: \"http://a\", timeout: 0s}", "is no duration"},
    {"crm: {http: \"http://a\", connect_timeout: 5}", "`5` is no duration"},
    {"crm: {http: \"http://a\", answer_idle: 0s}", "is no duration"},
    {"crm: {http: \"http://a\", connections: 0}", "is no number from 1 to 100000"},
    {"crm: {http: \"http://a\", idle_connections: many}", "is no number from 0 to"},
    {"crm: {http: []}", "a list of URLs has 1 to 32"},
    {"crm: {http: [\"http://a\", \"ftp://b\"]}", "does not begin with http://"},
    {"crm: {http: [\"http://a/x\", \"http://b/y\"]}", "must have the same path"},
    {"crm: {http: [\"http://a/x\", \"http://a:80/x\"]}", "`a:80` is there twice"},
    {"crm: {http: \"http://a\", path_parameters: yes}", "is neither true nor false"},
    {"crm: {http: \"http://a\", credential: {header: X}}", "needs `header` and `value`"},
    {"crm: {http: \"http://a\", credential: {header: \"a b\", value: x}}",
     "is no name of a header"},
    {"crm: {http: \"http://a\", credential: {header: A, value: \"x\\ny\"}}", "line break"},
    {"crm: {http: \"http://a\", credential: {header: A, value: \"${REEVE_NOT_SET}\"}}",
     "`${REEVE_NOT_SET}` is not set; export REEVE_NOT_SET"},
    {"crm: {http: \"http://a\", credential: {header: A, value: \"${file:none}\"}}",
     "cannot be read from `none`"},
    {"crm: {http: \"http://a\", credential: {header: A, value: \"${OPEN\"}}", "no closing"},
    {"mcp: {http: \"http://a\"}", "`mcp` is the endpoint of all MCP upstreams"},
    {"a__b: {http: \"http://a\"}", "is no name for an upstream"},
    {"\"a/b\": {http: \"http://a\"}", "is no name for an upstream"},
    {"crm: {http: \"http://a\"}, crm: {http: \"http://b\"}", "duplicate"},
};

const Bad kBadRest[] = {
    {"limits: {tunnel_idle: 0s}\n", "is no duration"},
    {"limits: {tunnel_bytes: 1023}\n", "at least 1024 bytes"},
    {"dial: {alow: []}\n", "unknown key `alow` in `dial`; did you mean `allow`?"},
    {"dial: []\n", "`dial` must be a mapping"},
    {"dial: {allow: 10.0.0.0/8}\n", "`allow` must be a list of ranges"},
    {"dial: {allow: [10.0.0.0/8, 10.0.0.1/8]}\n", ":4:28: error: `10.0.0.1/8` is no range"},
    {"dial: {allow: [localhost]}\n", "`localhost` is no range of addresses"},
    {"dial: {allow: [10.0.0.1]}\n", "`10.0.0.1` is no range of addresses"},
    {"limits: {head: soon}\n", "is no duration"},
    {"limits: {body_bytes: 12GB}\n", "is no size"},
    {"limits: {body_bytes: 1}\n", "at least 1024 bytes"},
    {"limits: {connections: -1}\n", "is no number"},
    {"limits: {conections: 1}\n", "did you mean `connections`?"},
    {"threads: many\n", "is no number"},
    {"audit: {arguments: all}\n", "is no value of `arguments`; write `digest`"},
    {"audit: {sinks: stdout}\n", "`sinks` must be a list"},
    {"audit: {sinks: [{name: x}]}\n", "a sink needs `to`; write `stdout`"},
    {"audit: {sinks: [{to: \"ftp://x/\"}]}\n", "`ftp://x/` is no place for lines"},
    {"audit: {sinks: [{to: \"syslog+udp://x\"}]}\n", "is no place for lines"},
    {"audit: {sinks: [{to: \"syslog+tcp://x:70000\"}]}\n", "is no place for lines"},
    {"audit: {sinks: [{to: \"https://u:p@x/\"}]}\n", "is no place for lines"},
    {"audit: {sinks: [{to: \"syslog+udp://x:514\", required: true}]}\n", "cannot be `required`"},
    {"audit: {sinks: [{to: stdout, content: checkpoints, required: true}]}\n", "must get lines"},
    {"audit: {sinks: [{to: stdout, content: most}]}\n", "is no value of `content`"},
    {"audit: {sinks: [{to: stdout}, {to: stdout}]}\n", "two sinks are called `stdout`"},
    {"audit: {anchor: stdout, sinks: [{to: stdout}]}\n", "is a sink already"},
    {"audit: {sinks: [{to: stdout, name: a/b}]}\n", "is no name for a sink"},
    {"audit: {sinks: [{to: stdout, secret: abcdefghijklmnop}]}\n", "are of a webhook"},
    {"audit: {sinks: [{to: \"https://x/\", secret: short}]}\n", "must have 16 bytes"},
    {"audit: {sinks: [{to: \"https://x/\", batch: 0}]}\n", "`0` is no number from 1 to 10000"},
    {"audit: {sync: never}\n", "is no value of `sync`"},
    {"audit: {rotate: 1KB}\n", "no size of at least 65536"},
    {"audit: {keep: 5}\n", "is no age"},
    {"audit: {anchor: syslog}\n", "is no value of `anchor`"},
    {"admin: {}\n", "`address` is missing"},
    {"admin: {address: 127.0.0.1:1, token: short}\n", "shorter than 16 characters"},
    {"admin: {address: 127.0.0.1:1, people: [{name: a, role: boss, token_sha256: x}]}\n",
     "`boss` is none of viewer, approver, operator"},
    {"admin: {address: 127.0.0.1:1, people: [{name: a, role: viewer, token_sha256: x}]}\n",
     "64 hexadecimal digits"},
    {"admin: {address: 127.0.0.1:1, metrics: closed}\n", "neither `open` nor `token`"},
};

TEST_CASE("each mistake is named with its place and its remedy") {
  ::unsetenv("REEVE_NOT_SET");
  const auto expect = [](const std::string& text, const char* message) {
    const Loaded loaded = load(text);
    CAPTURE(text, message);
    CHECK_FALSE(loaded.config);
    bool found = false;
    for (const Diagnostic& diagnostic : loaded.diagnostics.all()) {
      INFO(to_string(diagnostic));
      found = found || to_string(diagnostic).find(message) != std::string::npos;
    }
    INFO(loaded.first());
    CHECK(found);
  };
  for (const Bad& bad : kBad) expect(bad.text, bad.message);
  for (const Bad& bad : kBadUpstreams) {
    expect("listen: [{name: local, address: 127.0.0.1:8700}]\npolicy: p\nupstreams: {" +
               std::string(bad.text) + "}\n",
           bad.message);
  }
  for (const Bad& bad : kBadRest) expect(kLeast + bad.text, bad.message);
}

TEST_CASE("a file that cannot be read is named") {
  Diagnostics diagnostics;
  CHECK_FALSE(load_config("no/such/reeve.yaml", diagnostics));
  CHECK(to_string(diagnostics.all().at(0)).find("no/such/reeve.yaml: error: cannot be read") == 0);
  Diagnostics folder;
  CHECK_FALSE(load_config("/", folder));
  CHECK(to_string(folder.all().at(0)).find("not a regular file") != std::string::npos);
}

}  // namespace
}  // namespace reeve
