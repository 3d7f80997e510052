// /v1/approvals: what people see and say.
#ifndef REEVE_PROXY_APPROVALS_ADMIN_H_
#define REEVE_PROXY_APPROVALS_ADMIN_H_

#include "proxy/admin.h"
#include "proxy/approvals/desk.h"

namespace reeve::approvals {

// GET /v1/approvals[?all=true], GET /v1/approvals/ID, POST /v1/approvals/ID/approve|deny with an
// optional body {"as": PERSON, "why": TEXT}. Who may say yes is the policy's to tell; `as` is for
// the admin token, where reeve.yaml names no people. `desk` outlives it.
net::Task<AdminReply> serve_admin(Desk& desk, Desk::Policy policy, AdminCall call);

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_ADMIN_H_
