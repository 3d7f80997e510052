// What a person says on the admin side with a POST that changes something, and who it is.
#ifndef REEVE_PROXY_ADMIN_SAID_H_
#define REEVE_PROXY_ADMIN_SAID_H_

#include <string>

#include "policy/result.h"
#include "proxy/admin.h"

namespace reeve {

struct Said {
  std::string as, why;
  bool dry_run = false;  // only tell what would happen
};

// Of a body {"as": PERSON, "why": TEXT, "dry_run": true}, all optional, the last where it
// `rehearses`; an empty body says nothing. The error is a sentence for who sent it.
Result<Said> read_said(const std::string& body, bool rehearses);

// Whose word it is; an error where that cannot be told.
Result<std::string> person_of(const AdminCall& call, const Said& said);

}  // namespace reeve

#endif  // REEVE_PROXY_ADMIN_SAID_H_
