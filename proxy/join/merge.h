// The answers of several upstreams become one. Pure.
#ifndef REEVE_PROXY_JOIN_MERGE_H_
#define REEVE_PROXY_JOIN_MERGE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/mcp/list_filter.h"
#include "proxy/mcp/message.h"

namespace reeve::join {

// What one upstream has said, in the order of reeve.yaml.
struct Said {
  std::string upstream;
  std::string message;  // a JSON-RPC answer; empty: none came
};

// A page of each upstream, all at once; where an upstream has more, its cursor is in `cursors`.
// Entries keep their bytes but for the name. One whose name is no text, comes twice from one
// upstream or would be too long to be called is left out. Returns the result's member.
using Cursors = std::vector<std::pair<std::string, std::string>>;  // upstream and its cursor
std::string merge_lists(mcp::List list, std::span<const Said> parts, Cursors& cursors);

// Cursors as one text, and back; nothing when it is not one.
std::string write_cursors(const Cursors& cursors);
std::optional<Cursors> read_cursors(std::string_view text);

// What the servers can do together, of `capabilities` objects as JSON. What reeve itself adds:
// lists change when a server comes or goes, so `listChanged` is always said in the legacy era.
struct Introduction {
  std::string upstream;
  std::string capabilities;
  std::string instructions;
};
std::string merge_capabilities(std::span<const Introduction> parts, mcp::Era era);
// Each upstream's under a line that names it; empty when none has any.
std::string merge_instructions(std::span<const Introduction> parts);

// The first answer that is an error, with `id` in place of its own; empty: there is none.
std::string first_error(std::span<const Said> parts, std::string_view id);

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_MERGE_H_
