// `audit`: where the record is, when a line counts as kept, how long files are.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proxy/config/sections.h"

namespace reeve::config {
namespace {

// `400d`, or `never`: 0.
std::chrono::seconds age(Reader& r, const yaml::Node& node) {
  const std::string value = r.text(node);
  static constexpr struct {
    std::string_view unit;
    int64_t seconds;
  } kUnits[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};
  if (value == "never") return {};
  uint32_t number = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string_view unit(end, value.data() + value.size());
  for (const auto& known : kUnits) {
    if (ec == std::errc{} && number > 0 && unit == known.unit) {
      return std::chrono::seconds(number * known.seconds);
    }
  }
  r.error(node.mark, fmt::format("`{}` is no age; write a number and s, m, h or d, such as 400d, "
                                 "or `never`",
                                 value));
  return {};
}

}  // namespace

KeptArguments read_kept_arguments(Reader& r, const yaml::Node& node) {
  const std::string word = r.text(node);
  if (const auto kept = kept_arguments(word)) return *kept;
  r.error(node.mark, fmt::format("`{}` is no value of `arguments`; write `digest`, `redacted` or "
                                 "`full`",
                                 word));
  return KeptArguments::kDigest;
}

void read_audit(Reader& r, const yaml::Node& node, Config& config) {
  if (!r.keys(node, "`audit`",
              {{"path", "sync", "arguments", "rotate", "keep", "anchor", "sinks"}, {}})) {
    return;
  }
  AuditConfig& to = config.audit;
  if (const auto* v = node.find("path")) to.path = r.path(r.text(*v));
  if (const auto* v = node.find("rotate")) to.rotate = r.bytes(*v, size_t{64} * 1024);
  if (const auto* v = node.find("keep")) to.keep = age(r, *v);
  if (const auto* v = node.find("sync")) {
    const std::string value = r.text(*v);
    static constexpr struct {
      std::string_view name;
      AuditSync sync;
    } kModes[] = {
        {"call", AuditSync::kCall}, {"batch", AuditSync::kBatch}, {"disk", AuditSync::kDisk}};
    const auto* mode = std::find_if(std::begin(kModes), std::end(kModes),
                                    [&](const auto& m) { return m.name == value; });
    if (mode == std::end(kModes)) {
      r.error(v->mark,
              fmt::format("`{}` is no value of `sync`; write `call`, `batch` or `disk`", value));
    } else {
      to.sync = mode->sync;
    }
  }
  if (const auto* v = node.find("anchor")) {
    const std::string value = r.text(*v);
    if (value == "stdout") {
      to.sinks.push_back(
          {.name = "anchor", .kind = audit::SinkConfig::Kind::kStdout, .lines = false});
    }
    if (value != "stdout" && value != "none") {
      r.error(v->mark,
              fmt::format("`{}` is no value of `anchor`; write `stdout` or `none`", value));
    }
  }
  if (const auto* v = node.find("sinks")) read_sinks(r, *v, to.sinks);
  if (const auto* v = node.find("arguments")) to.arguments = read_kept_arguments(r, *v);
}

}  // namespace reeve::config
