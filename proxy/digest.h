// SHA-256 (FIPS 180-4) of tokens, arguments and lines of the record.
#ifndef REEVE_PROXY_DIGEST_H_
#define REEVE_PROXY_DIGEST_H_

#include <string_view>

#include "policy/policy_set.h"

namespace reeve {

// Of `text` and `rest` together. Thread-safe.
policy::Sha256 sha256(std::string_view text, std::string_view rest = {});

}  // namespace reeve

#endif  // REEVE_PROXY_DIGEST_H_
