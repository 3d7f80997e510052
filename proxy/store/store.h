// Where the durable marks of the ledger are kept. What a mark means is told in policy/ledger.h.
//
// Implementations block and are used by one thread at a time: Treasury gives them a thread.
#ifndef REEVE_PROXY_STORE_STORE_H_
#define REEVE_PROXY_STORE_STORE_H_

#include <span>
#include <vector>

#include "policy/ledger.h"
#include "policy/result.h"

namespace reeve::store {

struct Done {};

class Store {
 public:
  virtual ~Store() = default;

  // All marks: one per account, of its latest window.
  virtual Result<std::vector<policy::Mark>> load() = 0;

  // Replaces the marks of these accounts, in one transaction. When it succeeds they are on disk; on
  // an error each may or may not be.
  virtual Result<Done> persist(std::span<const policy::MarkWrite> writes) = 0;
};

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_STORE_H_
