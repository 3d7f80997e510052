// reeve.yaml as a plain struct: how the sidecar is wired. The policy says who may do what.
//
// Read once at start; nothing else in the proxy sees YAML. Names of interfaces that later versions
// act on are known here and refused as not yet supported, never ignored.
#ifndef REEVE_PROXY_CONFIG_H_
#define REEVE_PROXY_CONFIG_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/policy_set.h"
#include "proxy/audit/sink_config.h"
#include "proxy/digest.h"
#include "proxy/http/writer.h"
#include "proxy/kept_arguments.h"
#include "proxy/net/address_class.h"
#include "proxy/stdio/child.h"
#include "proxy/tls/credentials.h"

namespace reeve {

struct Address {
  std::string host;  // an IP address, without brackets; empty for a Unix socket
  uint16_t port = 0;
  std::string unix_path;

  bool is_unix() const { return !unix_path.empty(); }
};

// As reeve.yaml writes it: 127.0.0.1:8700, [::1]:8700, unix:/run/reeve.sock.
std::string to_string(const Address& address);

struct ListenerConfig {
  std::string name;
  Address address;
  std::optional<tls::ServerFiles> tls;
  Place at;
};

enum class AdminRole : uint8_t { kViewer, kApprover, kOperator };

struct Person {
  std::string name;
  AdminRole role = AdminRole::kViewer;
  policy::Sha256 token_sha256{};
};

struct AdminConfig {
  Address address;
  std::vector<std::string> hosts;              // further values of Host that are let in
  std::optional<policy::Sha256> token_sha256;  // of `token`; the token itself is not kept
  std::vector<Person> people;
  bool metrics_need_token = false;
};

// When a line of the record counts as kept.
enum class AuditSync : uint8_t {
  kCall,   // with the kernel: a crash of the process loses nothing
  kBatch,  // in the queue of the writer, which hands it to the kernel within milliseconds
  kDisk,   // decisions: on the disk; other lines as kBatch
};

enum class Protocol : uint8_t { kHttp, kMcp };

// The LLM API whose calls are counted in tokens (llm/README.md).
enum class Meter : uint8_t { kNone, kOpenAi, kAnthropic };

// Where an upstream is reached by one of its URLs.
struct UpstreamSite {
  std::string host;  // a name or an IP address, without brackets
  uint16_t port = 80;
  std::string authority;  // as sent in Host
};

struct UpstreamConfig {
  std::string name;
  Protocol protocol = Protocol::kHttp;
  Meter meter = Meter::kNone;
  std::string host;  // a name or an IP address, without brackets
  uint16_t port = 80;
  std::string unix_path;                // of the socket; then host and port are not used
  std::optional<tls::ClientFiles> tls;  // of https://
  std::string server_name;              // what its certificate must be for, and SNI
  std::string authority;                // as sent in Host
  std::vector<UpstreamSite> others;  // of its further URLs; host, port, authority are the first's
  std::string base_path;             // without trailing slash; for MCP the endpoint itself
  stdio::Command command;            // of a server that reeve starts; without words: there is a URL
  bool events = false;               // the URL is of HTTP+SSE, the older transport
  http::FieldPolicy fields;
  std::chrono::milliseconds timeout{60'000};         // to the answer's first byte
  std::chrono::milliseconds connect_timeout{5'000};  // for all addresses together
  std::chrono::milliseconds answer_idle{60'000};     // between pieces; not of event streams
  size_t connections = 1024;      // in use at once, of each worker; as many calls may wait
  size_t idle_connections = 256;  // kept, of each worker
  bool path_parameters = false;
  std::optional<KeptArguments> arguments;  // of its calls in the record; or as `audit` says
  Place at;

  // Calls go to a connection inside the process, whose other end speaks to the server in its way.
  bool has_face() const { return events || !command.words.empty(); }
};

struct LimitsConfig {
  size_t connections = 10'000;
  size_t agent_calls = 0;  // of one agent at once; 0: three quarters of the connections
  size_t header_bytes = 16 * 1024;
  size_t body_bytes = 8 * 1024 * 1024;  // of bodies that are read; others stream
  std::chrono::milliseconds head{5'000};
  std::chrono::milliseconds body{30'000};  // plus 1 s per 64 KiB received
  std::chrono::milliseconds idle{60'000};
  std::chrono::milliseconds drain{30'000};
  // Of a tunnel: silence in both directions, its whole life, and the bytes of both directions.
  std::chrono::milliseconds tunnel_idle{600'000};
  std::chrono::milliseconds tunnel_time{86'400'000};
  size_t tunnel_bytes = size_t{64} * 1024 * 1024 * 1024;
};

struct AuditConfig {
  std::string path;
  AuditSync sync = AuditSync::kCall;
  uint64_t rotate = uint64_t{100} * 1024 * 1024;     // bytes of a file
  std::chrono::seconds keep{int64_t{400} * 86'400};  // age of a file that is deleted; 0: never
  KeptArguments arguments = KeptArguments::kDigest;
  std::vector<audit::SinkConfig> sinks;
};

// How calls wait for people.
struct ApprovalsConfig {
  // How long a call is held before it is told that it is pending: of legacy MCP without and with a
  // progress token, and of modern MCP, whose client then comes back by itself.
  std::chrono::milliseconds hold_max{50'000};
  std::chrono::milliseconds hold_max_progress{210'000};
  std::chrono::milliseconds leg{45'000};
  std::chrono::milliseconds progress{5'000};  // between signs of life on a stream
  size_t held = 1000;                         // calls that wait on their connection, at once
  size_t held_bytes = 256 * 1024 * 1024;      // of their bodies together
  std::string url;                            // where people answer, for agents and webhooks
};

// Sidecars that share budgets.
struct FleetConfig {
  std::string database;  // URL of PostgreSQL, with its password
  std::string instance;  // this sidecar's name for people
};

struct Config {
  std::string file;
  std::vector<ListenerConfig> listeners;
  std::optional<AdminConfig> admin;
  std::string policy;  // path of a file or folder
  std::string state;   // path of a folder
  AuditConfig audit;
  std::vector<UpstreamConfig> upstreams;
  LimitsConfig limits;
  ApprovalsConfig approvals;
  std::optional<FleetConfig> fleet;
  std::vector<net::Cidr> dial_allow;  // what tunnels may reach besides public addresses
  unsigned threads = 1;
  // How long a worker without work looks for more before it sleeps; 0: not at all.
  std::chrono::microseconds busy_poll{0};

  policy::Wiring wiring() const;
};

// Reads and validates the file; on any error appends to `diagnostics` and returns nothing. Paths in
// the result are relative to the working directory; in the file they are relative to the file.
std::optional<Config> load_config(const std::string& path, Diagnostics& diagnostics);

// The listeners alone: for who calls the sidecar, and need not have what the rest refers to.
std::optional<std::vector<ListenerConfig>> load_listeners(const std::string& path,
                                                          Diagnostics& diagnostics);

// Where the admin side is, and the token that reeve.yaml names for it, for commands that call it.
// The token is empty where there is none, or where what it refers to is not at hand.
struct AdminAccess {
  Address address;
  std::string token;
  bool has_people = false;
};
std::optional<AdminAccess> load_admin_access(const std::string& path, Diagnostics& diagnostics);

}  // namespace reeve

#endif  // REEVE_PROXY_CONFIG_H_
