// See pin_sighting.h. Tested by tests/proxy/pin_sighting_test.cc.
#include "proxy/mcp/pin_sighting.h"

namespace reeve::mcp {

bool Sighting::see(std::string_view name, const json::Value& entry) {
  const PinnedTool* const pinned = lock_.find(name);
  const Result<PinnedTool> tool = pin_tool(entry);
  const std::string& digest = tool ? tool->digest : tool.error().message;
  if (!pinned) {
    if (added_.size() < kAddedMost) added_.push_back({std::string(name), digest});
    return false;
  }
  Tool& seen = tools_[static_cast<size_t>(pinned - lock_.tools.data())];
  if (tool && tool->digest == pinned->digest) {
    if (seen.shown == Shown::kNot) seen.shown = Shown::kSame;
    return true;
  }
  if (seen.shown == Shown::kOther) return false;  // the first that is other is the one to be told
  seen.shown = Shown::kOther;
  seen.digest = digest;
  if (tool) seen.parts = compare(lock_, *tool).parts;
  return false;
}

Result<bool> Sighting::see_page(const json::Value& result, std::string& cursor) {
  cursor.clear();
  const auto tools = result.find("tools");
  if (!tools || !tools->is_array()) return Error{"the answer to tools/list has no list of tools"};
  if (result.has_case_variant("tools") || result.has_case_variant("nextCursor")) {
    return Error{"the answer to tools/list has keys that differ by case alone"};
  }
  std::string scratch;
  for (const json::Value entry : tools->items()) {
    const auto name = entry.is_object() ? entry.find("name") : std::nullopt;
    if (!name || !name->is_string()) return Error{"the server lists a tool without a name"};
    see(name->text(scratch), entry);
  }
  if (const auto next = result.find("nextCursor"); next && !next->is_null()) {
    if (!next->is_string()) return Error{"`nextCursor` of tools/list is no text"};
    cursor = next->text(scratch);
  }
  return true;
}

}  // namespace reeve::mcp
