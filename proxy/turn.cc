// The loop ends a turn when all that was ready has run, so a turn never outlasts what is ready now.
// Tested by tests/proxy/turn_test.cc.
#include "proxy/turn.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace reeve {
namespace {

// More than this is not kept for one write: who comes later writes on its own.
constexpr size_t kMostLines = 256;
constexpr size_t kMostBytes = 256 * 1024;

}  // namespace

Turn::Turn(Journal& journal, net::asio::io_context& context)
    : journal_(journal),
      context_(context),
      loop_(net::Loop::of(context)),
      link_(std::make_shared<Link>()) {
  link_->turn = this;
}

Turn::~Turn() {
  std::lock_guard lock(link_->mutex);
  link_->turn = nullptr;
}

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
  if (!journal_.decisions_wait()) {
    if (const auto written = record_alone(kind, members, now)) return *written;
  }
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
  if (journal_.decisions_wait() && !waiting_.empty()) return write_durably();
  const bool written = write();
  go_on(waiting_, written);
}

void Turn::go_on(net::Waits& waits, bool written) {
  for (net::Wait* wait = waits.first(); wait != nullptr; wait = waits.after(*wait)) {
    wait->aborted = !written;
  }
  loop_.make_ready(waits);
}

// The same for `sync: disk`: who waits is resumed when the journal's thread says so.
void Turn::write_durably() {
  const uint64_t number = ++number_;
  gather_lines();
  const auto done = [link = link_, number](bool written) {
    std::lock_guard lock(link->mutex);
    if (link->turn == nullptr) return;
    net::asio::post(link->turn->context_,
                    [turn = link->turn, number, written] { turn->finish(number, written); });
  };
  ForDisk& waiting = for_disk_.try_emplace(number, context_).first->second;
  waiting.waits.take_all(waiting_);
  waiting.deadline.expires_after(journal_.deadline());
  waiting.deadline.async_wait([this, number](net::ErrorCode ec) {
    if (!ec) finish(number, false);
  });
  const bool queued = journal_.append_durable(lines_, done);
  entries_.clear();
  text_.clear();
  if (!queued) finish(number, false);
}

void Turn::finish(uint64_t number, bool written) {
  auto found = for_disk_.extract(number);
  if (found.empty()) return;  // its deadline was over
  found.mapped().deadline.cancel();
  go_on(found.mapped().waits, written);
}

void Turn::gather_lines() {
  lines_.clear();
  for (const Entry& entry : entries_) {
    lines_.push_back({entry.kind,
                      std::string_view(text_).substr(entry.begin, entry.end - entry.begin),
                      entry.time});
  }
}

bool Turn::write() {
  if (entries_.empty()) return true;
  gather_lines();
  const bool written = journal_.append(lines_);
  entries_.clear();
  text_.clear();
  return written;
}

}  // namespace reeve
