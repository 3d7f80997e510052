// `reeve pin UPSTREAM`: asks an MCP server what its tools are, shows what is other than in the
// lock, and writes the lock, whole or not at all.
#include "proxy/mcp/pin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "policy/text.h"
#include "proxy/commands/arguments.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/pin_client.h"
#include "proxy/commands/policy_source.h"
#include "proxy/policy_files.h"

namespace reeve::commands {

namespace {

constexpr Option kOptions[] = {
    {"-c", "reeve.yaml", "where the server is, and its credential; reeve.yaml without it"},
    {"-o", "FILE", "the lock; else what `pin` of the policy's `servers` names"},
    {"--check", "", "writes nothing; exits with 1 when the lock differs"},
    {"--json", "", "one JSON object"},
};
constexpr Synopsis kSynopsis = {
    "pin", "[-c reeve.yaml] [-o FILE] [--check] [--json] UPSTREAM",
    "Asks an MCP server for its tools and writes their lock, to be reviewed and kept beside the "
    "policy.\nShows what changed, and what is hidden in names, descriptions and schemas. Exits "
    "with 0, or 1\nwhen the server or the lock cannot be read.",
    kOptions, true};

// The file that the policy names for this upstream, or `UPSTREAM.tools.lock` beside the policy.
std::optional<std::string> lock_path(const Config& config, const std::string& upstream,
                                     Diagnostics& diagnostics) {
  WiringSource wiring;
  wiring.config = config;
  const auto policy = load_policy(config.policy, wiring, diagnostics);
  if (!policy) return std::nullopt;
  if (const policy::ServerInfo* server = policy->server(upstream); server && !server->pin.empty()) {
    return mcp::lock_path(*server);
  }
  std::error_code ignored;
  std::filesystem::path folder = config.policy;
  if (!std::filesystem::is_directory(folder, ignored)) folder = folder.parent_path();
  return (folder / (upstream + ".tools.lock")).string();
}

// Written beside it, synced, and renamed, so that a reader sees the old lock or the new one.
std::optional<std::string> write_whole(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  const auto failed = [&] {
    const std::string why = fmt::format("{}: {}", path, std::strerror(errno));
    ::unlink(temporary.c_str());
    return why;
  };
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0) return fmt::format("{}: {}", path, std::strerror(errno));
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(file, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      ::close(file);
      return failed();
    }
    done += static_cast<size_t>(n);
  }
  const bool synced = ::fsync(file) == 0;
  if (::close(file) != 0 || !synced || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return failed();
  }
  return std::nullopt;
}

std::string describe(const mcp::PinReader::Hidden& hidden) {
  const std::string of =
      hidden.tool.empty() ? "of the server" : fmt::format("of `{}`", policy::shown(hidden.tool));
  return fmt::format("{} in `{}` {} ({} of them, the first U+{:04X})",
                     mcp::to_string(hidden.text.kind), hidden.text.where, of, hidden.text.count,
                     hidden.text.code_point);
}

struct Outcome {
  std::string path;
  bool had_lock = false;
  bool written = false;
  std::vector<mcp::Drift> drifts;
};

void print_json(const ServerTools& tools, const Outcome& outcome) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    json::append_string(out, text);
    return out;
  };
  std::string drifts;
  for (const mcp::Drift& drift : outcome.drifts) {
    std::string parts;
    for (const mcp::PinPart part : drift.parts) {
      parts += (parts.empty() ? "" : ",") + quoted(mcp::to_string(part));
    }
    const char* const kind = drift.kind == mcp::Drift::Kind::kAdded     ? "added"
                             : drift.kind == mcp::Drift::Kind::kRemoved ? "removed"
                                                                        : "changed";
    drifts += fmt::format("{}{{\"tool\":{},\"kind\":\"{}\",\"parts\":[{}]}}",
                          drifts.empty() ? "" : ",", quoted(drift.tool), kind, parts);
  }
  std::string hidden;
  for (const mcp::PinReader::Hidden& one : tools.hidden) {
    hidden += fmt::format(
        "{}{{\"tool\":{},\"where\":{},\"kind\":{},\"code_point\":\"U+{:04X}\",\"count\":{}}}",
        hidden.empty() ? "" : ",", quoted(one.tool), quoted(one.text.where),
        quoted(mcp::to_string(one.text.kind)), one.text.code_point, one.text.count);
  }
  fmt::print(
      "{{\"upstream\":{},\"lock\":{},\"protocol\":{},\"server\":{},\"tools\":{},\"written\":{},"
      "\"changes\":[{}],\"hidden\":[{}]}}\n",
      quoted(tools.lock.upstream), quoted(outcome.path), quoted(tools.protocol),
      quoted(tools.lock.server), tools.lock.tools.size(), outcome.written, drifts, hidden);
}

