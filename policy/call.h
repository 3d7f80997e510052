// One governed request as the policy sees it: who is known to the caller of decide(), this is what
// is done, on what, with which values. Views only; the caller keeps everything alive.
#ifndef REEVE_POLICY_CALL_H_
#define REEVE_POLICY_CALL_H_

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "policy/json.h"
#include "policy/tokens.h"

namespace reeve::policy {

using Time = std::chrono::sys_time<std::chrono::microseconds>;

// Header or query field as received; header names compare case-insensitively.
struct Field {
  std::string_view name;
  std::string_view value;
  uint8_t known = 0;  // of proxy/http/field_name.h, which looks at a name once; 0: not yet
};

// Which selector of the language speaks about this call.
enum class Kind : uint8_t {
  kTool,      // tools: target is the tool's name
  kResource,  // resources: target is the URI
  kPrompt,    // prompts: target is the prompt's name
  kHttp,      // http: action is the method, target the normalised, decoded path (path.h)
  kConnect,   // connect: target is host:port, the host in lower case; upstream is empty
  kModel,     // models: target is the model's name
  kMethod,    // methods: any other MCP method, action names it, target is empty
};

struct Call {
  std::string_view upstream;
  Kind kind = Kind::kHttp;
  std::string_view action;  // HTTP method, or the MCP method (tools/call)
  std::string_view target;
  const json::Value* args = nullptr;  // tool arguments or JSON body; null when absent
  bool args_unread = false;  // a body is there that is not read as JSON: its values are in doubt
  std::string_view query;    // raw, without '?'
  std::span<const Field> headers;
  std::string_view model;  // of a call on an upstream metered as an LLM API; empty when absent
  // Of kModel, for PolicySet::spend(): what the call can take, or has taken, which counts.
  const TokenBounds* tokens = nullptr;
  const TokenUsage* usage = nullptr;
  Time time{};  // now
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_CALL_H_
