// See pin.h. Tested by tests/proxy/pin_test.cc.
#include "proxy/mcp/pin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "policy/text.h"

namespace reeve::mcp {

Drift compare(const PinLock& lock, const PinnedTool& tool) {
  const PinnedTool* const pinned = lock.find(tool.name);
  if (!pinned) return {Drift::Kind::kAdded, tool.name, {}};
  if (pinned->digest == tool.digest) return {Drift::Kind::kNone, tool.name, {}};
  Drift drift{Drift::Kind::kChanged, tool.name, {}};
  for (size_t i = 0; i < kPinParts; ++i) {
    if (pinned->parts[i] != tool.parts[i]) drift.parts.push_back(static_cast<PinPart>(i));
  }
  return drift;
}

std::vector<Drift> compare(const PinLock& lock, const PinLock& now) {
  std::vector<Drift> drifts;
  if (lock.instructions != now.instructions) drifts.push_back({Drift::Kind::kChanged, {}, {}});
  for (const PinnedTool& tool : now.tools) {
    Drift drift = compare(lock, tool);
    if (drift.kind != Drift::Kind::kNone) drifts.push_back(std::move(drift));
  }
  for (const PinnedTool& tool : lock.tools) {
    if (!now.find(tool.name)) drifts.push_back({Drift::Kind::kRemoved, tool.name, {}});
  }
  std::sort(drifts.begin(), drifts.end(),
            [](const Drift& a, const Drift& b) { return a.tool < b.tool; });
  return drifts;
}

std::string to_string(const Drift& drift) {
  if (drift.tool.empty()) return "changed the server's instructions";
  const std::string tool = policy::shown(drift.tool);
  switch (drift.kind) {
    case Drift::Kind::kAdded:
      return fmt::format("added `{}`", tool);
    case Drift::Kind::kRemoved:
      return fmt::format("removed `{}`", tool);
    case Drift::Kind::kChanged: {
      std::vector<std::string_view> parts;
      for (const PinPart part : drift.parts) parts.push_back(to_string(part));
      return fmt::format("changed `{}`: {}", tool, fmt::join(parts, ", "));
    }
    case Drift::Kind::kNone:
      break;
  }
  return fmt::format("unchanged `{}`", tool);
}

std::string lock_path(const policy::ServerInfo& server) {
  const size_t slash = server.at.file.rfind('/');
  if (server.pin.starts_with('/') || slash == std::string::npos) return server.pin;
  return server.at.file.substr(0, slash + 1) + server.pin;
}

Result<bool> PinReader::add_page(const json::Value& result, std::string& cursor) {
  cursor.clear();
  if (!result.is_object()) return Error{"the answer to tools/list has no result"};
  const auto tools = result.find("tools");
  if (!tools || !tools->is_array()) return Error{"the answer to tools/list has no list of tools"};
  if (result.has_case_variant("tools") || result.has_case_variant("nextCursor")) {
    return Error{"the answer to tools/list has keys that differ by case alone"};
  }
  for (const json::Value entry : tools->items()) {
    auto tool = pin_tool(entry);
    if (!tool) return tool.error();
    if (tools_.size() >= kToolsMost) {
      return Error{fmt::format("the server lists more than {} tools", kToolsMost)};
    }
    if (!names_.insert(tool->name).second) {
      return Error{fmt::format("the server lists tool `{}` twice", policy::shown(tool->name))};
    }
    std::vector<HiddenText> found;
    find_hidden(tool->name, "name", found);
    for (size_t i = 0; i < kPinParts; ++i) {
      json::Parser parser;
      if (tool->parts[i].empty()) continue;
      find_hidden(*parser.parse(tool->parts[i]), std::string(to_string(static_cast<PinPart>(i))),
                  found);
    }
    for (HiddenText& text : found) hidden_.push_back({tool->name, std::move(text)});
    tools_.push_back(std::move(*tool));
  }
  if (const auto next = result.find("nextCursor"); next && !next->is_null()) {
    std::string scratch;
    if (!next->is_string()) return Error{"`nextCursor` of tools/list is no text"};
    cursor = next->text(scratch);
  }
  return true;
}

std::vector<PinnedTool> PinReader::take() {
  std::sort(tools_.begin(), tools_.end(),
            [](const PinnedTool& a, const PinnedTool& b) { return a.name < b.name; });
  return std::move(tools_);
}

}  // namespace reeve::mcp
