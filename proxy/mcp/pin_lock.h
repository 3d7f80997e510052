// The lock of an MCP server's tools: what they were when a person looked at them.
//
// A JSON file, `UPSTREAM.tools.lock`, written by `reeve pin`: tools by name, members in one order,
// schemas with sorted keys, one member a line, characters that do not show as escapes; so equal
// servers give equal files, and a change is seen in a diff. README.md has its members. Pure: text
// in, text out.
#ifndef REEVE_PROXY_MCP_PIN_LOCK_H_
#define REEVE_PROXY_MCP_PIN_LOCK_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/json.h"
#include "policy/policy_set.h"
#include "policy/result.h"

namespace reeve::mcp {

// What is pinned of a tool beside its name, in the order of the file.
enum class PinPart : uint8_t { kTitle, kDescription, kInputSchema, kOutputSchema, kAnnotations };
inline constexpr size_t kPinParts = 5;
std::string_view to_string(PinPart part);  // the member's name

struct PinnedTool {
  std::string name;
  std::array<std::string, kPinParts> parts;  // canonical JSON (append_canonical); empty: absent
  std::string digest;                        // SHA-256, hex, of the canonical JSON of all of it

  const std::string& part(PinPart which) const { return parts[static_cast<size_t>(which)]; }
};

// A tool as a server lists it. The error says what is wrong with it: no object, no name, a key that
// differs from one of these only by case.
Result<PinnedTool> pin_tool(const json::Value& tool);

struct PinLock {
  std::string upstream;
  std::string server;             // name and version as it said; for people, never compared
  std::string instructions;       // canonical JSON, or empty: absent
  std::vector<PinnedTool> tools;  // by name, each once

  const PinnedTool* find(std::string_view name) const;
};

std::string write_lock(const PinLock& lock);
// Errors are located; a digest that is not of what stands there is one. The path of the file is
// source.name.
std::optional<PinLock> read_lock(const policy::SourceFile& source, Diagnostics& diagnostics);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_PIN_LOCK_H_
