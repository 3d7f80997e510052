// Who asks the admin side.
#ifndef REEVE_PROXY_ADMIN_CALLER_H_
#define REEVE_PROXY_ADMIN_CALLER_H_

#include <string>

#include "proxy/config.h"

namespace reeve {

struct AdminCaller {
  AdminRole role = AdminRole::kViewer;
  std::string person;  // empty: the admin token
};

}  // namespace reeve

#endif  // REEVE_PROXY_ADMIN_CALLER_H_
