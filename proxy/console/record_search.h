// What people ask the record by the admin side: GET /v1/audit and GET /v1/activity.
//
// Both go from the newest line back, stop after some seconds and say how far they came. They read
// files: to be called beside the event loops.
#ifndef REEVE_PROXY_CONSOLE_RECORD_SEARCH_H_
#define REEVE_PROXY_CONSOLE_RECORD_SEARCH_H_

#include <string>
#include <string_view>

#include "policy/call.h"
#include "proxy/admin.h"

namespace reeve::console {

// `{"lines":[…],"complete":true}`, newest first. `query` may say agent, team, upstream, target (or
// tool), decision, reason, rule, call, kind, each also several times; since, until, text, limit
// (100; at most 500) and before (a seq). Where there may be more, `next` is what to say as
// `before`.
AdminReply search_record(const std::string& audit_path, std::string_view query, policy::Time now);

// What agents did and which rules decided, `since` (1h without it; at most 31d) until now, in 60
// steps: `{"from","until","complete","agents":[{"agent","allowed":[…],"refused":[…],"spent":[…],
// "last"}],"rules":[{"rule","count","last"}],"by_default"}`. Where it is not complete, `from` is
// how far it came.
AdminReply read_activity(const std::string& audit_path, std::string_view query, policy::Time now);

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_RECORD_SEARCH_H_
