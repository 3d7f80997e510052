// `audit.sinks`: where lines and checkpoints go besides the record itself.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proxy/audit/receiver.h"
#include "proxy/config/sections.h"

namespace reeve::config {
namespace {

using audit::SinkConfig;
using Kind = SinkConfig::Kind;

constexpr size_t kMostSinks = 16;
constexpr size_t kLongestSocketPath = 107;  // unix(7)
constexpr char kForms[] =
    "write `stdout`, `syslog:/dev/log`, `syslog+udp://HOST:PORT`, `syslog+tcp://HOST:PORT` or "
    "`https://HOST/PATH`";

// `HOST:PORT`, also `[::1]:514`.
bool read_host(std::string_view text, SinkConfig& sink) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return false;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), sink.port);
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return false;
  }
  sink.host = std::string(host);
  return ec == std::errc{} && end == digits.data() + digits.size() && sink.port != 0 &&
         host.find_first_of("/@ ") == host.npos;
}

// False: `to` is none of the forms.
bool read_to(Reader& r, std::string_view to, SinkConfig& sink) {
  constexpr std::string_view kLocal = "syslog:", kUdp = "syslog+udp://", kTcp = "syslog+tcp://";
  if (to == "stdout") {
    sink.kind = Kind::kStdout;
    return true;
  }
  if (to.starts_with(kUdp) || to.starts_with(kTcp)) {
    sink.kind = to.starts_with(kUdp) ? Kind::kSyslogUdp : Kind::kSyslogTcp;
    return read_host(to.substr(kUdp.size()), sink);
  }
  if (to.starts_with(kLocal)) {
    sink.kind = Kind::kSyslogLocal;
    sink.to = r.path(std::string(to.substr(kLocal.size())));
    return !sink.to.empty() && sink.to.size() <= kLongestSocketPath;
  }
  sink.kind = Kind::kWebhook;
  sink.to = std::string(to);
  const size_t scheme = to.starts_with("https://") ? 8 : to.starts_with("http://") ? 7 : 0;
  const bool blank = std::any_of(to.begin(), to.end(), [](char c) { return c <= ' ' || c == 127; });
  const std::string_view authority =
      to.substr(scheme, std::min(to.find('/', scheme), to.size()) - scheme);
  return scheme > 0 && !blank && !authority.empty() && authority.find('@') == to.npos;
}

const char* usual_name(Kind kind) {
  return kind == Kind::kStdout ? "stdout" : kind == Kind::kWebhook ? "webhook" : "syslog";
}

bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

void read_content(Reader& r, const yaml::Node& node, SinkConfig& sink) {
  const std::string word = r.text(node);
  sink.lines = word != "checkpoints";
  sink.checkpoints = word != "lines";
  if (word == "all" || word == "lines" || word == "checkpoints") return;
  r.error(
      node.mark,
      fmt::format("`{}` is no value of `content`; write `all`, `lines` or `checkpoints`", word));
}

void check_together(Reader& r, const yaml::Node& node, const SinkConfig& sink) {
  if (sink.kind != Kind::kWebhook && (!sink.secret.empty() || !sink.ca.empty())) {
    r.error(node.mark, "`secret` and `ca` are of a webhook; remove them");
  }
  if (!sink.required) return;
  if (sink.kind == Kind::kSyslogUdp) {
    r.error(node.mark,
            "nothing tells whether a datagram arrived, so this sink cannot be `required`; use "
            "syslog+tcp:// or a webhook");
  }
  if (!sink.lines) {
    r.error(node.mark, "a `required` sink must get lines: write `content: all` or `lines`");
  }
}

}  // namespace

namespace {

void read_sink(Reader& r, const yaml::Node& node, std::vector<SinkConfig>& sinks) {
  if (!r.keys(node, "a sink",
              {{"name", "to", "secret", "ca", "content", "required", "timeout", "batch"}, {}})) {
    return;
  }
  const yaml::Node* to = node.find("to");
  if (to == nullptr) {
    r.error(node.mark, fmt::format("a sink needs `to`; {}", kForms));
    return;
  }
  SinkConfig sink;
  const std::string where = r.text(*to);
  if (!read_to(r, where, sink)) {
    r.error(to->mark, fmt::format("`{}` is no place for lines; {}", where, kForms));
  }
  const yaml::Node* name = node.find("name");
  sink.name = name ? r.text(*name) : usual_name(sink.kind);
  const yaml::Mark& mark = name ? name->mark : node.mark;
  if (!is_plain(sink.name)) {
    r.error(mark, fmt::format("`{}` is no name for a sink; use letters, digits, `-`, `_` and `.`, "
                              "at most 64",
                              sink.name));
  }
  if (const auto* v = node.find("secret")) {
    sink.secret = r.text(*v);
    if (audit::webhook_key(sink.secret).size() < 16) {
      r.error(v->mark, "`secret` must have 16 bytes or more; behind `whsec_` it is in base64");
    }
  }
  if (const auto* v = node.find("ca")) sink.ca = r.path(r.text(*v));
  if (const auto* v = node.find("content")) read_content(r, *v, sink);
  if (const auto* v = node.find("required")) sink.required = r.boolean(*v);
  if (const auto* v = node.find("timeout")) sink.timeout = r.duration(*v);
  if (const auto* v = node.find("batch")) sink.batch = r.number(*v, 1, 10'000);
  check_together(r, node, sink);
  for (const SinkConfig& other : sinks) {
    if (other.name == sink.name) {
      r.error(mark,
              fmt::format("two sinks are called `{}`; give each a `name` of its own", sink.name));
    } else if (other.kind == Kind::kStdout && sink.kind == Kind::kStdout) {
      r.error(node.mark, "standard output is a sink already; name it once");
    }
  }
  sinks.push_back(std::move(sink));
}

}  // namespace

void read_sinks(Reader& r, const yaml::Node& node, std::vector<SinkConfig>& sinks) {
  if (!node.is_sequence() || node.items.size() > kMostSinks) {
    r.error(node.mark, fmt::format("`sinks` must be a list, of at most {}: `sinks: [{{to: "
                                   "stdout}}]`",
                                   kMostSinks));
    return;
  }
  for (const yaml::Node& item : node.items) read_sink(r, item, sinks);
}

}  // namespace reeve::config
