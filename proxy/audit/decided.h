// The decision of a recorded call, as the policy sees it: for commands that hold a policy against a
// record.
#ifndef REEVE_PROXY_AUDIT_DECIDED_H_
#define REEVE_PROXY_AUDIT_DECIDED_H_

#include <optional>
#include <string>
#include <string_view>

#include "policy/json.h"
#include "policy/replay.h"
#include "proxy/audit/line.h"

namespace reeve::audit {

// Views of a `decision` line and of this object; valid until the next read().
struct Decided {
  policy::RecordedCall recorded;
  std::string_view id;      // of the call
  std::string_view policy;  // its SHA-256
  bool by_rules = false;    // a rule or the default decided; else a budget, a limit, a fault, …
};

// What kind of call an action is, of `protocol` `http`, `mcp` or, through the forward proxy, none.
policy::Kind kind_of(std::string_view protocol, std::string_view action);

class DecidedReader {
 public:
  // Nothing for a line of another kind, or whose caller was not proven.
  const Decided* read(const Line& line, const json::Value& members);

 private:
  std::string_view text(const json::Value& members, std::string_view name, std::string& scratch);

  Decided decided_;
  std::string call_, agent_, upstream_, protocol_, action_, target_, rule_, policy_, other_;
};

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_DECIDED_H_
