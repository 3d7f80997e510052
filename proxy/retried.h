// Retries that carry an idempotency key count once (`Idempotency-Key`, IETF
// draft-ietf-httpapi-idempotency-key-header), on upstreams that honour them.
#ifndef REEVE_PROXY_RETRIED_H_
#define REEVE_PROXY_RETRIED_H_

#include "policy/retries.h"
#include "proxy/clock.h"
#include "proxy/exchange.h"

namespace reeve {

// What a call with a key is. Its end without answered() forgets the key: the next attempt is then
// charged as the first.
class Retried {
 public:
  Retried(policy::Retries& retries, const policy::Sha256& key, bool is_retry, bool remembered)
      : retries_(retries), key_(key), is_retry_(is_retry), open_(remembered) {}
  ~Retried() {
    if (open_) retries_.released(key_);
  }
  Retried(const Retried&) = delete;
  Retried& operator=(const Retried&) = delete;

  // It is charged already: by the first attempt.
  bool is_retry() const { return is_retry_; }
  // It is charged in full, whatever becomes of it now; `begun`: when it came.
  void answered(Steady begun) {
    if (open_) retries_.charged(key_, begun);
    open_ = false;
  }

 private:
  policy::Retries& retries_;
  const policy::Sha256 key_;
  const bool is_retry_;
  bool open_;
};

// Whether the body must be read because the call has a key that counts.
bool uses_key(const Exchange& exchange);

// Sets exchange.retried for a call with a key. False: refused, because the same key came with
// another call (422), its first attempt is under way (409), or it is none (400). The body must have
// been read where uses_key().
bool recognise_retry(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_RETRIED_H_
