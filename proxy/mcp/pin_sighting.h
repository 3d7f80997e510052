// What one listing shows of a server's tools, beside their lock. Pure.
#ifndef REEVE_PROXY_MCP_PIN_SIGHTING_H_
#define REEVE_PROXY_MCP_PIN_SIGHTING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/json.h"
#include "proxy/mcp/pin.h"

namespace reeve::mcp {

class Sighting {
 public:
  static constexpr size_t kAddedMost =
      1000;  // of those that the lock does not have; more are equal

  enum class Shown : uint8_t { kNot, kSame, kOther };
  struct Tool {
    Shown shown = Shown::kNot;
    std::string digest;          // of what was shown instead; or why that is no tool
    std::vector<PinPart> parts;  // what is other
  };
  struct Added {
    std::string name, digest;
  };

  // The lock must outlive this.
  explicit Sighting(const PinLock& lock) : lock_(lock), tools_(lock.tools.size()) {}

  // An entry of a list; `name` is what it says as `name`. Whether it is as pinned. Of a tool that
  // is shown twice the worse counts.
  bool see(std::string_view name, const json::Value& entry);
  // `result` is that of one tools/list: sees its entries. The error says what is wrong with it;
  // what was seen before that counts. `cursor`: nextCursor, or empty at the end.
  Result<bool> see_page(const json::Value& result, std::string& cursor);

  const PinLock& lock() const { return lock_; }
  const std::vector<Tool>& tools() const { return tools_; }  // as in the lock
  const std::vector<Added>& added() const { return added_; }

 private:
  const PinLock& lock_;
  std::vector<Tool> tools_;
  std::vector<Added> added_;
};

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_PIN_SIGHTING_H_
