// The sections of reeve.yaml, a function each: they read their node into the Config.
#ifndef REEVE_PROXY_CONFIG_SECTIONS_H_
#define REEVE_PROXY_CONFIG_SECTIONS_H_

#include "proxy/config/reader.h"

namespace reeve::config {

// These take the whole file: their section must be there.
void read_listeners(Reader& r, const yaml::Node& root, Config& config);
void read_upstreams(Reader& r, const yaml::Node& root, Config& config);

// `arguments: digest | redacted | full`, of the section or of an upstream.
KeptArguments read_kept_arguments(Reader& r, const yaml::Node& node);

void read_sinks(Reader& r, const yaml::Node& node, std::vector<audit::SinkConfig>& sinks);

void read_admin(Reader& r, const yaml::Node& node, Config& config);
void read_audit(Reader& r, const yaml::Node& node, Config& config);
void read_limits(Reader& r, const yaml::Node& node, Config& config);
void read_approvals(Reader& r, const yaml::Node& node, Config& config);
void read_fleet(Reader& r, const yaml::Node& node, Config& config);
void read_dial(Reader& r, const yaml::Node& node, Config& config);
void read_threads(Reader& r, const yaml::Node& node, Config& config);
void read_busy_poll(Reader& r, const yaml::Node& node, Config& config);

}  // namespace reeve::config

#endif  // REEVE_PROXY_CONFIG_SECTIONS_H_
