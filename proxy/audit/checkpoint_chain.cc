// Tested by tests/proxy/audit_verify_test.cc.
#include "proxy/audit/checkpoint_chain.h"

#include <fmt/format.h>

#include <algorithm>

namespace reeve::audit {

bool CheckpointChain::open(const std::string& path) {
  if (!reader_.open(path)) return false;
  reader_.stop_at_end();  // what a running sidecar seals from now on is of lines not looked at
  Checkpoint first;
  if (read(first, ahead_hash_)) ahead_ = std::move(first);
  return true;
}

void CheckpointChain::bad(const std::string& what, uint64_t seq) {
  findings_.add({Fault::kBadCheckpoint, where_, seq, what});
}

// The next line that is a checkpoint. One that is cut short at the end is what a crash leaves.
bool CheckpointChain::read(Checkpoint& into, std::string& hash) {
  for (std::string_view text; reader_.next(text, false);) {
    ahead_where_ = fmt::format("{}:{}", reader_.path(), reader_.number());
    hash = hasher_.hex(text);
    auto checkpoint = read_checkpoint(text);
    if (checkpoint) {
      into = std::move(*checkpoint);
      return true;
    }
    findings_.add({Fault::kBadCheckpoint, ahead_where_, 0, "this is no checkpoint"});
  }
  return false;
}

bool CheckpointChain::judge_key(const Checkpoint& c) {
  const bool given = std::find(keys_.begin(), keys_.end(), c.key) != keys_.end();
  if (!began_) {
    first_key_ = c.key;
    if (keys_.empty() || given) return true;
    bad("the first checkpoint is signed by another key than --key names", c.seq);
    return false;
  }
  if (c.key == key_ || given) return true;
  bad(fmt::format("signed by a key that no checkpoint before it names ({}); if reeve began a new "
                  "key here, which it says at its start, give it with --key",
                  c.key),
      c.seq);
  return false;
}

std::optional<Checkpoint> CheckpointChain::next() {
  while (ahead_) {
    Checkpoint c = std::move(*ahead_);
    const std::string hash = ahead_hash_;
    where_ = ahead_where_;
    ahead_.reset();
    Checkpoint following;
    if (read(following, ahead_hash_)) ahead_ = std::move(following);

    const bool continues = c.prev == last_hash_;
    if (!continues) {
      bad(began_ ? "checkpoints before this one were changed or removed"
                 : "the first checkpoints are missing",
          c.seq);
    }
    const bool known = judge_key(c);
    const bool vouches = !ahead_ || !c.next.empty() || ahead_->prev != hash;
    const bool signed_well = !vouches || signature_holds(c);
    if (!signed_well)
      bad("its signature does not hold: it was changed, or made without the key", c.seq);
    if (c.seq < last_seq_) bad("it seals less than the one before it", c.seq);
    if (began_ && known && c.key == key_ && c.epoch != epoch_ && continues) {
      bad("it is of another epoch than its key", c.seq);
    }
    began_ = true;
    last_hash_ = hash;
    key_ = c.next.empty() ? c.key : c.next;
    epoch_ = c.epoch + (c.next.empty() ? 0 : 1);
    if (!c.next.empty()) epoch_from_ = c.seq + 1;
    if (!known || !signed_well) continue;
    if (c.pruned > 0) pruned_[c.pruned] = c.pruned_head;
    last_seq_ = std::max(last_seq_, c.seq);
    ++count_;
    return c;
  }
  return std::nullopt;
}

}  // namespace reeve::audit
