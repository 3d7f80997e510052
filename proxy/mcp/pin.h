// Drift: what a server lists now beside its lock.
#ifndef REEVE_PROXY_MCP_PIN_H_
#define REEVE_PROXY_MCP_PIN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/json.h"
#include "policy/policy_set.h"
#include "policy/result.h"
#include "proxy/mcp/pin_lock.h"
#include "proxy/mcp/pin_text.h"

namespace reeve::mcp {

struct Drift {
  enum class Kind : uint8_t { kNone, kAdded, kRemoved, kChanged };
  Kind kind = Kind::kNone;
  std::string tool;            // empty: the server's instructions
  std::vector<PinPart> parts;  // of kChanged; of the instructions none
};

// One tool beside its lock.
Drift compare(const PinLock& lock, const PinnedTool& tool);
// Everything beside everything, in order of names.
std::vector<Drift> compare(const PinLock& lock, const PinLock& now);
// "changed `send`: description, inputSchema"
std::string to_string(const Drift& drift);

// A server's tools, page by page.
class PinReader {
 public:
  static constexpr size_t kToolsMost = 10'000;

  // The `result` of one tools/list. The error says what is wrong with it: no list, a tool that
  // cannot be pinned, a name twice, too many. `cursor`: nextCursor, or empty at the end.
  Result<bool> add_page(const json::Value& result, std::string& cursor);
  // What is hidden in names, titles, descriptions and schemas, each with the tool before it.
  struct Hidden {
    std::string tool;
    HiddenText text;
  };
  const std::vector<Hidden>& hidden() const { return hidden_; }
  // The tools by name; once.
  std::vector<PinnedTool> take();

 private:
  std::vector<PinnedTool> tools_;
  std::unordered_set<std::string> names_;
  std::vector<Hidden> hidden_;
};

// The path of a server's lock: as written, relative to the file that names it. Requires a `pin`.
std::string lock_path(const policy::ServerInfo& server);

// A lock and the upstream that it is of.
struct LockOf {
  std::string upstream;
  const PinLock* lock = nullptr;
};

// Warnings about rules of the policy that name tools, or arguments of tools, which the locks do not
// have: of rules that cover upstreams with locks alone. Schemas are followed as far as they are
// plain (properties, items); what is behind $ref, anyOf and the like is taken to exist.
void check_against_locks(const policy::PolicySet& policy, const std::vector<LockOf>& locks,
                         Diagnostics& diagnostics);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_PIN_H_
