// A line that does not continue the chain is held back until the next one tells what happened: the
// next continues from it (lines are missing, or replaced), or from the one before it (it does not
// belong there). Tested by tests/proxy/audit_verify_test.cc.
#include "proxy/audit/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace reeve::audit {
namespace {

constexpr size_t kRecent = 16 * 1024;
constexpr size_t kMostStrays = 100'000;
constexpr size_t kMostOdd = 1000;

std::string span_of(uint64_t from, uint64_t to) {
  return from == to ? fmt::format("line {}", from) : fmt::format("lines {} to {}", from, to);
}

}  // namespace

Verifier::Verifier(VerifyOptions options)
    : options_(std::move(options)), chain_(options_.keys, report_.findings), recent_(kRecent) {
  anchors_ = options_.anchors;
  std::sort(anchors_.begin(), anchors_.end(),
            [](const Anchor& a, const Anchor& b) { return a.checkpoint.seq < b.checkpoint.seq; });
  last_.prev = last_.hash = std::string(kNoPrevious);
}

VerifyReport Verifier::run() {
  for (const Anchor& anchor : anchors_) {
    if (signature_holds(anchor.checkpoint)) continue;
    report_.findings.add({Fault::kBadCheckpoint, anchor.where, anchor.checkpoint.seq,
                          "the signature of this checkpoint, kept elsewhere, does not hold"});
  }
  if (!options_.checkpoints.empty()) {
    sealed_record_ = chain_.open(options_.checkpoints);
    if (sealed_record_) {
      checkpoint_ = chain_.next();
    } else {
      report_.findings.add({Fault::kBadCheckpoint, options_.checkpoints, 0,
                            "the checkpoints are missing; use --unsealed for a record that never "
                            "had any"});
    }
  }
  for (const std::string& file : options_.files) read_file(file);
  settle(nullptr);
  finish();
  return std::move(report_);
}

void Verifier::read_file(const std::string& path) {
  LineReader reader;
  if (!reader.open(path)) {
    report_.findings.add({Fault::kUnreadable, path, 0,
                          fmt::format("cannot be read: {}", std::strerror(reader.error()))});
    return;
  }
  const std::string prefix = path + ":";
  std::string where;
  for (std::string_view text; reader.next(text);) {
    where = prefix;
    where += fmt::format_int(reader.number()).c_str();
    report_.bytes += text.size() + 1;
    if (reader.complete()) {
      line(text, where, reader.number() == 1);
    } else {
      odd_line(where, path == options_.files.back());
    }
  }
  if (reader.error() != 0) {
    report_.findings.add({Fault::kUnreadable, path, 0,
                          fmt::format("cannot be read: {}", std::strerror(reader.error()))});
  }
}

size_t Verifier::find(Fault fault, const Seen& seen, std::string what) {
  return report_.findings.add({fault, seen.where, seen.seq, std::move(what)});
}

const Verifier::Seen* Verifier::recent(uint64_t seq) const {
  const Seen& seen = recent_[seq % kRecent];
  return seen.seq == seq && !seen.hash.empty() ? &seen : nullptr;
}

void Verifier::odd_line(const std::string& where, bool ends_record) {
  if (ends_record) {
    report_.notes.push_back(
        fmt::format("{}: the last line is cut short, as a crash leaves it", where));
  } else if (odd_.size() < kMostOdd) {
    odd_.push_back({where});
  }
}

void Verifier::line(std::string_view text, const std::string& where, bool begins_file) {
  const auto read = read_line(text);
  if (!read) return odd_line(where, false);
  ++report_.lines;
  const bool continues =
      !candidate_ && odd_.empty() && began_ && read->seq == expected_ && read->prev == last_.hash;
  if (!hasher_.matches(*read)) {
    settle(nullptr);
    report_.findings.add(
        {Fault::kEdited, where, read->seq, "the line was edited: its hash is another"});
    // What follows continues from the hash that was there, if that was left alone.
    const uint64_t seq = read->prev == last_.hash && began_ ? expected_ : read->seq;
    Seen seen{seq,  std::string(read->prev), std::string(read->hash), where, begins_file, false,
              false};
    odd_.clear();
    return begin_or_accept(seen);
  }
  if (continues && !(checkpoint_ && checkpoint_->seq <= read->seq) && anchors_.empty()) {
    // The common case, without copies but into the ring.
    Seen& seen = recent_[read->seq % kRecent];
    seen.seq = last_.seq = read->seq;
    seen.prev = read->prev;
    last_.prev = read->prev;
    seen.hash = read->hash;
    last_.hash = read->hash;
    seen.where = where;
    last_.where = where;
    ++expected_;
    return;
  }
  Seen seen{read->seq, std::string(read->prev), std::string(read->hash), where, begins_file, false,
            false};
  if (read->kind == "start") {
    seen.tells_of_loss = read->members.find(",\"lost\":{") != std::string_view::npos;
    seen.tells_of_torn = read->members.find(",\"torn\":true") != std::string_view::npos;
  }
  intact(std::move(seen));
}

// A line whose hash is that of its bytes.
void Verifier::intact(Seen seen) {
  settle(&seen);
  if (seen.seq == expected_ && seen.prev == last_.hash) {
    settle_odd(seen);
    return begin_or_accept(seen);
  }
  if (seen.seq == last_.seq && seen.hash == last_.hash) {
    find(Fault::kDuplicated, seen, "the line stands there twice");
    return;
  }
  candidate_ = std::move(seen);
}

// Decides about the line that was held back. `following` is null at an end.
void Verifier::settle(const Seen* following) {
  if (!candidate_) return;
  const Seen seen = std::move(*candidate_);
  candidate_.reset();
  if (following != nullptr && following->prev != seen.hash && following->prev == last_.hash) {
    return out_of_place(seen);
  }
  if (!began_) {
    settle_odd(seen);
    return begin_or_accept(seen);
  }
  resume_from(seen);
}

