// The loop ends a turn when all that was ready has run, so a turn never outlasts what is ready now.
// Tested by tests/proxy/turn_test.cc.
#include "proxy/turn.h"

#include <utility>

namespace reeve {
namespace {

// More than this is not kept for one write: who comes later writes on its own.
constexpr size_t kMostLines = 256;
constexpr size_t kMostBytes = 256 * 1024;

}  // namespace

bool Turn::crowded() const { return entries_.size() >= kMostLines || text_.size() >= kMostBytes; }

void Turn::add(std::string_view kind, std::string_view members, policy::Time now) {
  const size_t begin = text_.size();
  text_ += members;
  entries_.push_back({kind, begin, text_.size(), now});
}

std::optional<bool> Turn::record_alone(std::string_view kind, std::string_view members,
                                       policy::Time now) {
  if (calls_ > 1 && !crowded()) return std::nullopt;
  return journal_.append(kind, members, now);
}

net::Step<bool> Turn::record(std::string_view kind, std::string_view members, policy::Time now) {
  if (const auto written = record_alone(kind, members, now)) return *written;
  add(kind, members, now);
  end_soon();
  return wait();
}

net::Task<bool> Turn::wait() {
  const bool failed = co_await net::Waiting(waiting_);
  co_return !failed;
}

void Turn::record_soon(std::string_view kind, std::string_view members, policy::Time now) {
  if (record_alone(kind, members, now)) return;
  add(kind, members, now);
  end_soon();
}

void Turn::end_soon() {
  if (!std::exchange(ends_soon_, true)) loop_.at_end_of_turn(*this);
}

// Those that went on and ended at once leave outcomes; they have asked for another end.
void Turn::end_turn() {
  ends_soon_ = false;
  const bool written = write();
  for (net::Wait* wait = waiting_.first(); wait != nullptr; wait = waiting_.after(*wait)) {
    wait->aborted = !written;
  }
  loop_.make_ready(waiting_);
}

bool Turn::write() {
  if (entries_.empty()) return true;
  lines_.clear();
  for (const Entry& entry : entries_) {
    lines_.push_back({entry.kind,
                      std::string_view(text_).substr(entry.begin, entry.end - entry.begin),
                      entry.time});
  }
  const bool written = journal_.append(lines_);
  entries_.clear();
  text_.clear();
  return written;
}

}  // namespace reeve
