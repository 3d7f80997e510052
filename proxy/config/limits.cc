// `limits`, `dial`, `threads` and `busy_poll`: how much, how long, how far.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "proxy/config/sections.h"

namespace reeve::config {

void read_limits(Reader& r, const yaml::Node& node, Config& config) {
  if (!r.keys(node, "`limits`",
              {{"connections", "agent_calls", "header_bytes", "body_bytes", "head", "body", "idle",
                "drain", "tunnel_idle", "tunnel_time", "tunnel_bytes"},
               {}})) {
    return;
  }
  LimitsConfig& to = config.limits;
  if (const auto* v = node.find("connections")) to.connections = r.number(*v, 1, 1'000'000);
  if (const auto* v = node.find("agent_calls")) to.agent_calls = r.number(*v, 1, 1'000'000);
  if (const auto* v = node.find("header_bytes")) to.header_bytes = r.bytes(*v, 1024);
  if (const auto* v = node.find("body_bytes")) to.body_bytes = r.bytes(*v, 1024);
  if (const auto* v = node.find("head")) to.head = r.duration(*v);
  if (const auto* v = node.find("body")) to.body = r.duration(*v);
  if (const auto* v = node.find("idle")) to.idle = r.duration(*v);
  if (const auto* v = node.find("drain")) to.drain = r.duration(*v);
  if (const auto* v = node.find("tunnel_idle")) to.tunnel_idle = r.duration(*v);
  if (const auto* v = node.find("tunnel_time")) to.tunnel_time = r.duration(*v);
  if (const auto* v = node.find("tunnel_bytes")) to.tunnel_bytes = r.bytes(*v, 1024);
}

void read_dial(Reader& r, const yaml::Node& node, Config& config) {
  if (!r.keys(node, "`dial`", {{"allow"}, {}})) return;
  const yaml::Node* allow = node.find("allow");
  if (allow == nullptr) return;
  if (!allow->is_sequence()) {
    return r.error(allow->mark, "`allow` must be a list of ranges, such as [10.1.0.0/16]");
  }
  for (const yaml::Node& item : allow->items) {
    const std::string value = r.text(item);
    if (const auto range = net::Cidr::parse(value)) {
      config.dial_allow.push_back(*range);
    } else {
      r.error(item.mark, fmt::format("`{}` is no range of addresses; write its first address and "
                                     "the length of its prefix, such as 10.1.0.0/16 or fd00::/8",
                                     value));
    }
  }
}

void read_threads(Reader& r, const yaml::Node& node, Config& config) {
  const size_t found = r.number(node, 0, 256);
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  config.threads = static_cast<unsigned>(found != 0 ? found : std::max(1L, cores));
}

// Longer than a wake-up takes, it would only burn its core.
void read_busy_poll(Reader& r, const yaml::Node& node, Config& config) {
  constexpr std::string_view kUnit = "us";
  constexpr uint64_t kMost = 10'000;
  const std::string value = r.text(node);
  uint64_t number = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (ec != std::errc{} || std::string_view(end, value.data() + value.size()) != kUnit ||
      number > kMost) {
    r.error(node.mark, fmt::format("`{}` is no time to look for work; write microseconds up to "
                                   "{}, such as 50us, or 0us for none",
                                   value, kMost));
    return;
  }
  config.busy_poll = std::chrono::microseconds(number);
}

}  // namespace reeve::config