void Verifier::begin_or_accept(const Seen& seen) {
  if (!std::exchange(began_, true)) {
    report_.first_seq = seen.seq;
    start_prev_ = seen.prev;
    start_where_ = seen.where;
  }
  accept(seen);
}

// The chain goes on past this line as if it were not there.
void Verifier::out_of_place(const Seen& seen) {
  if (const Seen* same = recent(seen.seq); same != nullptr && same->hash == seen.hash) {
    find(Fault::kDuplicated, seen,
         fmt::format("the line stands there twice, first at {}", same->where));
    return;
  }
  auto gap = gaps_.upper_bound(seen.seq);
  if (gap != gaps_.begin() && std::prev(gap)->second >= seen.seq) {
    Finding* finding = report_.findings.at(gap_findings_[std::prev(gap)->first]);
    if (finding != nullptr && finding->fault == Fault::kDeleted) {
      finding->fault = Fault::kReordered;
      finding->what = fmt::format("line {} was moved from here to {}", seen.seq, seen.where);
    }
    return;
  }
  if (seen.seq < report_.first_seq) {
    find(Fault::kReordered, seen, "the line stands behind its place");
    return;
  }
  const size_t index =
      find(Fault::kInserted, seen, "the line was inserted: the chain goes on past it");
  if (strays_.size() < kMostStrays) strays_[seen.seq] = index;
}

// What follows continues from this line, which does not continue from the one before it.
void Verifier::resume_from(const Seen& seen) {
  const bool replaced = seen.seq == expected_;
  if (!odd_.empty()) {
    report_.findings.add({Fault::kEdited, odd_.front().where, expected_,
                          "this is no line of the record: edited, or put in its place"});
    odd_.clear();
  } else if (replaced) {
    undecided_ = find(Fault::kEdited, last_.seq > 0 ? last_ : seen,
                      fmt::format("the line was replaced: {} continues from another", seen.where));
  } else if (seen.seq > expected_) {
    const auto stray = strays_.find(expected_);
    Finding* moved = stray == strays_.end() ? nullptr : report_.findings.at(stray->second);
    if (moved != nullptr) {
      moved->fault = Fault::kReordered;
      moved->what = "the line stands before its place";
    } else {
      const std::string missing = span_of(expected_, seen.seq - 1);
      const Fault fault = seen.tells_of_loss ? Fault::kLost
                          : seen.begins_file ? Fault::kMissingFile
                                             : Fault::kDeleted;
      undecided_ = find(fault, seen,
                        fault == Fault::kLost
                            ? fmt::format("before this line {} were sealed and are missing; reeve "
                                          "found them missing when it started: a power cut, or "
                                          "someone cut them off",
                                          missing)
                            : fmt::format("before this line {} are missing", missing));
      gaps_[expected_] = seen.seq - 1;
      gap_findings_[expected_] = undecided_;
    }
  } else if (seen.seq + 1 == expected_ && seen.prev == last_.prev) {
    find(Fault::kInserted, last_,
         fmt::format("this line and {} have the same place; the chain goes on from that one",
                     seen.where));
  } else {
    find(Fault::kSpliced, seen,
         fmt::format("line {} follows line {}, and continues from neither: spliced from another "
                     "record",
                     seen.seq, last_.seq));
  }
  accept(seen);
}

// Lines that are none, before one that continues the chain.
void Verifier::settle_odd(const Seen& seen) {
  for (const Odd& odd : odd_) {
    if (seen.tells_of_torn) {
      report_.notes.push_back(fmt::format(
          "{}: cut short by a crash; the line after it says so, and the chain goes on", odd.where));
    } else {
      report_.findings.add(
          {Fault::kInserted, odd.where, 0, "this is no line of the record, and was inserted"});
    }
  }
  odd_.clear();
}

void Verifier::accept(const Seen& seen) {
  recent_[seen.seq % kRecent] = seen;
  last_ = seen;
  expected_ = seen.seq + 1;
  while (checkpoint_ && checkpoint_->seq <= seen.seq) {
    if (checkpoint_->seq == seen.seq) compare(*checkpoint_, seen);
    last_checkpoint_ = std::move(*checkpoint_);
    checkpoint_ = chain_.next();
  }
  while (anchor_ < anchors_.size() && anchors_[anchor_].checkpoint.seq <= seen.seq) {
    if (anchors_[anchor_].checkpoint.seq == seen.seq) compare_anchor(anchors_[anchor_], seen);
    ++anchor_;
  }
}

void Verifier::compare(const Checkpoint& checkpoint, const Seen& seen) {
  Finding* undecided = report_.findings.at(std::exchange(undecided_, Findings::kMost));
  if (checkpoint.head == seen.hash) {
    report_.sealed_seq = seen.seq;
    diverged_ = false;
    return;
  }
  if (undecided != nullptr && undecided->fault != Fault::kLost) {
    undecided->fault = Fault::kSpliced;
    undecided->what += "; what follows is of another record than the one that was sealed";
    diverged_ = true;
  }
  if (std::exchange(diverged_, true)) return;
  find(Fault::kRechained, seen,
       fmt::format("this is not the line that was sealed at {}: {} were rewritten", checkpoint.time,
                   span_of(report_.sealed_seq + 1, seen.seq)));
}

void Verifier::compare_anchor(const Anchor& anchor, const Seen& seen) {
  if (anchor.checkpoint.head == seen.hash) return;
  find(Fault::kRechained, seen,
       fmt::format("this is not the line of the checkpoint that was kept elsewhere ({}, of {})",
                   anchor.where, anchor.checkpoint.time));
}

}  // namespace reeve::audit
