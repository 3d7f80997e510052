// What examines texts for guards: one set for each worker, since its tables grow with what they
// see.
#ifndef REEVE_PROXY_GUARD_TOOLS_H_
#define REEVE_PROXY_GUARD_TOOLS_H_

#include <string>

#include "policy/guard.h"
#include "policy/json.h"

namespace reeve {

// For one thread; whoever uses it is done with it before waiting for anything.
struct GuardTools {
  policy::GuardExaminer examiner;
  json::Parser json;
  std::string out;
};

}  // namespace reeve

#endif  // REEVE_PROXY_GUARD_TOOLS_H_
