// The end of a verification: what is missing at either end of the record, and what could not have
// been seen. Tested by tests/proxy/audit_verify_test.cc.
#include <fmt/format.h>

#include "proxy/audit/verifier.h"

namespace reeve::audit {

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::kEdited:
      return "edited";
    case Fault::kDeleted:
      return "deleted";
    case Fault::kInserted:
      return "inserted";
    case Fault::kReordered:
      return "reordered";
    case Fault::kDuplicated:
      return "duplicated";
    case Fault::kMissingFile:
      return "missing-file";
    case Fault::kTruncated:
      return "truncated";
    case Fault::kSpliced:
      return "spliced";
    case Fault::kRechained:
      return "rechained";
    case Fault::kRolledBack:
      return "rolled-back";
    case Fault::kLost:
      return "lost";
    case Fault::kBadCheckpoint:
      return "bad-checkpoint";
    case Fault::kUnreadable:
      return "unreadable";
  }
  return "?";
}

void Verifier::finish() {
  for (const Odd& odd : odd_) {
    report_.findings.add({Fault::kInserted, odd.where, 0, "this is no line of the record"});
  }
  if (const auto stray = strays_.find(expected_); stray != strays_.end()) {
    if (Finding* moved = report_.findings.at(stray->second)) {
      moved->fault = Fault::kReordered;
      moved->what = "the line stands before its place";
    }
  }
  report_.last_seq = last_.seq;
  finish_end();
  report_.checkpoints = chain_.count();
  report_.epoch = chain_.epoch();
  report_.first_key = chain_.first_key();
  finish_beginning();
  add_notes();
}

// What the checkpoints say was there, and is not.
void Verifier::finish_end() {
  const std::string at = options_.files.empty() ? "the record" : options_.files.back();
  while (checkpoint_) {
    last_checkpoint_ = std::move(*checkpoint_);
    checkpoint_ = chain_.next();
  }
  const uint64_t sealed = last_checkpoint_.seq;
  if (sealed > last_.seq) {
    report_.findings.add(
        {Fault::kTruncated, at, last_.seq,
         fmt::format("the record ends with line {} and was sealed up to line {} at {}: its end was "
                     "cut off, or an older copy was put in its place",
                     last_.seq, sealed, last_checkpoint_.time)});
  }
  if (anchors_.empty()) return;
  const Anchor& last = anchors_.back();
  if (last.checkpoint.seq > last_.seq && last.checkpoint.seq > sealed) {
    report_.findings.add(
        {Fault::kRolledBack, at, last_.seq,
         fmt::format("the record ends with line {}, its checkpoints with line {}, and the "
                     "checkpoint kept elsewhere ({}) is of line {} at {}: both were cut off or are "
                     "older copies",
                     last_.seq, sealed, last.where, last.checkpoint.seq, last.checkpoint.time)});
  }
}

void Verifier::finish_beginning() {
  if (!began_ || (report_.first_seq == 1 && start_prev_ == kNoPrevious)) return;
  const auto pruned = chain_.pruned().find(report_.first_seq - 1);
  if (pruned != chain_.pruned().end() && pruned->second == start_prev_) {
    report_.notes.push_back(fmt::format(
        "the lines up to {} were deleted for their age; a checkpoint says so", pruned->first));
    return;
  }
  if (report_.first_seq == 1) {
    report_.findings.add(
        {Fault::kEdited, start_where_, 1, "the first line continues from another"});
    return;
  }
  const std::string what = fmt::format(
      "the record begins with line {}; the lines before it are missing", report_.first_seq);
  if (sealed_record_) {
    report_.findings.add({Fault::kMissingFile, start_where_, report_.first_seq,
                          what + ", and no checkpoint says that they were deleted for their age"});
  } else {
    report_.notes.push_back(what);
  }
}

void Verifier::add_notes() {
  auto& notes = report_.notes;
  if (!sealed_record_) {
    notes.push_back(
        "not seen without checkpoints: whoever can write the files can make a whole chain anew, or "
        "cut off its end");
  } else {
    if (options_.keys.empty()) {
      notes.push_back(fmt::format(
          "not seen without --key: whether all was replaced, record, checkpoints and key; the "
          "first key of these is {}",
          report_.first_key));
    }
    if (last_.seq > last_checkpoint_.seq) {
      notes.push_back(fmt::format(
          "not sealed yet: lines {} to {}; a change there that makes the chain anew is not seen",
          last_checkpoint_.seq + 1, last_.seq));
    }
    notes.push_back(fmt::format(
        "not seen: what was rewritten from line {} on by someone who has the current key",
        chain_.epoch_from()));
  }
  if (anchors_.empty()) {
    notes.push_back(
        "not seen without --checkpoint: whether the end was cut off together with its checkpoints, "
        "or all was put back to an older copy");
    return;
  }
  notes.push_back(fmt::format("the checkpoint kept elsewhere vouches for all up to line {}",
                              anchors_.back().checkpoint.seq));
}

}  // namespace reeve::audit
