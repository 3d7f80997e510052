// What an agent may not use, it does not see: lists filtered in place, byte for byte otherwise.
#ifndef REEVE_PROXY_MCP_LIST_FILTER_H_
#define REEVE_PROXY_MCP_LIST_FILTER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "policy/json.h"

namespace reeve::mcp {

enum class List : uint8_t { kTools, kResources, kResourceTemplates, kPrompts, kTasks };

// Which list a method asks for, if any: tools/list, resources/list, resources/templates/list,
// prompts/list, tasks/list.
bool list_of_method(std::string_view method, List& list);

// `name`: the tool's or prompt's name, the resource's URI or the template's URI template, the id of
// the task, unescaped.
using Visible = std::function<bool(List list, std::string_view name)>;

// Whoever looks at what a server says of itself while its message is filtered.
class Onlooker {
 public:
  virtual ~Onlooker() = default;
  // A result with a list or with `instructions`, before anything in it.
  virtual void sees_result(const json::Value& result) = 0;
  // An entry with a name, visible or not. False hides it.
  virtual bool keeps(List list, std::string_view name, const json::Value& entry) = 0;
  // The member `instructions`, whatever it is. False: it leaves as "".
  virtual bool keeps_instructions(const json::Value& value) = 0;
};

enum class Filtered : uint8_t {
  kUnchanged,  // not a list, or nothing to hide: forward the bytes as they are
  kChanged,    // `out` holds the message without the hidden entries, other bytes unchanged
  kInvalid,    // not one strict JSON object, or a list with a nameless entry: do not forward
};

// Looks at one JSON-RPC message from an upstream. A response whose result has a list member
// (`tools`, `resources`, `resourceTemplates`, `prompts`, `tasks`: arrays) is filtered by its shape,
// whatever asked for it, so that a replayed or forged answer shows no more than the real one. The
// price: a tool's result with such an array beside its `content` loses the entries that name what
// is hidden (entries without a name stay there, and make nothing invalid). A list's `cacheScope`
// leaves as "private" even when nothing was hidden from this agent (2026-07-28); nextCursor and
// unknown members stay. Keys equal but for case to one looked at: kInvalid, or, in an entry,
// hidden. So is what a task came to, which stands in its `result` (tasks/get, notifications/tasks).
// `out` is written only with kChanged. `onlooker` may be null; with one, keys equal but for case to
// `instructions` are kInvalid, too.
Filtered filter_message(json::Parser& parser, std::string_view message, const Visible& visible,
                        std::string& out, Onlooker* onlooker = nullptr);
// The same for a message that has been read: `root` is an object that is the whole of `message`.
Filtered filter_message(const json::Value& root, std::string_view message, const Visible& visible,
                        std::string& out, Onlooker* onlooker = nullptr);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_LIST_FILTER_H_
