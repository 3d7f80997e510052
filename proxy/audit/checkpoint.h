// One line of the checkpoints file: up to `seq` the record had this head, says who held the key of
// this epoch.
//
//   {"v":1,"seq":N,"head":"…","time":"…","epoch":E,"key":"…","prev":"…","sig":"…"}
//
// `prev` is SHA-256 of the line before (64 zeros for the first), so that a signature vouches for
// all before it. `sig` is Ed25519 (RFC 8032) over the line from `{` up to and without `,"sig"`,
// plus `}`. Before `sig` may stand `"next"`, the key of the epoch that follows, in the last
// checkpoint of an epoch and only there; and `"pruned"` with `"pruned_head"`: all lines up to that
// one were deleted because they were older than `audit.keep`.
#ifndef REEVE_PROXY_AUDIT_CHECKPOINT_H_
#define REEVE_PROXY_AUDIT_CHECKPOINT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/audit/sealing_key.h"

namespace reeve::audit {

struct Checkpoint {
  uint64_t seq = 0;
  std::string head;  // hash of line `seq`
  std::string time;  // RFC 3339 with microseconds
  uint64_t epoch = 0;
  std::string key;  // public, 64 hexadecimal digits
  std::string prev;
  std::string next;  // public key of the next epoch; empty but at the end of one
  uint64_t pruned = 0;
  std::string pruned_head;

  std::string signed_text;  // when read: what `sig` is over
  std::string sig;          // when read
};

// The line, without newline.
std::string write_checkpoint(const Checkpoint& checkpoint, const SealingKey& key);

// Nothing when `text` is no checkpoint; the signature is not checked. read_checkpoint_in() finds
// one behind other text, as a log puts it before its lines.
std::optional<Checkpoint> read_checkpoint(std::string_view text);
std::optional<Checkpoint> read_checkpoint_in(std::string_view text);

// Whether it is signed by the key that it names.
bool signature_holds(const Checkpoint& checkpoint);

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_CHECKPOINT_H_