void print_text(const ServerTools& tools, const Outcome& outcome) {
  fmt::print(
      "{}: {} tools of {} ({})\n", tools.lock.upstream, tools.lock.tools.size(),
      tools.lock.server.empty() ? "a server without a name" : policy::shown(tools.lock.server),
      tools.protocol);
  if (outcome.had_lock) {
    for (const mcp::Drift& drift : outcome.drifts) fmt::print("  {}\n", to_string(drift));
    if (outcome.drifts.empty()) fmt::print("  nothing changed\n");
  }
  for (const mcp::PinReader::Hidden& hidden : tools.hidden) {
    fmt::print("  hidden: {}\n", describe(hidden));
  }
  if (outcome.written) fmt::print("wrote {}; review it before you commit it\n", outcome.path);
}

// The lock that is there, if any; nothing on an error.
std::optional<mcp::PinLock> read_old(const std::string& path, bool& is_there,
                                     Diagnostics& diagnostics) {
  struct stat status{};
  is_there = ::stat(path.c_str(), &status) == 0 || errno != ENOENT;
  if (!is_there) return mcp::PinLock{};
  const auto source = read_source_file(path, diagnostics);
  if (!source) return std::nullopt;
  return mcp::read_lock(*source, diagnostics);
}

}  // namespace

int pin(std::vector<std::string> words) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, words, exit_code);
  if (!arguments) return exit_code;
  if (arguments->files().size() != 1) return usage_error("pin", "name one upstream");
  const std::string name = arguments->files()[0];
  Diagnostics diagnostics;
  const auto failed = [&](std::string_view why = {}) {
    print_errors(diagnostics);
    if (!why.empty()) fmt::print(stderr, "reeve pin: {}\n", why);
    return 1;
  };
  const auto config = load_config(arguments->find("-c").value_or("reeve.yaml"), diagnostics);
  if (!config) return failed();
  const auto upstream =
      std::find_if(config->upstreams.begin(), config->upstreams.end(),
                   [&](const UpstreamConfig& known) { return known.name == name; });
  if (upstream == config->upstreams.end() || upstream->protocol != Protocol::kMcp) {
    std::vector<std::string> known;
    for (const UpstreamConfig& other : config->upstreams) {
      if (other.protocol == Protocol::kMcp) known.push_back(other.name);
    }
    const std::string near = nearest(name, known);
    return usage_error("pin", fmt::format("{} has no MCP upstream `{}`{}", config->file, name,
                                          near.empty() ? "" : "; did you mean `" + near + "`?"));
  }
  Outcome outcome;
  if (const auto path = arguments->find("-o")) {
    outcome.path = *path;
  } else if (const auto from_policy = lock_path(*config, name, diagnostics)) {
    outcome.path = *from_policy;
  } else {
    return failed();
  }
  std::signal(SIGPIPE, SIG_IGN);  // a server that is started may end while it is written to
  const auto tools = ask_for_tools(*config, *upstream, upstream->timeout);
  if (!tools) return failed(fmt::format("{}: {}", name, tools.error().message));
  const auto old = read_old(outcome.path, outcome.had_lock, diagnostics);
  const bool check = arguments->has("--check");
  // A lock that cannot be read is no reason not to write a good one; to compare with it is.
  if (!old && check) return failed();
  if (!old) print_errors(diagnostics);
  outcome.had_lock = outcome.had_lock && old.has_value();
  if (old) outcome.drifts = mcp::compare(*old, tools->lock);
  if (!check) {
    const auto wrong = write_whole(outcome.path, mcp::write_lock(tools->lock));
    if (wrong) return failed(*wrong);
    outcome.written = true;
  }
  arguments->has("--json") ? print_json(*tools, outcome) : print_text(*tools, outcome);
  return check && (!outcome.drifts.empty() || !outcome.had_lock) ? 1 : 0;
}

}  // namespace reeve::commands
